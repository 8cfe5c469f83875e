//! Several writes as one, tried again while others write the same items.
//!
//! `DynamoDB` finishes a stalled transaction by itself, some five seconds after it began. Until then it refuses the same
//! request with `TransactionInProgressException` and every other write of the same items with a conflict.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::{INITIAL_BACKOFF, Store, describe, is_about_size, item_too_large, map_error, on_heap};
use crate::error::{Cause, Error};
use crate::flow::random_text;
use crate::item::Item;

/// How long a request tries again while others write the same items: longer than a transaction can stall (5 s), and an
/// operation that is begun at its end still ends within the function's time.
const CONTENTION_TIME: Duration = Duration::from_secs(6);
/// The longest pause between two tries while others write the same items.
const CONTENTION_PAUSE: Duration = Duration::from_millis(100);
/// The pause between two tries while this very transaction is stalled.
const STALLED_PAUSE: Duration = Duration::from_millis(400);
/// How long a read is tried again that has met a transaction half-way.
const WINDOW_TIME: Duration = Duration::from_secs(2);
/// The longest pause between two such reads.
const WINDOW_PAUSE: Duration = Duration::from_millis(400);

/// The outcome of a transaction.
pub(super) enum Transacted {
    Done,
    /// Nothing is written: a condition failed.
    Refused(Refusal),
}

/// The first write of a transaction whose condition failed. Those of later writes may have failed too.
pub(super) struct Refusal {
    /// Its index.
    pub(super) write: usize,
    /// The item that it met, if the engine says so.
    pub(super) item: Option<Item>,
}

impl Store {
    /// Carries out all writes, or none.
    pub(super) async fn transact(
        &self,
        writes: &[TransactWriteItem],
        backoff: &mut Backoff,
    ) -> Result<Transacted, Error> {
        let mut token = random_text()?;
        loop {
            // All attempts with one request token are one transaction: only one of them can write.
            let transaction = self
                .client
                .transact_write_items()
                .client_request_token(&token)
                .set_transact_items(Some(writes.to_vec()))
                .send();
            let Err(error) = on_heap(transaction).await else { return Ok(Transacted::Done) };
            let cancelled = match (&error, error.as_service_error()) {
                (_, Some(TransactWriteItemsError::TransactionCanceledException(cancelled))) => cancelled,
                // It may have stalled. The same request finds it done once it is.
                (SdkError::TimeoutError(_), _)
                | (_, Some(TransactWriteItemsError::TransactionInProgressException(_)))
                    if backoff.wait_for(STALLED_PAUSE).await =>
                {
                    continue;
                }
                _ => return Err(map_error("TransactWriteItems", &error)),
            };
            match cancellation(cancelled.cancellation_reasons()) {
                Cancellation::Refused(refusal) => return Ok(Transacted::Refused(refusal)),
                Cancellation::TooLarge => return Err(item_too_large()),
                Cancellation::Contended if backoff.wait().await => token = random_text()?,
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
    Refused(Refusal),
    Contended,
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
    let is_contended = codes.iter().any(|code| *code == CONFLICT || THROTTLED.contains(code));
    let refused = reasons.iter().enumerate().find(|(_, reason)| reason.code() == FAILED);
    match refused {
        // The first write decides: whoever loses it to another write has nothing to wait for.
        Some((write, reason)) if write == 0 || !is_contended => {
            Cancellation::Refused(Refusal { write, item: reason.item.clone() })
        }
        _ if is_contended => Cancellation::Contended,
        _ if reasons.iter().any(|reason| reason.message().is_some_and(is_about_size)) => Cancellation::TooLarge,
        _ => Cancellation::Other(codes.join(", ")),
    }
}

/// Exponential backoff between the tries of one request, within a time of its own.
pub(super) struct Backoff {
    start: Instant,
    time: Duration,
    pause: Duration,
    longest: Duration,
}

impl Backoff {
    /// While others write the same items.
    pub(super) fn of_contention() -> Self {
        Self::new(CONTENTION_TIME, CONTENTION_PAUSE)
    }

    /// While a transaction is seen half-way.
    pub(super) fn of_window() -> Self {
        Self::new(WINDOW_TIME, WINDOW_PAUSE)
    }

    fn new(time: Duration, longest: Duration) -> Self {
        Self { start: Instant::now(), time, pause: INITIAL_BACKOFF, longest }
    }

    /// Waits before the next try; `false` at once when there is no time for one.
    pub(super) async fn wait(&mut self) -> bool {
        let pause = self.pause;
        self.pause = self.longest.min(pause * 2);
        self.start.elapsed() + pause < self.time && self.wait_for(jittered(pause)).await
    }

    /// The same, for a pause that is given.
    async fn wait_for(&self, pause: Duration) -> bool {
        let is_time = self.start.elapsed() + pause < self.time;
        if is_time {
            tokio::time::sleep(pause).await;
        }
        is_time
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
