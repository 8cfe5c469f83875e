//! Station 4, envelope: outcome or error → HTTP response, in the shape that API Gateway takes.
//!
//! Formats: "Output format of a Lambda function for proxy integration" (payload 1.0) and "Lambda function response for
//! format 2.0" in the API Gateway Developer Guide.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::cursor::{FlowCursor, VersionCursor};
use crate::diff::Operation;
use crate::error::{Cause, Error, Problem};
use crate::etag::etag;
use crate::event::Event;
use crate::flow::content::Description;
use crate::flow::{Flow, Summary};
use crate::size::RESPONSE_LIMIT;
use crate::store::{Page, Versions};

/// What a request led to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The flow that was created.
    Created(Flow),
    /// The flow that was created when the same request came first, as it was then.
    Replayed(Flow),
    /// The flow that would be created.
    WouldCreate(Flow),
    /// The flow at its newest version, which the request may have written.
    Newest(Flow),
    /// The client knows the newest version of the flow already.
    NotModified(Flow),
    /// The flow as the request would leave it.
    WouldUpdate(Flow),
    /// The flow as it was.
    Past(Flow),
    /// The version that deleted the flow.
    Deleted(Flow),
    /// A page of the client's flows.
    Flows {
        /// The flows.
        page: Page,
        /// The most flows of a page.
        limit: usize,
    },
    /// A page of a flow's versions.
    Versions {
        /// The versions.
        page: Versions,
        /// The most versions of a page.
        limit: usize,
    },
    /// What changed between two versions.
    Diff(Vec<Operation>),
}

impl Outcome {
    /// The one flow of the table that it shows.
    pub const fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Created(flow)
            | Self::Replayed(flow)
            | Self::Newest(flow)
            | Self::NotModified(flow)
            | Self::Past(flow)
            | Self::Deleted(flow) => Some(flow),
            Self::WouldCreate(_)
            | Self::WouldUpdate(_)
            | Self::Flows { .. }
            | Self::Versions { .. }
            | Self::Diff(_) => None,
        }
    }
}

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
    /// The response to `event`, the request with this id.
    pub fn new(result: &Result<Outcome, Error>, event: &Event, request_id: &str) -> Self {
        let mut headers: Vec<Header> = vec![
            ("Content-Type", "application/json".into()),
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
            ("X-Request-Id", request_id.to_owned().into()),
        ];
        let (status_code, body) = match result {
            Ok(outcome) => {
                headers.extend(headers_of(outcome));
                (status(outcome), body(outcome))
            }
            Err(error) => {
                headers.extend(headers_of_error(error));
                (error.status(), failure(error))
            }
        };
        Self {
            status_code,
            headers: Headers(headers),
            cookies: event.is_payload_2().then_some([]),
            body,
            is_base64_encoded: false,
        }
    }

    /// Whether Lambda takes the response. The store and the diff stay below that, so this is the last guard.
    ///
    /// # Errors
    ///
    /// The response has more bytes than [`RESPONSE_LIMIT`].
    pub fn check_size(&self) -> Result<(), Cause> {
        // JSON has no control characters but white space, so escapes double it at most.
        if self.body.len() <= RESPONSE_LIMIT / 4 {
            return Ok(());
        }
        match text(self).len() {
            0..=RESPONSE_LIMIT => Ok(()),
            found => Err(Cause::new(format!("reply: expected at most {RESPONSE_LIMIT} bytes, found {found}"))),
        }
    }

    /// The status (RFC 9110, 15).
    pub const fn status(&self) -> u16 {
        self.status_code
    }
}

const fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Outcome::Created(_) | Outcome::Replayed(_) => 201,
        Outcome::WouldCreate(_)
        | Outcome::Newest(_)
        | Outcome::WouldUpdate(_)
        | Outcome::Past(_)
        | Outcome::Deleted(_)
        | Outcome::Flows { .. }
        | Outcome::Versions { .. }
        | Outcome::Diff(_) => 200,
        Outcome::NotModified(_) => 304,
    }
}

type Header = (&'static str, Cow<'static, str>);

