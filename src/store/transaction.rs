//! Two writes as one, tried again while others write the same items.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::{INITIAL_BACKOFF, Store, describe, is_about_size, item_too_large, refused};
use crate::error::{Cause, Error};
use crate::item::Item;

/// How long a request tries again while others write the same items. An operation that is begun at its end
/// still ends within the function's time.
const CONTENTION_TIME: Duration = Duration::from_secs(6);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// What a transaction of two writes came to.
pub(super) enum Transacted {
    /// Both are written.
    Done,
    /// Neither is: the condition of the first failed, on this item where the engine says so. That of the second may
    /// have failed too.
    FirstFailed(Option<Item>),
    /// Neither is: the condition of the second failed, and no other.
    SecondFailed,
}

impl Store {
    /// Carries out both writes, or neither.
    pub(super) async fn transact(
        &self,
        writes: &[TransactWriteItem; 2],
        patience: &mut Patience,
    ) -> Result<Transacted, Error> {
        loop {
            // The SDK gives all attempts of one call the same request token: only one of them can write.
            let transaction = self.client.transact_write_items().set_transact_items(Some(writes.to_vec())).send();
            let Err(error) = Box::pin(transaction).await else { return Ok(Transacted::Done) };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(refused("TransactWriteItems", &error));
            };
            match cancellation(cancelled.cancellation_reasons()) {
                Cancellation::FirstFailed(item) => return Ok(Transacted::FirstFailed(item)),
                Cancellation::SecondFailed => return Ok(Transacted::SecondFailed),
                Cancellation::TooLarge => return Err(item_too_large()),
                Cancellation::Contended if patience.wait().await => {}
                Cancellation::Contended => {
                    return Err(Error::TemporarilyUnavailable(Cause::new(describe("TransactWriteItems", &error))));
                }
                Cancellation::Other(codes) => {
                    return Err(Error::Internal(Cause::new(format!("TransactWriteItems: cancelled, {codes}"))));
                }
            }
        }
    }
}

/// Why a transaction was cancelled.
enum Cancellation {
    FirstFailed(Option<Item>),
    Contended,
    SecondFailed,
    TooLarge,
    Other(String),
}

/// Whether a transaction was turned away because there were too many calls.
pub(super) fn is_throttled(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return false };
    let mut codes = cancelled.cancellation_reasons().iter().filter_map(CancellationReason::code);
    codes.any(|code| THROTTLED.contains(&code))
}

/// Among the codes that [`cancellation`] is about.
const THROTTLED: [&str; 2] = ["ProvisionedThroughputExceeded", "ThrottlingError"];

/// `TransactionCanceledException` in the Amazon DynamoDB API Reference names the codes.
fn cancellation(reasons: &[CancellationReason]) -> Cancellation {
    const FAILED: Option<&str> = Some("ConditionalCheckFailed");
    const CONFLICT: &str = "TransactionConflict";

    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
    match reasons {
        [first, _] if first.code() == FAILED => Cancellation::FirstFailed(first.item.clone()),
        _ if codes.iter().any(|code| *code == CONFLICT || THROTTLED.contains(code)) => Cancellation::Contended,
        [_, second] if second.code() == FAILED => Cancellation::SecondFailed,
        _ if reasons.iter().any(|reason| reason.message().is_some_and(is_about_size)) => Cancellation::TooLarge,
        _ => Cancellation::Other(codes.join(", ")),
    }
}

/// Pauses between the tries of one request, each up to twice as long as the one before.
pub(super) struct Patience {
    start: Instant,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { start: Instant::now(), pause: INITIAL_BACKOFF }
    }
}

impl Patience {
    /// Waits before the next try; `false` at once when there is no time for one.
    pub(super) async fn wait(&mut self) -> bool {
        if self.start.elapsed() + self.pause >= CONTENTION_TIME {
            return false;
        }
        tokio::time::sleep(jittered(self.pause)).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        true
    }
}

/// Any part of `pause`, so that those who met once do not meet again.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes there is no pause, which costs a try at worst.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    pause * u32::from(byte[0]) / 255
}

/// A request that the SDK finds incomplete: never met.
pub(super) fn incomplete() -> Error {
    Error::Internal(Cause::new("TransactWriteItems: incomplete"))
}
