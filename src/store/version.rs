//! Changes a flow: the next version in the place of the newest, and the newest into the history, as one write.
//!
//! A flow that is live stays active. The same write checks that, so no release can come between.

use std::future;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem};

use super::numbered::{Next, Row, Write};
use super::transaction::incomplete;
use super::{Outcome, Run, Store};
use crate::error::Error;
use crate::flow::{Client, Flow, FlowId, Place, WriteToken, flow_is_live};
use crate::item::{self, Item};

impl Store {
    /// Applies `next` to a flow's newest version, writes the result as the next version, and returns it. If `next` returns
    /// nothing, nothing is written, and the newest version is returned. A dry run checks all that the write would.
    ///
    /// `next` is called again for each new request, with the version that is the newest then. So it checks preconditions each
    /// time, and takes the time. Without preconditions, changes of different members are all kept.
    ///
    /// # Errors
    ///
    /// What `next` refuses; [`Error::ProjectFlowNotFound`]; those of a numbered write.
    pub async fn write_version(
        &self,
        client: &Client,
        id: &FlowId,
        run: Run,
        next: impl Fn(&Flow) -> Result<Option<Flow>, Error>,
    ) -> Result<Outcome<Flow>, Error> {
        let row = Row {
            client,
            key: item::flow_key(client, id),
            number: item::VERSION,
            read: item::to_flow,
            guarded: Some(flow_is_live),
        };
        let write = |newest: Option<Item>, token: WriteToken| {
            let item = newest.ok_or(Error::ProjectFlowNotFound)?;
            let newest = item::to_flow(&item)?;
            let Some(next) = next(&newest)? else { return Ok(Next::Same(newest)) };
            let next = Flow { write_token: Some(token), ..next };
            let number = next.summary.version;
            let sort = item::version_sort_key(id, number);
            let write = Write {
                number,
                newest: item::from_flow(&next),
                copy: item::into_version(item, &newest),
                beside: newest
                    .is_deactivated_by(&next)
                    .then(|| self.is_not_live(&newest))
                    .into_iter()
                    .collect::<Result<_, _>>()?,
                range: (sort.clone(), sort),
            };
            Ok(Next::Write(next, Box::new(write)))
        };
        let outcome = self.next(row, run, |newest, token| future::ready(write(newest, token))).await?;
        if let Outcome::Judged { stored: Some(newest), next } = &outcome {
            self.check_deactivation(newest, next).await?;
        }
        Ok(outcome)
    }

    /// Whether `next` can follow `newest` as far as what is live goes.
    async fn check_deactivation(&self, newest: &Flow, next: &Flow) -> Result<(), Error> {
        if !newest.is_deactivated_by(next) {
            return Ok(());
        }
        let head = self.head(&newest.summary.client, &Place::of(&newest.summary)).await?;
        let live = head.and_then(|head| head.release.version);
        if live.is_some_and(|live| live.id == newest.summary.id) { Err(flow_is_live()) } else { Ok(()) }
    }

    /// The condition that `flow` is not live in its place.
    fn is_not_live(&self, flow: &Flow) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::head_key(&flow.summary.client, &Place::of(&flow.summary))))
            .condition_expression("attribute_not_exists(#id) OR #id <> :id")
            .expression_attribute_names("#id", item::ID)
            .expression_attribute_values(":id", AttributeValue::S(flow.summary.id.as_str().to_owned()))
            .build();
        let check = check.map_err(|_| incomplete())?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}