fn headers_of(outcome: &Outcome) -> Vec<Header> {
    let etag = |flow: &Flow| ("ETag", etag(flow.version).into());
    let location = |flow: &Flow| ("Location", format!("/v2/project-flows/{}", flow.id.as_str()).into());
    match outcome {
        Outcome::Created(flow) => vec![location(flow), etag(flow)],
        Outcome::Replayed(flow) => vec![("Idempotency-Replayed", "true".into()), location(flow), etag(flow)],
        Outcome::Newest(flow) | Outcome::NotModified(flow) => vec![etag(flow)],
        Outcome::WouldCreate(_)
        | Outcome::WouldUpdate(_)
        | Outcome::Past(_)
        | Outcome::Deleted(_)
        | Outcome::Flows { .. }
        | Outcome::Versions { .. }
        | Outcome::Diff(_) => Vec::new(),
    }
}

fn headers_of_error(error: &Error) -> Option<Header> {
    match error {
        // RFC 6750, 3: a challenge without an error where there was no token.
        Error::MissingToken => Some(("WWW-Authenticate", "Bearer".into())),
        Error::InvalidToken(_) => Some(("WWW-Authenticate", "Bearer error=\"invalid_token\"".into())),
        Error::MethodNotAllowed { allow } => Some(("Allow", allow.clone().into())),
        Error::TemporarilyUnavailable(_) | Error::OutcomeUnknown(_) => Some(("Retry-After", "1".into())),
        Error::RouteNotFound
        | Error::UnsupportedMediaType(_)
        | Error::InvalidBodyEncoding
        | Error::InvalidIdempotencyKey
        | Error::InvalidEtag
        | Error::ProjectFlowNotFound
        | Error::PreconditionFailed { .. }
        | Error::VersionConflict { .. }
        | Error::FlowIsActive
        | Error::FlowTooLarge(_)
        | Error::IdempotencyKeyReused
        | Error::Invalid(_)
        | Error::Internal(_) => None,
    }
}

fn body(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Created(flow)
        | Outcome::Replayed(flow)
        | Outcome::Newest(flow)
        | Outcome::WouldUpdate(flow)
        | Outcome::Past(flow) => success(&Document::of_flow(flow, Some(flow.id.as_str())), None),
        Outcome::WouldCreate(flow) => success(&Document::of_flow(flow, None), None),
        Outcome::NotModified(_) => String::new(),
        Outcome::Deleted(flow) => success(&Deleted::new(flow), None),
        Outcome::Flows { page, limit } => {
            let documents: Vec<_> = page.summaries.iter().map(Document::of_summary).collect();
            success(&documents, Some(Pagination::of_flows(page, *limit)))
        }
        Outcome::Versions { page, limit } => {
            let documents: Vec<_> = page.summaries.iter().map(Document::of_summary).collect();
            success(&documents, Some(Pagination::of_versions(page, *limit)))
        }
        Outcome::Diff(operations) => success(operations, None),
    }
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
    fn of_flow(flow: &'flow Flow, id: Option<&'flow str>) -> Self {
        let content = &flow.content;
        Self {
            id,
            project: content.project.as_str(),
            r#type: content.flow_type.as_str(),
            status: flow.status.as_str(),
            version: flow.version,
            name: content.name.as_str(),
            description: content.description.as_ref().map(Description::as_str),
            configuration: Some(content.configuration.as_raw()),
            steps: Some(content.steps.as_raw()),
            client: flow.client.as_str(),
            created_at: flow.created_at.as_str(),
            updated_at: flow.updated_at.as_str(),
        }
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
///
/// # Errors
///
/// None that a flow could cause.
pub fn document(flow: &Flow) -> Result<Box<RawValue>, Cause> {
    to_raw_value(&Document::of_flow(flow, Some(flow.id.as_str()))).map_err(|error| Cause::new(error.to_string()))
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
        Self { id: flow.id.as_str(), status: flow.status.as_str(), version: flow.version }
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

fn failure(error: &Error) -> String {
    #[derive(Serialize)]
    struct Failure<'error> {
        error: Cow<'error, str>,
        message: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<Cow<'error, Problem>>,
    }
    let details = match error {
        Error::Invalid(problems) => problems.details(),
        _ => Vec::new(),
    };
    text(&Failure { error: error.sentence(), message: error.code(), details })
}

/// Writing text into memory cannot fail.
fn text(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).unwrap_or_default()
}
