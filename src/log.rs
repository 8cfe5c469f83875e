//! One line of JSON a request: what was asked, what came of it, how long it took. Never a body or a token.
//!
//! It is written straight to its text. `tracing` would go the way of all its spans and layers for it; what it is there
//! for is the rare word of a library, and of a start that fails.

use std::time::SystemTime;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is known of a request when it has been answered.
#[derive(Debug, Serialize)]
pub struct Line<'request> {
    /// When, in RFC 3339.
    pub timestamp: String,
    /// `INFO`, as the lines of `tracing` have it.
    pub level: &'static str,
    /// The gateway's id of the request.
    #[serde(rename = "request.id")]
    pub request_id: &'request str,
    /// As in `GET /v2/project-flows/{id}`.
    #[serde(rename = "http.route")]
    pub route: &'static str,
    /// The status of the answer.
    #[serde(rename = "http.status")]
    pub status: u16,
    /// The code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The cause of a failure, where there is more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'request str>,
    /// Who asked, where that is proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'request str>,
    /// The flow that it is about.
    #[serde(rename = "flow.id", skip_serializing_if = "Option::is_none")]
    pub flow_id: Option<&'request str>,
    /// The version of it that is in the answer.
    #[serde(rename = "flow.version", skip_serializing_if = "Option::is_none")]
    pub flow_version: Option<u64>,
    /// From the event to the answer, in milliseconds.
    pub duration_ms: f64,
    /// Whether it was the first of its process.
    pub cold_start: bool,
}

impl Line<'_> {
    /// The line, without its end.
    pub fn text(&self) -> String {
        // Nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The moment, as a line has it.
pub fn timestamp(now: SystemTime) -> String {
    OffsetDateTime::from(now).format(&Rfc3339).unwrap_or_default()
}
