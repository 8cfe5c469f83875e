//! Several writes as one, and how long a call tries again while others write the same items.
//!
//! `DynamoDB` finishes a stalled transaction by itself, some five seconds after it began. Until then it refuses the same
//! request with `TransactionInProgressException` and every other write of the same items with a conflict.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::{INITIAL_BACKOFF, Store, describe, map_error, on_heap};
use crate::error::{Cause, Error};
use crate::flow::random_text;
use crate::item::Item;

/// How long a request tries again while others write the same items: longer than a transaction can stall (5 s), and an
/// operation that is begun at its end still ends within the function's time.
const CONTENTION_TIME: Duration = Duration::from_secs(6);
/// The longest pause between two tries while others write the same items.
const CONTENTION_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries while a transaction of this very call is stalled.
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
    /// Others write the same items, or it has stalled. A new request may be carried out.
    Busy(Cause),
}

/// The first write of a transaction whose condition failed. Those of later writes may have failed too.
pub(super) struct Refusal {
    /// Its index.
    pub(super) write: usize,
    /// The item that it met, if the engine says so.
    pub(super) item: Option<Item>,
}

impl Store {
    /// Carries out all writes, or none: one request, whose token makes its attempts one transaction.
    pub(super) async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        backoff: &mut Backoff,
    ) -> Result<Transacted, Error> {
        let transaction = self
            .client
            .transact_write_items()
            .client_request_token(random_text()?)
            .set_transact_items(Some(writes))
            .send();
        let Err(error) = on_heap(transaction).await else { return Ok(Transacted::Done) };
        let busy = || Ok(Transacted::Busy(Cause::new(describe("TransactWriteItems", &error))));
        match (&error, error.as_service_error()) {
            (_, Some(TransactWriteItemsError::TransactionCanceledException(cancelled))) => {
                match cancellation(cancelled.cancellation_reasons()) {
                    Cancellation::Refused(refusal) => Ok(Transacted::Refused(refusal)),
                    Cancellation::Contended => busy(),
                    Cancellation::Other(codes) => {
                        Err(Error::Internal(Cause::new(format!("TransactWriteItems: cancelled, {codes}"))))
                    }
                }
            }
            (SdkError::TimeoutError(_), _) | (_, Some(TransactWriteItemsError::TransactionInProgressException(_))) => {
                backoff.expect_stall();
                busy()
            }
            _ => Err(map_error("TransactWriteItems", &error)),
        }
    }
}

/// Why a transaction was cancelled.
enum Cancellation {
    Refused(Refusal),
    Contended,
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

    /// From now on, longer pauses: this very transaction may have stalled.
    const fn expect_stall(&mut self) {
        (self.pause, self.longest) = (STALLED_PAUSE, STALLED_PAUSE);
    }

    /// Waits before the last look at what a stalled transaction has done.
    pub(super) async fn last_pause() {
        tokio::time::sleep(STALLED_PAUSE).await;
    }

    /// Waits before the next try; `false` at once when there is no time for one.
    pub(super) async fn wait(&mut self) -> bool {
        let pause = self.pause;
        self.pause = self.longest.min(pause * 2);
        let is_time = self.start.elapsed() + pause < self.time;
        if is_time {
            tokio::time::sleep(jittered(pause)).await;
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
