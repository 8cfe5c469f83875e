//! Station 3, store: conditional writes and consistent reads, each exactly once whatever the network does.
//!
//! The permissions that template.yaml grants are exactly the calls made here.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{self, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use crate::error::{Cause, Code, Error, Problem};
use crate::flow::Flow;
use crate::item::{self, Item};

/// Time nests: connect < attempt < operation < function (10 s) < gateway (30 s).
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);

/// The table of flows, and the table of projects where there is one.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    projects: Option<String>,
}

/// What a create came to.
#[derive(Debug)]
pub enum Creation {
    /// This call has created the flow.
    Created,
    /// An earlier call with the same key and content has; the flow as it was then.
    Replayed(Box<Flow>),
}

/// What a put on the condition that its id is absent came to, after all attempts.
enum Written {
    /// It was written.
    Now,
    /// The id is held: by this item, where the engine says so.
    Before(Option<Item>),
}

impl Store {
    /// The store on `table` and `projects`, at `endpoint` or where the SDK finds DynamoDB, with its own timeouts and
    /// retries.
    pub fn new(sdk: &SdkConfig, endpoint: Option<String>, table: String, projects: Option<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let endpoint = endpoint.or_else(|| sdk.endpoint_url().filter(|url| !url.is_empty()).map(str::to_owned));
        let mut config = config::Builder::from(sdk);
        config.set_endpoint_url(endpoint);
        let config = config
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF))
            // The timeout of an attempt covers its answer already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { client: Client::from_conf(config), table, projects }
    }

    /// Opens the connection, so that the first request finds it open. Takes one attempt's time at most, and its
    /// failure is no matter: a request meets the same and answers for it.
    pub async fn prime(&self) {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(item::impossible_key())).send();
        let _ = tokio::time::timeout(ATTEMPT_TIMEOUT, read).await;
    }

    /// Writes a new flow, exactly once.
    ///
    /// The id is the proof. Without a key it is fresh and random, so nobody else can hold it: where the condition on it
    /// fails, an earlier attempt of this same call has written it, and only its answer was lost. With a key, the item
    /// that holds the id tells by its fingerprint and its token whose it is.
    ///
    /// # Errors
    ///
    /// [`Error::IdempotencyKeyReused`] when the key was used for other content, [`Code::InvalidProjectId`] when the
    /// project is not the client's, [`Error::TemporarilyUnavailable`] when nothing was written,
    /// [`Error::OutcomeUnknown`] when that cannot be proved, [`Error::Internal`] when the database refuses for good.
    pub async fn create(&self, flow: &Flow) -> Result<Creation, Error> {
        let attempts = Attempts::default();
        let written = match &self.projects {
            None => self.put(flow, &attempts).await,
            Some(projects) => self.put_for_project(flow, projects, &attempts).await,
        };
        let creation = match written {
            Ok(Written::Now) => Ok(Creation::Created),
            Ok(Written::Before(item)) => self.whose(flow, item).await,
            Err(error) if attempts.any_unanswered() => self.settle(flow, &error).await,
            Err(error) => Err(error),
        };
        creation.map_err(|error| match error {
            // Something was perhaps written, and could not be read.
            Error::TemporarilyUnavailable(cause) if attempts.any_unanswered() => Error::OutcomeUnknown(cause),
            error => error,
        })
    }

    /// Whether `flow` could be created as far as its project goes.
    ///
    /// # Errors
    ///
    /// As [`Store::create`].
    pub async fn check_project(&self, flow: &Flow) -> Result<(), Error> {
        let Some(projects) = &self.projects else { return Ok(()) };
        let project = self.read(projects, item::project_key(&flow.content.project)).await?;
        match project.as_ref().and_then(|project| project.get(item::PROJECT_CLIENT)) {
            Some(AttributeValue::S(client)) if client == flow.client.as_str() => Ok(()),
            Some(_) | None => Err(no_such_project()),
        }
    }

    async fn put(&self, flow: &Flow, attempts: &Attempts) -> Result<Written, Error> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(flow)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        match put {
            Ok(_) => Ok(Written::Now),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => Ok(Written::Before(failed.item.clone())),
                Some(_) | None => Err(refused("PutItem", &error)),
            },
        }
    }

    /// The same put, on the condition too that the project is the client's.
    async fn put_for_project(&self, flow: &Flow, projects: &str, attempts: &Attempts) -> Result<Written, Error> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(flow)))
            .condition_expression(ABSENT)
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build();
        let check = ConditionCheck::builder()
            .table_name(projects)
            .set_key(Some(item::project_key(&flow.content.project)))
            .condition_expression("#client = :client")
            .expression_attribute_names("#client", item::PROJECT_CLIENT)
            .expression_attribute_values(":client", AttributeValue::S(flow.client.as_str().to_owned()))
            .build();
        let (Ok(put), Ok(check)) = (put, check) else {
            return Err(Error::Internal(Cause::new("TransactWriteItems: incomplete")));
        };
        let writes = [
            TransactWriteItem::builder().put(put).build(),
            TransactWriteItem::builder().condition_check(check).build(),
        ];

        let start = Instant::now();
        let mut pause = INITIAL_BACKOFF;
        loop {
            let transaction = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.to_vec()))
                .customize()
                .interceptor(attempts.clone())
                .send()
                .await;
            let Err(error) = transaction else { return Ok(Written::Now) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(refused("TransactWriteItems", &error));
            };
            match cancellation(cancelled.cancellation_reasons()) {
                Cancellation::Held(item) => return Ok(Written::Before(item)),
                Cancellation::NoSuchProject => return Err(no_such_project()),
                Cancellation::TooLarge => return Err(item_too_large()),
                Cancellation::Contended if start.elapsed() + pause < CONTENTION_TIME => {
                    tokio::time::sleep(jittered(pause)).await;
                    pause *= 2;
                }
                Cancellation::Contended => {
                    return Err(Error::TemporarilyUnavailable(Cause::new(describe("TransactWriteItems", &error))));
                }
                Cancellation::Other(codes) => {
                    return Err(Error::Internal(Cause::new(format!("TransactWriteItems: cancelled, {codes}"))));
                }
            }
        }
    }

    /// Who has written the flow that holds the id.
    async fn whose(&self, flow: &Flow, item: Option<Item>) -> Result<Creation, Error> {
        if flow.fingerprint.is_none() {
            return Ok(Creation::Created);
        }
        let item = match item {
            Some(item) => Some(item),
            None => self.read(&self.table, item::flow_key(&flow.client, &flow.id)).await?,
        };
        let newest = found(item)?;
        if newest.fingerprint != flow.fingerprint {
            return Err(Error::IdempotencyKeyReused);
        }
        let first = match newest.version {
            1 => newest,
            _ => found(self.read(&self.table, item::version_key(&flow.client, &flow.id, 1)).await?)?,
        };
        if first.write_token == flow.write_token {
            return Ok(Creation::Created);
        }
        Ok(Creation::Replayed(Box::new(first)))
    }

    /// After attempts that had no answer: is the flow there?
    ///
    /// That it is not there proves nothing, since an attempt may still be under way.
    async fn settle(&self, flow: &Flow, error: &Error) -> Result<Creation, Error> {
        let write = error.cause().map_or_else(|| error.code().to_owned(), ToString::to_string);
        let unknown = |found: &str| Error::OutcomeUnknown(Cause::new(format!("{write}; then {found}")));
        match self.read(&self.table, item::flow_key(&flow.client, &flow.id)).await {
            Ok(Some(item)) => self.whose(flow, Some(item)).await,
            Ok(None) => Err(unknown("GetItem: absent")),
            Err(error) => Err(unknown(&error.cause().map_or_else(String::new, ToString::to_string))),
        }
    }

    /// One item, as it stands after every write that was answered.
    async fn read(&self, table: &str, key: Item) -> Result<Option<Item>, Error> {
        let read = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true).send().await;
        read.map(|output| output.item).map_err(|error| refused("GetItem", &error))
    }
}

