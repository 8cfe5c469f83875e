//! Station 4, envelope: outcome or error → HTTP response, in the shape that API Gateway takes.
//!
//! Formats: "Output format of a Lambda function for proxy integration" (payload 1.0) and "Lambda function response for
//! format 2.0" in the API Gateway Developer Guide.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::cursor::{FlowCursor, VersionCursor};
use crate::error::{Cause, Error};
use crate::etag::etag;
use crate::event::Event;
use crate::flow::members::Description;
use crate::flow::{Flow, Summary};
use crate::operations::Outcome;
use crate::problem::Problem;
use crate::size::MAX_RESPONSE;
use crate::store::{Page, Versions};

/// An HTTP response.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    status_code: u16,
    headers: Headers,
    /// A REST API refuses a response with this member, and `cargo lambda watch` one of an HTTP API without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[(); 0]>,
    body: String,
    is_base64_encoded: bool,
}

type Header = (&'static str, Cow<'static, str>);

#[derive(Debug, Clone)]
struct Headers(Vec<Header>);

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Reply {
    /// The response to `event`, the request with this id, and what it says. Where Lambda would refuse the response, that is
    /// an internal error: the store and the diff stay below the limit, so this is the last guard.
    pub fn new(result: Result<Outcome, Error>, event: &Event, request_id: &str) -> (Self, Result<Outcome, Error>) {
        let reply = Self::unguarded(&result, event, request_id);
        match reply.check_size() {
            Ok(()) => (reply, result),
            Err(cause) => {
                let result = Err(cause.into());
                (Self::unguarded(&result, event, request_id), result)
            }
        }
    }

    fn unguarded(result: &Result<Outcome, Error>, event: &Event, request_id: &str) -> Self {
        let (status_code, own_headers, body) = match result {
            Ok(outcome) => succeed(outcome),
            Err(error) => fail(error),
        };
        let mut headers: Vec<Header> = vec![
            ("Content-Type", "application/json".into()),
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
            ("X-Request-Id", request_id.to_owned().into()),
        ];
        headers.extend(own_headers);
        Self {
            status_code,
            headers: Headers(headers),
            cookies: event.is_payload_2().then_some([]),
            body,
            is_base64_encoded: false,
        }
    }

    fn check_size(&self) -> Result<(), Cause> {
        // JSON has no control characters but white space, so escapes double it at most.
        if self.body.len() <= MAX_RESPONSE / 4 {
            return Ok(());
        }
        match text(self).len() {
            0..=MAX_RESPONSE => Ok(()),
            found => Err(Cause::new(format!("reply: expected at most {MAX_RESPONSE} bytes, found {found}"))),
        }
    }

    pub const fn status(&self) -> u16 {
        self.status_code
    }
}

/// A response's status, its headers beside those that all have, and its body.
type Parts = (u16, Vec<Header>, String);

fn succeed(outcome: &Outcome) -> Parts {
    let etag = |flow: &Flow| ("ETag", etag(flow.summary.version).into());
    let location = |flow: &Flow| ("Location", format!("/v2/project-flows/{}", flow.summary.id.as_str()).into());
    let shown = |flow: &Flow| success(&Document::of_flow(flow), None);
    match outcome {
        Outcome::Created(flow) => (201, vec![location(flow), etag(flow)], shown(flow)),
        Outcome::Replayed(flow) => {
            (201, vec![("Idempotency-Replayed", "true".into()), location(flow), etag(flow)], shown(flow))
        }
        Outcome::WouldCreate(flow) => (200, vec![], success(&Document { id: None, ..Document::of_flow(flow) }, None)),
        Outcome::Newest(flow) => (200, vec![etag(flow)], shown(flow)),
        Outcome::NotModified(flow) => (304, vec![etag(flow)], String::new()),
        Outcome::WouldUpdate(flow) | Outcome::Past(flow) => (200, vec![], shown(flow)),
        Outcome::Deleted(flow) => (200, vec![], success(&Deleted::new(flow), None)),
        Outcome::Flows { page, limit } => {
            let documents: Vec<_> = page.summaries.iter().map(Document::of_summary).collect();
            (200, vec![], success(&documents, Some(Pagination::of_flows(page, *limit))))
        }
        Outcome::Versions { page, limit } => {
            let documents: Vec<_> = page.summaries.iter().map(Document::of_summary).collect();
            (200, vec![], success(&documents, Some(Pagination::of_versions(page, *limit))))
        }
        Outcome::Diff(operations) => (200, vec![], success(operations, None)),
        Outcome::Preflight { allow } => (204, vec![("Allow", allow.clone().into())], String::new()),
    }
}

