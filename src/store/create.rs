//! Creates a flow, exactly once: one conditional put, and the id is the proof.

use std::time::SystemTime;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use super::attempts::{self, AnyUnanswered};
use super::transaction::{Backoff, Refusal, Transacted, incomplete};
use super::{ABSENT, Run, Store, describe, map_error, on_heap};
use crate::error::{Cause, Error};
use crate::flow::Flow;
use crate::item::{self, Item};
use crate::problem::{Code, Problem};

/// The outcome of a create: the flow as it is stored, or would be, at version 1.
#[derive(Debug)]
pub enum Creation {
    /// This call has created it.
    Created(Box<Flow>),
    /// An earlier call with the same key and content has.
    Replayed(Box<Flow>),
    /// A dry run: this flow can be created.
    Judged(Box<Flow>),
}

/// The outcome of a put whose id must be absent, after all requests.
enum Written {
    Now,
    /// An item has this id. The database may have returned it.
    Before(Option<Item>),
}

impl Store {
    /// Writes a new flow, exactly once. A dry run checks its project, and leaves its key alone.
    ///
    /// The id is the proof: all requests of this call have the same, each with its own time. Without a key it is fresh and
    /// random, so nobody else can hold it: where the condition on it fails, an earlier request of this same call has written
    /// it, and only its answer was lost. With a key, the fingerprint and the token of the item with this id tell who has
    /// written it.
    ///
    /// # Errors
    ///
    /// [`Code::IdempotencyKeyReused`] when the key was used for other content, [`Code::InvalidProjectId`] when the
    /// project is not the client's, [`Error::TemporarilyUnavailable`] when nothing was written,
    /// [`Error::OutcomeUnknown`] when that cannot be proved, [`Error::Internal`] when the database refuses for good.
    pub async fn create(&self, mut flow: Flow, run: Run) -> Result<Creation, Error> {
        if run == Run::Dry {
            self.check_project(&flow).await?;
            return Ok(Creation::Judged(Box::new(flow)));
        }
        let (written, AnyUnanswered(any_unanswered)) = attempts::watch(self.write_first(&mut flow)).await;
        let id = flow.summary.id.clone();
        let creation = match written {
            Ok(Written::Now) => Ok(Creation::Created(Box::new(flow))),
            Ok(Written::Before(item)) => self.holder(&flow, item).await,
            Err(error) if any_unanswered => self.settle_create(&flow, &error).await,
            Err(error) => Err(error),
        };
        creation.map_err(|error| match error {
            // Something was perhaps written, and could not be read.
            Error::TemporarilyUnavailable(cause) | Error::OutcomeUnknown(cause) if any_unanswered => {
                Error::OutcomeUnknown(Cause::new(format!("{cause}; the flow is {}", id.as_str())))
            }
            error => error,
        })
    }

    /// Whether `flow` could be created as far as its project goes.
    async fn check_project(&self, flow: &Flow) -> Result<(), Error> {
        let Some(projects) = &self.projects else { return Ok(()) };
        let project = self.read(projects, item::project_key(&flow.summary.project)).await?;
        match project.as_ref().and_then(|project| project.get(item::PROJECT_CLIENT)) {
            Some(AttributeValue::S(client)) if client == flow.summary.client.as_str() => Ok(()),
            Some(_) | None => Err(no_such_project()),
        }
    }

    /// Sends one request after another, and leaves the flow of the last one.
    async fn write_first(&self, flow: &mut Flow) -> Result<Written, Error> {
        let mut backoff = Backoff::of_contention();
        loop {
            let transacted = match &self.projects {
                None => self.put(flow).await,
                Some(projects) => on_heap(self.put_for_project(flow, projects, &mut backoff)).await,
            };
            match transacted? {
                Transacted::Done => return Ok(Written::Now),
                Transacted::Refused(Refusal { write: 0, item }) => return Ok(Written::Before(item)),
                Transacted::Refused(_) => return Err(no_such_project()),
                Transacted::Busy(_) if backoff.wait().await => *flow = flow.created_anew(SystemTime::now())?,
                Transacted::Busy(cause) => return Err(Error::TemporarilyUnavailable(cause)),
            }
        }
    }

    async fn put(&self, flow: &Flow) -> Result<Transacted, Error> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(flow)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send();
        let Err(error) = on_heap(put).await else { return Ok(Transacted::Done) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Transacted::Refused(Refusal { write: 0, item: failed.item.clone() }))
            }
            // The flow of this key is there, and somebody is changing it.
            Some(PutItemError::TransactionConflictException(_)) => {
                Ok(Transacted::Busy(Cause::new(describe("PutItem", &error))))
            }
            Some(_) | None => Err(map_error("PutItem", &error)),
        }
    }

    /// The same put, on the condition too that the project is the client's.
    ///
    /// Where both conditions fail, the put speaks first: it is a replay.
    async fn put_for_project(&self, flow: &Flow, projects: &str, backoff: &mut Backoff) -> Result<Transacted, Error> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(flow)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let check = ConditionCheck::builder()
            .table_name(projects)
            .set_key(Some(item::project_key(&flow.summary.project)))
            .condition_expression("#client = :client")
            .expression_attribute_names("#client", item::PROJECT_CLIENT)
            .expression_attribute_values(":client", AttributeValue::S(flow.summary.client.as_str().to_owned()))
            .build();
        let (Ok(put), Ok(check)) = (put, check) else { return Err(incomplete()) };
        let writes = vec![
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().condition_check(check).build(),
        ];
        self.transact(writes, backoff).await
    }

    /// The flow that holds the id, at its first version, and who has written it.
    async fn holder(&self, flow: &Flow, item: Option<Item>) -> Result<Creation, Error> {
        let item = match item {
            Some(item) => Some(item),
            None => self.read(&self.table, item::flow_key(&flow.summary.client, &flow.summary.id)).await?,
        };
        let newest = found(item)?;
        if newest.fingerprint != flow.fingerprint {
            let error = "expected the content that was sent with this key before, found other content";
            return Err(Problem::header("Idempotency-Key", Code::IdempotencyKeyReused, error).into());
        }
        let first = match newest.summary.version {
            1 => newest,
            _ => self.version(&newest, 1).await?,
        };
        let is_ours = flow.fingerprint.is_none() || first.write_token == flow.write_token;
        let first = Box::new(first);
        Ok(if is_ours { Creation::Created(first) } else { Creation::Replayed(first) })
    }

    /// After attempts that had no answer: is the flow there?
    ///
    /// That it is not there proves nothing, since an attempt may still be under way.
    async fn settle_create(&self, flow: &Flow, error: &Error) -> Result<Creation, Error> {
        let unknown = |found: &str| Error::OutcomeUnknown(Cause::new(format!("{error}; then {found}")));
        match self.read(&self.table, item::flow_key(&flow.summary.client, &flow.summary.id)).await {
            Ok(Some(item)) => self.holder(flow, Some(item)).await,
            Ok(None) => Err(unknown("GetItem: absent")),
            Err(error) => Err(unknown(&error.to_string())),
        }
    }
}

/// A flow that must be there.
fn found(item: Option<Item>) -> Result<Flow, Error> {
    let item = item.ok_or_else(|| Error::Internal(Cause::new("stored flow: absent")))?;
    item::to_flow(&item).map_err(Error::Internal)
}

/// The same answer for a project that does not exist and for another client's.
fn no_such_project() -> Error {
    Problem::new("/project", Code::InvalidProjectId, "expected a project of the client, found none").into()
}