const ABSENT: &str = "attribute_not_exists(#pk)";
/// How long a transaction is tried again while others write the same items.
const CONTENTION_TIME: Duration = Duration::from_secs(2);

/// Why a put for a project was cancelled.
enum Cancellation {
    Held(Option<Item>),
    Contended,
    NoSuchProject,
    TooLarge,
    Other(String),
}

/// Where both the put and the check of the project fail, the put speaks first: it is a replay.
/// (`TransactionCanceledException` in the Amazon DynamoDB API Reference names the codes.)
fn cancellation(reasons: &[CancellationReason]) -> Cancellation {
    const FAILED: Option<&str> = Some("ConditionalCheckFailed");
    const CONTENDED: [&str; 3] = ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"];

    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
    match reasons {
        [put, _] if put.code() == FAILED => Cancellation::Held(put.item.clone()),
        _ if codes.iter().any(|code| CONTENDED.contains(code)) => Cancellation::Contended,
        [_, project] if project.code() == FAILED => Cancellation::NoSuchProject,
        [put, _] if put.message().is_some_and(is_about_size) => Cancellation::TooLarge,
        _ => Cancellation::Other(codes.join(", ")),
    }
}

/// Between half of `pause` and all of it.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no jitter, which costs a little time at worst.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
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

fn item_too_large() -> Error {
    Error::FlowTooLarge("expected a flow of at most 400 KB in the table, found more".to_owned())
}

