//! Watches the attempts that the SDK makes of one call: what it cannot tell is whether one without an answer has written.

use std::cell::Cell;
use std::error::Error as StdError;

use aws_sdk_dynamodb::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;

use super::sources;

tokio::task_local! {
    /// Attempts of the calls of this task that were begun and neither answered nor known to be unsent.
    static OPEN: Cell<u32>;
}

/// Whether an attempt was sent and had no answer.
///
/// Such an attempt may have written, or may still write, whatever the attempts after it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnyUnanswered(pub(super) bool);

/// What `calls` come to, and whether an attempt of theirs had no answer.
pub(super) fn watch<T>(calls: impl Future<Output = T>) -> impl Future<Output = (T, AnyUnanswered)> {
    // On the heap: its state would be held three times otherwise, here, in the scope and in whoever waits.
    let calls = Box::pin(calls);
    OPEN.scope(Cell::new(0), async {
        let outcome = calls.await;
        (outcome, AnyUnanswered(OPEN.with(Cell::get) > 0))
    })
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
        let _ = OPEN.try_with(|open| open.set(open.get() + 1));
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
            let _ = OPEN.try_with(|open| open.set(open.get().saturating_sub(1)));
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
