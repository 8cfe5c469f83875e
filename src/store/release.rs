//! Releases a flow: the next release in the place of the newest, and a copy of it for ever, as one write.
//!
//! The same write checks that the flow is active, so no pause can come between.

use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};

use super::numbered::{self, Row, Write};
use super::transaction::incomplete;
use super::{Outcome, Run, Store};
use crate::error::Error;
use crate::flow::{Client, FlowId, Head, Place, Released, Status, WriteToken};
use crate::item::{self, Item};

/// The decision about a place.
pub enum Next {
    /// It stays as it is.
    Same(Head),
    Release(Head),
}

impl Store {
    /// Asks `next` for the next release of a place, writes it and returns it. Returns the newest release if nothing changes.
    /// `next` checks all that the write does, so a dry run needs no more.
    ///
    /// `next` is asked again for each new request, so it judges everything that it reads, and takes the time.
    ///
    /// # Errors
    ///
    /// What `next` refuses; those of a numbered write.
    pub async fn release<F: Future<Output = Result<Next, Error>>>(
        &self,
        client: &Client,
        place: &Place,
        run: Run,
        next: impl Fn(Option<Head>) -> F,
    ) -> Result<Outcome<Head>, Error> {
        let row = Row {
            client,
            key: item::head_key(client, place),
            number: item::RELEASE,
            read: item::to_head,
            guarded: None,
        };
        let sent = Mutex::new(None);
        let write = async |newest: Option<Item>, token: WriteToken| {
            let head = newest.as_ref().map(item::to_head).transpose()?;
            let all = item::releases_prefix(place);
            let after = head.as_ref().map_or_else(
                || all.clone(),
                |Head { release, .. }| item::release_sort_key(place, &release.since, release.number + 1),
            );
            let mut head = match next(head).await? {
                Next::Same(head) => return Ok(numbered::Next::Same(head)),
                Next::Release(head) => head,
            };
            head.release.write_token = Some(token);
            sent.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&head.flow);
            let copy = item::from_release(client, place, &head);
            let mut beside = Vec::new();
            if let Some(version) = &head.release.version {
                beside.push(self.is_active(client, &version.id)?);
            }
            if let (true, Some(version)) = (head.release.reviewed, &head.release.version) {
                let mark = Put::builder().table_name(&self.table);
                let mark = mark.set_item(Some(item::review_key(client, place, version))).build();
                beside.push(TransactWriteItem::builder().put(mark.map_err(|_| incomplete())?).build());
            }
            let write = Write {
                number: head.release.number,
                newest: item::into_head(copy.clone(), place),
                copy,
                beside,
                range: (after, format!("{all}{}", item::LAST)),
            };
            Ok(numbered::Next::Write(head, Box::new(write)))
        };
        let mut outcome = self.next(row, run, write).await?;
        // What is stored shows no definition where it has no room for one. A version never changes, so it is the one that was
        // sent, and needs no read that could fail after the write.
        if let Outcome::Written(Head { flow: Some(stored @ Released { definition: None, .. }), .. }) = &mut outcome
            && let Some(sent) = sent.into_inner().unwrap_or_else(PoisonError::into_inner)
            && (&sent.summary.id, sent.summary.version) == (&stored.summary.id, stored.summary.version)
        {
            stored.definition = sent.definition;
        }
        Ok(outcome)
    }

    /// The condition that the newest version of a flow is active.
    fn is_active(&self, client: &Client, id: &FlowId) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::flow_key(client, id)))
            .condition_expression("#status = :active")
            .expression_attribute_names("#status", item::STATUS)
            .expression_attribute_values(":active", AttributeValue::S(Status::Active.as_str().to_owned()))
            .build();
        let check = check.map_err(|_| incomplete())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
