//! Requests through a network and a database that fail. `make faults` prints the tables.

mod create;
mod update;
mod windows;

use std::time::Duration;

use crate::proxy::{Fault, Loss, When};

pub const fn lost(loss: Loss) -> Fault {
    Fault::Lost(When::AfterCommit, loss)
}

pub const fn unsent(loss: Loss) -> Fault {
    Fault::Lost(When::BeforeCommit, loss)
}

pub const fn throttled(code: &'static str) -> Fault {
    Fault::Error(400, code, "slow down")
}

pub const UNAVAILABLE: &str = "TEMPORARILY_UNAVAILABLE";
pub const UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// How long `DynamoDB` takes to finish a transaction that has stalled.
pub const STALL: Duration = Duration::from_secs(5);

/// More faults than there are attempts.
pub fn always(fault: Fault) -> Vec<Fault> {
    vec![fault; 1_000]
}
