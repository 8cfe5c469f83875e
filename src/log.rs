//! One line of JSON a request: what was asked, what came of it, how long it took. Never a body or a token.
//!
//! The same line carries the metrics, in CloudWatch's embedded metric format ("Specification: Embedded metric format" in
//! the Amazon CloudWatch User Guide): CloudWatch Logs makes metrics of it, without an agent and without a call.
//!
//! The line is written directly as text, which is faster than `tracing` with its spans and layers. `tracing` is for the rare
//! messages of libraries and of a failed start.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::answer::Answer;
use crate::caller::Caller;
use crate::error::{Cause, Error};
use crate::flow::FlowId;
use crate::operations::Target;
use crate::store::FailedAttempts;

/// Where the metrics are in CloudWatch.
pub const NAMESPACE: &str = "ProjectFlows";

/// The name of `duration_ms` as a metric.
pub const DURATION: &str = "duration_ms";
/// The dimensions of `duration_ms`, whose count is the number of requests. A success has no `code`, so it lacks the last.
pub static DURATION_DIMENSIONS: [&[&str]; 3] =
    [&["FunctionName"], &["FunctionName", "http.route"], &["FunctionName", "http.route", "code"]];
/// The dimensions of each of [`Counts`].
pub static COUNT_DIMENSIONS: [&[&str]; 1] = [&["FunctionName"]];

/// Where lines go, and the function that writes them.
#[derive(Debug)]
pub struct Log {
    /// The name of the function, which tells its metrics from those of another stack.
    pub function: String,
    pub write: fn(&str),
}

impl Log {
    /// Writes the line of a request.
    pub fn write(&self, request: &Request<'_>) {
        let answer = request.result.as_ref().ok();
        let error = request.result.as_ref().err();
        let flow = answer.and_then(|answer| answer.flow.as_ref());
        let named = if flow.is_none() { request.target.and_then(Target::flow_id) } else { None };
        let counts = Counts {
            cold_starts: request.is_cold.into(),
            replays: answer.is_some_and(|answer| answer.is_replay).into(),
            recovered_retries: (answer.is_some() && request.failed_attempts.any()).into(),
            unknown_outcomes: matches!(error, Some(Error::OutcomeUnknown(_))).into(),
            throttles: request.failed_attempts.throttled,
            key_fetch_failures: request.failed_attempts.key_fetches,
        };
        let now = SystemTime::now();
        let line = Line {
            timestamp: OffsetDateTime::from(now).format(&Rfc3339).unwrap_or_default(),
            level: "INFO",
            request_id: request.id,
            route: request.target.map_or_else(|| "none".to_owned(), |target| target.route().to_string()),
            status: request.status,
            code: error.map(|error| error.failure().code),
            cause: error.and_then(Error::cause).map(Cause::as_str),
            client: request.caller.map(|caller| caller.client.as_str()),
            flow_id: flow.map(|(id, _)| id).or(named.as_ref()).map(FlowId::as_str),
            flow_version: flow.map(|(_, version)| *version),
            duration_ms: request.start.elapsed().as_secs_f64() * 1_000.0,
            cold_start: request.is_cold,
            counts,
            function: &self.function,
            metrics: Metrics::new(now, error.is_some(), &counts),
        };
        // Serializing it cannot fail.
        (self.write)(&serde_json::to_string(&line).unwrap_or_default());
    }
}

/// What is known of a request when it has been answered.
pub struct Request<'request> {
    pub id: &'request str,
    pub target: Option<&'request Target<'request>>,
    pub caller: Option<&'request Caller>,
    pub result: &'request Result<Answer, Error>,
    pub status: u16,
    pub failed_attempts: FailedAttempts,
    pub is_cold: bool,
    pub start: Instant,
}

/// A line, as it is written.
#[derive(Serialize)]
struct Line<'request> {
    timestamp: String,
    /// `INFO`, as the lines of `tracing` have it.
    level: &'static str,
    #[serde(rename = "request.id")]
    request_id: &'request str,
    #[serde(rename = "http.route")]
    route: String,
    #[serde(rename = "http.status")]
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'request str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'request str>,
    #[serde(rename = "flow.id", skip_serializing_if = "Option::is_none")]
    flow_id: Option<&'request str>,
    /// The version of it that is in the answer.
    #[serde(rename = "flow.version", skip_serializing_if = "Option::is_none")]
    flow_version: Option<u64>,
    /// From the event to the answer, in milliseconds.
    duration_ms: f64,
    cold_start: bool,
    #[serde(flatten)]
    counts: Counts,
    #[serde(rename = "FunctionName")]
    function: &'request str,
    #[serde(rename = "_aws")]
    metrics: Metrics,
}

/// The counts of a request. The line leaves out those that are zero.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub cold_starts: u32,
    /// A create that was answered with the first result.
    pub replays: u32,
    /// A request that was carried out although attempts of its calls to the database had failed.
    pub recovered_retries: u32,
    /// A write whose outcome is unknown.
    pub unknown_outcomes: u32,
    /// Attempts that the database throttled.
    pub throttles: u32,
    /// Fetches of the issuer's keys that failed.
    pub key_fetch_failures: u32,
}

impl Counts {
    /// All counts with the names that they have in the line and in CloudWatch.
    pub const fn named(&self) -> [(&'static str, u32); 6] {
        [
            ("cold_starts", self.cold_starts),
            ("replays", self.replays),
            ("recovered_retries", self.recovered_retries),
            ("unknown_outcomes", self.unknown_outcomes),
            ("throttles", self.throttles),
            ("key_fetch_failures", self.key_fetch_failures),
        ]
    }

    fn met(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.named().into_iter().filter(|(_, count)| *count > 0)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, count) in self.met() {
            map.serialize_entry(name, &count)?;
        }
        map.end()
    }
}

/// The member `_aws` of a line: which of the others are metrics, and of what.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Metrics {
    /// Milliseconds since 1970.
    timestamp: u128,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: &'static [&'static [&'static str]],
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Metrics {
    /// The metrics of a request that ended at `now`: its duration, and what is counted of it.
    pub fn new(now: SystemTime, has_code: bool, counts: &Counts) -> Self {
        let (without_code, _) = DURATION_DIMENSIONS.split_at(2);
        let duration = Directive {
            namespace: NAMESPACE,
            dimensions: if has_code { &DURATION_DIMENSIONS } else { without_code },
            metrics: vec![Metric { name: DURATION, unit: "Milliseconds" }],
        };
        let metrics: Vec<_> = counts.met().map(|(name, _)| Metric { name, unit: "Count" }).collect();
        let counts = Directive { namespace: NAMESPACE, dimensions: &COUNT_DIMENSIONS, metrics };
        let directives = if counts.metrics.is_empty() { vec![duration] } else { vec![duration, counts] };
        Self { timestamp: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis(), directives }
    }
}
