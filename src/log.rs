//! One line of JSON a request: what was asked, what came of it, how long it took. Never a body or a token.
//!
//! The same line carries the metrics, in CloudWatch's embedded metric format ("Specification: Embedded metric format" in
//! the Amazon CloudWatch User Guide): CloudWatch Logs makes metrics of it, without an agent and without a call.
//!
//! It is written straight to its text. `tracing` would go the way of all its spans and layers for it; what it is there
//! for is the rare word of a library, and of a start that fails.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where the metrics are in CloudWatch.
pub const NAMESPACE: &str = "ProjectFlows";

/// The name of [`Line::duration_ms`] as a metric.
pub const DURATION: &str = "duration_ms";
/// What [`Line::duration_ms`] is kept by; its count is that of requests. A success has no `code`, and so not the last.
pub static DURATION_DIMENSIONS: [&[&str]; 3] =
    [&["FunctionName"], &["FunctionName", "http.route"], &["FunctionName", "http.route", "code"]];
/// What each of [`Counts`] is kept by.
pub static COUNT_DIMENSIONS: [&[&str]; 1] = [&["FunctionName"]];

/// Where lines go, and whose they are.
#[derive(Debug)]
pub struct Log {
    /// The name of the function, which tells its metrics from those of another stack.
    pub function: String,
    /// Writes a line.
    pub write: fn(&str),
}

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
    /// What is counted of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// The name of the function.
    #[serde(rename = "FunctionName")]
    pub function: &'request str,
    /// What CloudWatch is to make of the line.
    #[serde(rename = "_aws")]
    pub metrics: Metrics,
}

/// What is counted of a request; what is zero is not in its line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// The first request of a process.
    pub cold_starts: u32,
    /// A create that was answered with the first result.
    pub replays: u32,
    /// A request that was carried out although attempts of its calls to the database had failed.
    pub recovered_retries: u32,
    /// A write of which nobody knows whether it happened.
    pub unknown_outcomes: u32,
    /// Attempts that the database turned away as too many.
    pub throttles: u32,
}

impl Counts {
    /// All counts with the names that they have in the line and in CloudWatch.
    pub const fn named(&self) -> [(&'static str, u32); 5] {
        [
            ("cold_starts", self.cold_starts),
            ("replays", self.replays),
            ("recovered_retries", self.recovered_retries),
            ("unknown_outcomes", self.unknown_outcomes),
            ("throttles", self.throttles),
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
