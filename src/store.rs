//! Station 3, store: conditional writes and consistent reads, each exactly once whatever the network does.
//!
//! The permissions that template.yaml grants are exactly the calls made here.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{self, ConfigBag, Intercept, RuntimeComponents, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};

use crate::error::{Cause, Error};
use crate::flow::Flow;
use crate::item;

/// Time nests: connect < attempt < operation < function (10 s) < gateway (30 s).
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;
const INITIAL_BACKOFF: Duration = Duration::from_millis(25);

/// The table of flows.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The store on `table`, at `endpoint` or where the SDK finds DynamoDB, with its own timeouts and retries.
    pub fn new(sdk: &SdkConfig, endpoint: Option<String>, table: impl Into<String>) -> Self {
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
        Self { client: Client::from_conf(config), table: table.into() }
    }

    /// Opens the connection, so that the first request finds it open. Takes one attempt's time at most, and its
    /// failure is no matter: a request meets the same and answers for it.
    pub async fn prime(&self) {
        let read = self.client.get_item().table_name(&self.table).set_key(Some(item::impossible_key())).send();
        let _ = tokio::time::timeout(ATTEMPT_TIMEOUT, read).await;
    }

    /// Writes a new flow, exactly once.
    ///
    /// The id is the proof: it is fresh and random, so nobody else can hold it. Where the condition on it fails, an
    /// earlier attempt of this same call has written it, and only its answer was lost.
    ///
    /// # Errors
    ///
    /// [`Error::TemporarilyUnavailable`] when nothing was written, [`Error::OutcomeUnknown`] when that cannot be
    /// proved, [`Error::Internal`] when the database refuses for good.
    pub async fn create(&self, flow: &Flow) -> Result<(), Error> {
        let attempts = Attempts::default();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::from_flow(flow)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", item::PARTITION_KEY)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        match put {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(
                    aws_sdk_dynamodb::operation::put_item::PutItemError::is_conditional_check_failed_exception,
                ) =>
            {
                Ok(())
            }
            Err(error) if attempts.any_unanswered() || matches!(error, SdkError::TimeoutError(_)) => {
                self.settle(flow, &error).await
            }
            Err(error) => Err(refused("PutItem", &error)),
        }
    }

    /// After attempts that had no answer: is the flow there?
    ///
    /// That it is not there proves nothing, since an attempt may still be under way.
    async fn settle<E>(&self, flow: &Flow, put: &SdkError<E>) -> Result<(), Error>
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        let unknown =
            |found: String| Error::OutcomeUnknown(Cause::new(format!("{}; then {found}", describe("PutItem", put))));
        let read = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::flow_key(&flow.client, &flow.id)))
            .consistent_read(true)
            .send()
            .await;
        match read {
            Ok(output) if output.item().is_some() => Ok(()),
            Ok(_) => Err(unknown("GetItem: absent".to_owned())),
            Err(error) => Err(unknown(describe("GetItem", &error))),
        }
    }
}

/// An error after which the database is as it was before.
fn refused<E>(call: &str, error: &SdkError<E>) -> Error
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    let cause = Cause::new(describe(call, error));
    let unavailable = match error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(service) => {
            let throttled = matches!(
                service.err().code(),
                Some("ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded")
            );
            throttled || service.raw().status().is_server_error()
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
    unanswered: Arc<AtomicBool>,
}

impl Attempts {
    fn any_unanswered(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Err(error)) = context.output_or_error() else { return Ok(()) };
        let answered = context.response().is_some_and(|response| {
            // An error of the server says nothing about what it did before.
            error.is_operation_error() && !response.status().is_server_error()
        });
        let sent = error.is_timeout_error()
            || error.is_response_error()
            || error.is_operation_error()
            || error.as_connector_error().is_some_and(|error| !never_connected(error));
        if sent && !answered {
            self.unanswered.store(true, Ordering::Relaxed);
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