fn fail(error: &Error) -> Parts {
    #[derive(Serialize)]
    struct Envelope<'error> {
        error: &'static str,
        message: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<Cow<'error, Problem>>,
    }
    let failure = error.failure();
    let headers = failure.header.map(|(name, value)| (name, value.into_owned().into()));
    let body = text(&Envelope { error: failure.title, message: failure.code, details: failure.details });
    (failure.status, headers.into_iter().collect(), body)
}

/// A flow as the API page shows it, its members in the same order; a summary has no `configuration` and `steps`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'flow> {
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'flow str>,
    project: &'flow str,
    r#type: &'static str,
    status: &'static str,
    version: u64,
    name: &'flow str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'flow str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<&'flow RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'flow RawValue>,
    client: &'flow str,
    created_at: &'flow str,
    updated_at: &'flow str,
}

impl<'flow> Document<'flow> {
    fn of_flow(flow: &'flow Flow) -> Self {
        let (configuration, steps) = (Some(flow.configuration.as_raw()), Some(flow.steps.as_raw()));
        Self { configuration, steps, ..Self::of_summary(&flow.summary) }
    }

    fn of_summary(summary: &'flow Summary) -> Self {
        Self {
            id: Some(summary.id.as_str()),
            project: summary.project.as_str(),
            r#type: summary.flow_type.as_str(),
            status: summary.status.as_str(),
            version: summary.version,
            name: summary.name.as_str(),
            description: summary.description.as_ref().map(Description::as_str),
            configuration: None,
            steps: None,
            client: summary.client.as_str(),
            created_at: summary.created_at.as_str(),
            updated_at: summary.updated_at.as_str(),
        }
    }
}

/// The document of a flow as text, as its operations answer it.
pub fn document(flow: &Flow) -> Result<Box<RawValue>, Cause> {
    to_raw_value(&Document::of_flow(flow)).map_err(|error| Cause::new(error.to_string()))
}

/// What is left of a flow that was deleted.
#[derive(Serialize)]
struct Deleted<'flow> {
    #[serde(rename = "_id")]
    id: &'flow str,
    status: &'static str,
    version: u64,
}

impl<'flow> Deleted<'flow> {
    fn new(flow: &'flow Flow) -> Self {
        Self { id: flow.summary.id.as_str(), status: flow.summary.status.as_str(), version: flow.summary.version }
    }
}

/// Where a page stands, and where the next one begins.
#[derive(Serialize)]
struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Pagination {
    fn of_flows(page: &Page, limit: usize) -> Self {
        Self {
            page: page.totals.map(|totals| totals.page),
            limit,
            total: page.totals.map(|totals| totals.total),
            pages: page.totals.map(|totals| totals.total.div_ceil(limit as u64)),
            next: page.next.as_ref().map(FlowCursor::encode),
        }
    }

    fn of_versions(page: &Versions, limit: usize) -> Self {
        let last = page.summaries.last().map(|summary| summary.version);
        let next = last.filter(|last| *last > 1).map(|last| VersionCursor(last).encode());
        Self { page: None, limit, total: Some(page.total), pages: None, next }
    }
}

fn success(data: &impl Serialize, pagination: Option<Pagination>) -> String {
    #[derive(Serialize)]
    struct Envelope<'data, T> {
        success: bool,
        data: &'data T,
        #[serde(skip_serializing_if = "Option::is_none")]
        pagination: Option<Pagination>,
    }
    text(&Envelope { success: true, data, pagination })
}

/// Writing text into memory cannot fail.
fn text(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).unwrap_or_default()
}
