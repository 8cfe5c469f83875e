//! The table of operations, `tests/operations.json`: what goes over every operation reads it, the benchmarks too.
//!
//! The rows are the life of one flow, so their order matters, and each succeeds.

use serde::Deserialize;

use super::{Request, event};

/// A request to an operation that succeeds after those before it.
#[derive(Deserialize)]
pub struct Operation {
    /// As in `GET /v2/project-flows/{id}`.
    pub route: String,
    /// The file in `events/` that has the request.
    pub event: String,
    /// The scope that a token needs where every permission has one.
    pub scope: String,
    /// Its calls to the database.
    pub calls: String,
}

impl Operation {
    pub fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("../../operations.json")).expect("a table of operations")
    }

    /// Its request, of [`CLIENT`](super::CLIENT).
    pub fn request(&self) -> Request {
        Request::from_event(&event(&self.event))
    }
}
