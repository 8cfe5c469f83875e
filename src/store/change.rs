//! Changes a flow: the next version in the place of the newest, and the newest into the history, as one write.
//!
//! The condition is that the newest is still the one that was read; nobody's change is lost. A version once written is
//! never written again: neither as the newest, whose number only grows, nor in the history, where it must be absent.
//!
//! A flow that is live stays active. The same write checks that, so no release can come between.

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};

use super::attempts::{self, AnyUnanswered};
use super::transaction::{Backoff, Refusal, Transacted, incomplete};
use super::{ABSENT, Store, on_heap};
use crate::error::{Cause, Error};
use crate::flow::{Client, Flow, FlowId, Place, flow_is_live};
use crate::item::{self, Item};

/// The outcome of writing the next version.
enum Replaced {
    Now,
    /// It is not, and never will be: another version was written first.
    Overtaken,
}

impl Store {
    /// Applies `next` to a flow's newest version, writes the result as the next version, and returns it. If `next` returns
    /// nothing, nothing is written, and the newest version is returned.
    ///
    /// If another change comes first, `next` is called again with the new version. So it checks preconditions each time.
    /// Without preconditions, changes of different members are all kept.
    ///
    /// # Errors
    ///
    /// What `next` refuses; [`Error::ProjectFlowNotFound`];
    /// [`Code::FlowTooLarge`](crate::problem::Code::FlowTooLarge) when it would not fit into an item;
    /// [`Error::TemporarilyUnavailable`] when nothing was written, [`Error::OutcomeUnknown`] when that cannot be proved,
    /// [`Error::Internal`] when the database refuses for good.
    pub async fn change(
        &self,
        client: &Client,
        id: &FlowId,
        next: impl Fn(&Flow) -> Result<Option<Flow>, Error>,
    ) -> Result<Flow, Error> {
        let mut backoff = Backoff::of_contention();
        loop {
            let item = self.read(&self.table, item::flow_key(client, id)).await?.ok_or(Error::ProjectFlowNotFound)?;
            let newest = item::to_flow(&item)?;
            let Some(next) = next(&newest)? else { return Ok(newest) };
            let replaced = on_heap(self.replace(&newest, item, &next, &mut backoff)).await?;
            match replaced {
                Replaced::Now => return Ok(next),
                Replaced::Overtaken if backoff.wait().await => {}
                Replaced::Overtaken => {
                    return Err(Error::TemporarilyUnavailable(Cause::new("overtaken by other changes every time")));
                }
            }
        }
    }

    async fn replace(&self, newest: &Flow, item: Item, next: &Flow, backoff: &mut Backoff) -> Result<Replaced, Error> {
        let put_next = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(next)))
            .condition_expression("#version = :newest")
            .expression_attribute_names("#version", item::VERSION)
            .expression_attribute_values(":newest", AttributeValue::N(newest.summary.version.to_string()))
            .build();
        let put_newest = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::into_version(item, newest)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .build();
        let (Ok(put_next), Ok(put_newest)) = (put_next, put_newest) else { return Err(incomplete()) };
        let mut writes = Vec::from([put_next, put_newest].map(|put| TransactWriteItem::builder().put(put).build()));
        if newest.is_deactivated_by(next) {
            writes.push(self.check_not_live(newest)?);
        }

        let (transacted, AnyUnanswered(any_unanswered)) = attempts::watch(self.transact(&writes, backoff)).await;
        match transacted {
            Ok(Transacted::Done) => Ok(Replaced::Now),
            Ok(Transacted::Refused(_)) if any_unanswered => {
                self.settle_change(next, "TransactWriteItems: a condition failed").await
            }
            Ok(Transacted::Refused(Refusal { write: 0, .. })) => Ok(Replaced::Overtaken),
            Ok(Transacted::Refused(Refusal { write: 1, .. })) => {
                let cause = format!("history: version {} is there while it is the newest", newest.summary.version);
                Err(Error::Internal(Cause::new(cause)))
            }
            Ok(Transacted::Refused(_)) => Err(flow_is_live()),
            Err(error) if any_unanswered => self.settle_change(next, &error.to_string()).await,
            Err(error) => Err(error),
        }
    }

    /// Whether `next` can follow `newest` as far as what is live goes.
    pub async fn check_deactivation(&self, newest: &Flow, next: &Flow) -> Result<(), Error> {
        if !newest.is_deactivated_by(next) {
            return Ok(());
        }
        let head = self.head(&newest.summary.client, &Place::of(&newest.summary)).await?;
        let live = head.and_then(|head| head.release.version);
        if live.is_some_and(|live| live.id == newest.summary.id) { Err(flow_is_live()) } else { Ok(()) }
    }

    /// The condition that `flow` is not live in its place.
    fn check_not_live(&self, flow: &Flow) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::live_key(&flow.summary.client, &Place::of(&flow.summary))))
            .condition_expression("attribute_not_exists(#id) OR #id <> :id")
            .expression_attribute_names("#id", item::ID)
            .expression_attribute_values(":id", AttributeValue::S(flow.summary.id.as_str().to_owned()))
            .build();
        let check = check.map_err(|_| incomplete())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// After attempts that had no answer: who has written the version of this number, wherever it is by now?
    ///
    /// That nobody has proves nothing, since an attempt may still be under way.
    async fn settle_change(&self, next: &Flow, write: &str) -> Result<Replaced, Error> {
        let unknown = |found: &str| Error::OutcomeUnknown(Cause::new(format!("{write}; then {found}")));
        let unread = |error: Error| unknown(&error.to_string());

        let newest = self.newest(&next.summary.client, &next.summary.id).await.map_err(unread)?;
        if newest.summary.version < next.summary.version {
            return Err(unknown("GetItem: absent"));
        }
        let written = self.version(&newest, next.summary.version).await.map_err(unread)?;
        Ok(if written.write_token == next.write_token { Replaced::Now } else { Replaced::Overtaken })
    }
}
