//! Releases a flow: the next release in the place of the newest, and a copy of it for ever, as one write.
//!
//! The condition is that the newest release is still the one that was read, so releases are numbered without a gap. The
//! same write checks that the flow is active, so no pause can come between.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};

use super::attempts::{self, AnyUnanswered};
use super::transaction::{Backoff, Refusal, Transacted, incomplete};
use super::{ABSENT, Store, on_heap, only, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Client, Flow, Head, Place, Release, Status};
use crate::item;

/// The decision about a place.
pub enum Next {
    /// It stays as it is.
    Same(Head),
    Release(Head),
}

/// The outcome of writing a release.
enum Written {
    Now,
    /// Nothing, for good: another release was written first, or the flow is no longer active.
    Overtaken,
}

impl Store {
    /// Asks `next` for the next release of a place, writes it and returns it. Returns the newest release if nothing changes.
    ///
    /// `next` is asked again whenever another write comes first, so it judges everything that it reads.
    ///
    /// # Errors
    ///
    /// What `next` refuses; [`Code::FlowTooLarge`](crate::problem::Code::FlowTooLarge) when the release would not fit into
    /// an item; [`Error::TemporarilyUnavailable`] when nothing was written, [`Error::OutcomeUnknown`] when that cannot be
    /// proved, [`Error::Internal`] when the database refuses for good.
    pub async fn release<F: Future<Output = Result<Next, Error>>>(
        &self,
        client: &Client,
        place: &Place,
        next: impl Fn(Option<Head>) -> F,
    ) -> Result<Head, Error> {
        let mut backoff = Backoff::of_contention();
        loop {
            let head = self.head(client, place).await?;
            let previous = head.as_ref().map(|head| head.release.clone());
            let next = match next(head).await? {
                Next::Same(head) => return Ok(head),
                Next::Release(next) => next,
            };
            match on_heap(self.write_release(client, place, previous.as_ref(), &next, &mut backoff)).await? {
                Written::Now => return Ok(next),
                Written::Overtaken if backoff.wait().await => {}
                Written::Overtaken => {
                    return Err(Error::TemporarilyUnavailable(Cause::new("overtaken by other releases every time")));
                }
            }
        }
    }

    async fn write_release(
        &self,
        client: &Client,
        place: &Place,
        previous: Option<&Release>,
        next: &Head,
        backoff: &mut Backoff,
    ) -> Result<Written, Error> {
        let head = item::from_head(client, place, next);
        let put_copy = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::into_release(head.clone(), place, &next.release)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY);
        let put_head = Put::builder().table_name(&self.table).set_item(Some(head));
        let put_head = match previous {
            None => put_head.condition_expression(ABSENT).expression_attribute_names("#pk", item::PARTITION_KEY),
            Some(previous) => put_head
                .condition_expression("#release = :previous")
                .expression_attribute_names("#release", item::RELEASE)
                .expression_attribute_values(":previous", AttributeValue::N(previous.number.to_string())),
        };
        let (Ok(put_head), Ok(put_copy)) = (put_head.build(), put_copy.build()) else { return Err(incomplete()) };
        let mut writes = Vec::from([put_head, put_copy].map(|put| TransactWriteItem::builder().put(put).build()));
        if let Some(flow) = &next.flow {
            writes.push(self.check_active(flow)?);
        }
        if let (true, Some(version)) = (next.release.reviewed, &next.release.version) {
            let mark = Put::builder().table_name(&self.table).set_item(Some(item::review_key(client, place, version)));
            writes.push(TransactWriteItem::builder().put(mark.build().map_err(|_| incomplete())?).build());
        }

        let (transacted, AnyUnanswered(any_unanswered)) = attempts::watch(self.transact(&writes, backoff)).await;
        let settle = |write: String| self.settle_release(client, place, previous, &next.release, write);
        match transacted {
            Ok(Transacted::Done) => Ok(Written::Now),
            Ok(Transacted::Refused(_)) if any_unanswered => {
                settle("TransactWriteItems: a condition failed".to_owned()).await
            }
            Ok(Transacted::Refused(Refusal { write: 1, .. })) => {
                let cause = format!("releases: release {} is there before its time", next.release.number);
                Err(Error::Internal(Cause::new(cause)))
            }
            Ok(Transacted::Refused(_)) => Ok(Written::Overtaken),
            Err(error) if any_unanswered => settle(error.to_string()).await,
            Err(error) => Err(error),
        }
    }

    /// The condition that the newest version of `flow` is active.
    fn check_active(&self, flow: &Flow) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::flow_key(&flow.summary.client, &flow.summary.id)))
            .condition_expression("#status = :active")
            .expression_attribute_names("#status", item::STATUS)
            .expression_attribute_values(":active", AttributeValue::S(Status::Active.as_str().to_owned()))
            .build();
        let check = check.map_err(|_| incomplete())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// After attempts that had no answer: who has written the release of this number?
    ///
    /// That nobody has proves nothing, since an attempt may still be under way.
    async fn settle_release(
        &self,
        client: &Client,
        place: &Place,
        previous: Option<&Release>,
        next: &Release,
        write: String,
    ) -> Result<Written, Error> {
        let unknown = |found: &str| Error::OutcomeUnknown(Cause::new(format!("{write}; then {found}")));
        let unread = |error: Error| unknown(&error.to_string());

        let head = self.head(client, place).await.map_err(unread)?;
        let written = match head {
            Some(head) if head.release.number == next.number => Some(head.release),
            Some(head) if head.release.number > next.number => {
                self.release_after(client, place, previous).await.map_err(unread)?
            }
            Some(_) | None => None,
        };
        match written {
            Some(release) if release.number == next.number && release.write_token == next.write_token => {
                Ok(Written::Now)
            }
            Some(release) if release.number == next.number => Ok(Written::Overtaken),
            Some(_) | None => Err(unknown("its release is absent")),
        }
    }

    /// The release that follows `previous`. Its number is one higher, and its `since` is not before.
    async fn release_after(
        &self,
        client: &Client,
        place: &Place,
        previous: Option<&Release>,
    ) -> Result<Option<Release>, Error> {
        let prefix = item::releases_sort(place);
        let after = previous
            .map_or_else(|| prefix.clone(), |previous| item::release_sort(place, &previous.since, previous.number + 1));
        let query = self.range(client, after, format!("{prefix}{}", item::LAST)).limit(1);
        let found = send_query(only(query, &item::RELEASE_WRITER)).await?;
        Ok(found.items().first().map(item::to_release).transpose()?)
    }
}
