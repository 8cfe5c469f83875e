//! Station 3, store: conditional writes and consistent reads, each exactly once whatever the network does.
//!
//! `create`, `version`, `history` and `list` are what commands ask of flows; `release`, `four_eyes` and `live` are what they
//! ask of releases. `changes` is the log of both. `keys` is what authentication asks for. `numbered`, `transaction` and `attempts` are what they share.
//! The permissions that template.yaml grants are exactly the calls made here.

mod attempts;
mod changes;
mod create;
mod four_eyes;
mod history;
mod kept;
mod keys;
mod list;
mod live;
mod numbered;
mod page;
mod release;
mod transaction;
mod version;

use std::error::Error as StdError;
use std::pin::Pin;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{self, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

use self::attempts::{Attempts, ClockJumps, is_clock_jump};
pub use self::attempts::{FailedAttempts, count_failed_attempts, late, watch_key_fetch};
pub use self::create::Creation;
pub use self::history::Entry;
use self::kept::Kept;
pub use self::keys::{Claim, KeptKeys};
pub use self::list::{Begin, Filter};
pub use self::page::{Cursor, Page, Totals};
pub use self::release::Next;
use crate::error::{Cause, Error};
use crate::flow::Client;
pub use crate::item::List;
use crate::item::{self, Item};

/// Time nests: connect < attempt < operation < function (10 s) < gateway (30 s).
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_ATTEMPTS: u32 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);

/// The condition of a write that must find nothing.
const ABSENT: &str = "attribute_not_exists(#pk)";

/// Whether a write is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Real,
    /// It is judged and answered, and nothing is written (`dryRun`).
    Dry,
}

/// The end of a write.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It is stored.
    Written(T),
    /// A dry run: what would be stored `next`, or is stored already, and what is stored now.
    Judged { stored: Option<T>, next: T },
}

/// The table of flows, and the table of projects where there is one.
#[derive(Debug, Clone)]
pub struct Store {
    client: DynamoDb,
    table: String,
    projects: Option<String>,
    kept: Kept,
}

impl Store {
    /// The store on `table` and `projects`, with its own timeouts and retries.
    pub fn new(sdk: &SdkConfig, table: String, projects: Option<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let config = config::Builder::from(sdk)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(INITIAL_BACKOFF))
            // The timeout of an attempt covers its answer already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(Attempts)
            .retry_classifier(ClockJumps)
            .build();
        Self { client: DynamoDb::from_conf(config), table, projects, kept: Kept::default() }
    }

    /// Opens the connection, so that the first request finds it open. Takes one attempt's time at most, and its
    /// failure is ignored: the next request meets it too, and answers it.
    pub async fn prime(&self) {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(item::impossible_key())).send();
        let _ = tokio::time::timeout(ATTEMPT_TIMEOUT, read).await;
    }

    /// One item, as it stands after every write that was answered.
    async fn read(&self, table: &str, key: Item) -> Result<Option<Item>, Error> {
        let read = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true).send();
        on_heap(read).await.map(|output| output.item).map_err(|error| map_error("GetItem", &error))
    }

    /// A query of a client's items from one sort key to another, as they stand after every write that was answered.
    fn range(&self, client: &Client, first: String, last: String) -> QueryFluentBuilder {
        let partition = (item::PARTITION_KEY, item::partition(client));
        self.between(partition, (item::SORT_KEY, first, last)).consistent_read(true)
    }

    /// A query of a client's entries in an index from one sort key to another. An index has no consistent reads.
    fn index_range(&self, index: &str, client: &Client, range: (&str, String, String)) -> QueryFluentBuilder {
        self.between((item::CLIENT, client.as_str().to_owned()), range).index_name(index)
    }

    fn between(
        &self,
        (partition, value): (&str, String),
        (sort, first, last): (&str, String, String),
    ) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", partition)
            .expression_attribute_names("#sk", sort)
            .expression_attribute_values(":pk", AttributeValue::S(value))
            .expression_attribute_values(":first", AttributeValue::S(first))
            .expression_attribute_values(":last", AttributeValue::S(last))
    }
}

/// The refusals of calls that are too many.
const THROTTLING: [&str; 3] = ["ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"];

/// The refusals of calls that meet a transaction under way.
const CONTENTION: [&str; 2] = ["TransactionConflictException", "TransactionInProgressException"];

/// An error after which the database is as it was before.
fn map_error<E>(call: &str, error: &SdkError<E>) -> Error
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    let cause = Cause::new(describe(call, error));
    let unavailable = match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => {
            let passes = |code| THROTTLING.contains(&code) || CONTENTION.contains(&code);
            service.err().code().is_some_and(passes)
                || is_clock_jump(service.err().meta())
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
pub fn sources<'error>(
    error: &'error (dyn StdError + 'static),
) -> impl Iterator<Item = &'error (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// A call, its state on the heap: it is large, and would be moved with the state of everything that waits for it.
fn on_heap<F: Future>(call: F) -> Pin<Box<F>> {
    Box::pin(call)
}

async fn send_query(query: QueryFluentBuilder) -> Result<QueryOutput, Error> {
    on_heap(query.send()).await.map_err(|error| map_error("Query", &error))
}

/// Asks a query for these attributes and no others.
fn only(query: QueryFluentBuilder, attributes: &[&str]) -> QueryFluentBuilder {
    let names: Vec<_> = attributes.iter().map(|name| format!("#{name}")).collect();
    let query = attributes
        .iter()
        .zip(&names)
        .fold(query, |query, (attribute, name)| query.expression_attribute_names(name, *attribute));
    query.projection_expression(names.join(", "))
}