fn is_about_size(message: &str) -> bool {
    message.contains("Item size")
}

/// The refusals that are no more than a matter of time.
const PASSING: [&str; 4] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
];

/// An error after which the database is as it was before.
fn refused<E>(call: &str, error: &SdkError<E>) -> Error
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    if error.message().is_some_and(is_about_size) {
        return item_too_large();
    }
    let cause = Cause::new(describe(call, error));
    let unavailable = match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => {
            service.err().code().is_some_and(|code| PASSING.contains(&code))
                || !service.raw().status().is_client_error()
        }
        _ => false,
    };
    if unavailable { Error::TemporarilyUnavailable(cause) } else { Error::Internal(cause) }
}

/// What happened, for the log: no message of the service, which can carry the stored item.
fn describe<E>(call: &str, error: &SdkError<E>) -> String
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("no code");
            format!("{call}: {code}, status {}", service.raw().status().as_u16())
        }
        SdkError::ResponseError(response) => {
            format!("{call}: unreadable answer, status {}", response.raw().status().as_u16())
        }
        other => {
            let root = sources(other).last();
            format!("{call}: {other}: {}", root.map_or_else(String::new, ToString::to_string))
        }
    }
}

/// An error and what caused it, down to the root.
fn sources<'error>(error: &'error (dyn StdError + 'static)) -> impl Iterator<Item = &'error (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Watches the attempts of one call: was one sent that had no answer?
///
/// Such an attempt may have written, or may still write, whatever the attempts after it say.
#[derive(Debug, Clone, Default)]
struct Attempts {
    /// Attempts that were begun and neither answered nor known to be unsent.
    open: Arc<AtomicU32>,
}

impl Attempts {
    fn any_unanswered(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Not called for an attempt that the timeout of the operation cuts off: that one stays open.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let closed = match context.output_or_error() {
            // Only a refusal (4xx) tells that nothing was done: not an error of the server, not a success that is
            // unreadable, which the SDK calls an error of the operation too.
            Some(Err(error)) if error.is_operation_error() => {
                context.response().is_some_and(|response| response.status().is_client_error())
            }
            Some(Err(error)) => error.as_connector_error().is_some_and(|error| never_connected(error)),
            Some(Ok(_)) => true,
            None => false,
        };
        if closed {
            // An attempt that failed before it was sent was never open.
            let _ = self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| open.checked_sub(1));
        }
        Ok(())
    }
}

/// Whether the connection never stood, so that nothing was sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    sources(error)
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}
