//! Counts the attempts of each call to the database, of which the SDK tells only how the last one ended, and the fetches of
//! keys. Says which attempts are worth another one, beside those that the SDK knows.

use std::cell::Cell;
use std::error::Error as StdError;

use aws_sdk_dynamodb::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_sdk_dynamodb::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, ErrorMetadata};
use aws_sdk_dynamodb::operation::get_item::GetItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_smithy_runtime_api::client::interceptors::context;

use super::transaction::is_throttled;
use super::{THROTTLING, on_heap, sources};

tokio::task_local! {
    /// The attempts of all calls of this task.
    static ATTEMPTS: Counts;
}

#[derive(Default)]
struct Counts {
    failed: Cell<FailedAttempts>,
    /// Those that were begun and neither answered nor known to be unsent.
    open: Cell<u32>,
}

/// Whether an attempt was sent and had no answer.
///
/// Such an attempt may have written, or may still write, whatever the attempts after it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnyUnanswered(pub(super) bool);

/// Attempts without a proper answer. A condition that is not met is a proper answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailedAttempts {
    /// Those that the database throttled.
    pub throttled: u32,
    /// All others: no answer, or an error of the server.
    pub other: u32,
    /// Fetches of an issuer's keys, which no attempt of the database is.
    pub key_fetches: u32,
}

impl FailedAttempts {
    /// Whether the database failed any.
    pub const fn any(self) -> bool {
        self.throttled > 0 || self.other > 0
    }
}

/// The result of `calls`, and their failed attempts.
pub fn count_failed_attempts<T>(calls: impl Future<Output = T>) -> impl Future<Output = (T, FailedAttempts)> {
    let calls = on_heap(calls);
    ATTEMPTS.scope(Counts::default(), async { (calls.await, ATTEMPTS.with(|counts| counts.failed.get())) })
}

/// The result of `calls`, and whether one of their attempts had no answer. If nobody counts, one may have had none.
pub(super) async fn watch<T>(calls: impl Future<Output = T>) -> (T, AnyUnanswered) {
    let open = || ATTEMPTS.try_with(|counts| counts.open.get());
    let before = open();
    let outcome = on_heap(calls).await;
    let is_answered = matches!((before, open()), (Ok(before), Ok(after)) if after <= before);
    (outcome, AnyUnanswered(!is_answered))
}

/// The result of a fetch of keys. It counts as failed unless it succeeds, so also if it is cut off.
pub async fn watch_key_fetch<T, E>(fetch: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let change = |change: fn(u32) -> u32| {
        let changed = |failed: FailedAttempts| FailedAttempts { key_fetches: change(failed.key_fetches), ..failed };
        let _ = ATTEMPTS.try_with(|counts| counts.failed.update(changed));
    };
    change(|fetches| fetches + 1);
    let result = fetch.await;
    if result.is_ok() {
        change(|fetches| fetches.saturating_sub(1));
    }
    result
}

/// Counts the attempts of all calls of a client, for the task that watches them.
#[derive(Debug)]
pub(super) struct Attempts;

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
        let _ = ATTEMPTS.try_with(|counts| counts.open.update(|open| open + 1));
        Ok(())
    }

    /// Also called when a timeout ends the attempt. The error is then that timeout, so the attempt stays
    /// open.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Only a refusal (4xx) proves that nothing was done. An error of the server does not, and neither does an unreadable
        // success, which the SDK reports as an error of the operation too.
        let refused = context.response().is_some_and(|response| response.status().is_client_error());
        let (closed, failed) = match context.output_or_error() {
            Some(Ok(_)) => (true, FailedAttempts::default()),
            Some(Err(error)) => match error.as_operation_error() {
                Some(error) if refused => {
                    let code = metadata(error).and_then(ErrorMetadata::code);
                    let throttled = code.is_some_and(|code| THROTTLING.contains(&code))
                        || error.downcast_ref().is_some_and(is_throttled);
                    (true, FailedAttempts { throttled: throttled.into(), ..FailedAttempts::default() })
                }
                Some(_) => (false, FailedAttempts { other: 1, ..FailedAttempts::default() }),
                None => {
                    let unsent = error.as_connector_error().is_some_and(|error| never_connected(error));
                    (unsent, FailedAttempts { other: 1, ..FailedAttempts::default() })
                }
            },
            None => (false, FailedAttempts::default()),
        };
        let _ = ATTEMPTS.try_with(|counts| {
            counts.failed.update(|all| FailedAttempts {
                throttled: all.throttled + failed.throttled,
                other: all.other + failed.other,
                ..all
            });
            // An attempt that failed before it was sent was never open.
            counts.open.update(|open| open.saturating_sub(closed.into()));
        });
        Ok(())
    }
}

/// What the database says of a call that it refuses.
fn metadata(error: &context::Error) -> Option<&ErrorMetadata> {
    None.or_else(|| Some(error.downcast_ref::<GetItemError>()?.meta()))
        .or_else(|| Some(error.downcast_ref::<PutItemError>()?.meta()))
        .or_else(|| Some(error.downcast_ref::<QueryError>()?.meta()))
        .or_else(|| Some(error.downcast_ref::<TransactWriteItemsError>()?.meta()))
}

/// Tries again after a signature that has expired, or is not valid yet: the clock has jumped, or the function was frozen
/// between signing and sending. Nothing was done. The SDK tries again only if the answer's `Date` is four minutes away from
/// the time of the request, which it is not after a frozen request, and not after the SDK has just corrected its clock.
#[derive(Debug)]
pub(super) struct ClockJumps;

impl ClassifyRetry for ClockJumps {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(|outcome| outcome.err()?.as_operation_error());
        if error.and_then(metadata).is_some_and(is_clock_jump) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "ClockJumps"
    }
}

/// Whether a call was refused for the time of its signature ("Troubleshoot Signature Version 4 signing for AWS API requests"
/// in the AWS Identity and Access Management User Guide). The same code says that the secret is wrong.
pub(super) fn is_clock_jump(error: &ErrorMetadata) -> bool {
    let says = |text| error.message().is_some_and(|message| message.contains(text));
    match error.code() {
        Some("InvalidSignatureException" | "SignatureDoesNotMatch") => {
            says("Signature expired") || says("Signature not yet current")
        }
        Some(code) => ["RequestExpired", "RequestTimeTooSkewed"].contains(&code),
        None => false,
    }
}

/// Whether there was never a connection, so that nothing was sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    sources(error)
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect)
}
