//! Station 4, envelope: outcome or error → HTTP response, in the shape that API Gateway takes.
//!
//! Formats: "Output format of a Lambda function for proxy integration" (payload 1.0) and "Lambda function response for
//! format 2.0" in the API Gateway Developer Guide.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::cursor::{FlowCursor, PlaceCursor, ReleaseCursor, VersionCursor};
use crate::error::{Cause, Error};
use crate::etag::etag;
use crate::event::Event;
use crate::flow::{ChangeDocument, Document, Flow, Release, ReleaseDocument, Summary};
use crate::operations::Outcome;
use crate::problem::Problem;
use crate::size::MAX_RESPONSE;
use crate::store::{Entry, LiveFlows, Page, Releases, Versions};

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
    let release_etag = |release: &Release| ("ETag", etag(release.number).into());
    let etag = |flow: &Flow| ("ETag", etag(flow.summary.version).into());
    let location = |flow: &Flow| ("Location", format!("/v2/project-flows/{}", flow.summary.id.as_str()).into());
    let shown = |flow: &Flow| success(&Document::of_flow(flow), Beside::default());
    let live = |flow: &Flow, release: &Release| success(&Document::of_flow(flow), Beside::release(release));
    match outcome {
        Outcome::Created(flow) => (201, vec![location(flow), etag(flow)], shown(flow)),
        Outcome::Replayed(flow) => {
            (201, vec![("Idempotency-Replayed", "true".into()), location(flow), etag(flow)], shown(flow))
        }
        Outcome::WouldCreate(flow) => (200, vec![], success(&Document::of_flow(flow).without_id(), Beside::default())),
        Outcome::Newest(flow) => (200, vec![etag(flow)], shown(flow)),
        Outcome::NotModified(flow) => (304, vec![etag(flow)], String::new()),
        Outcome::WouldUpdate(flow) | Outcome::Past(flow) => (200, vec![], shown(flow)),
        Outcome::Version(flow) => {
            let change = Some(flow.change.document(flow.digest.as_ref()));
            (200, vec![], success(&Document::of_flow(flow), Beside { change, ..Beside::default() }))
        }
        Outcome::Deleted(flow) => (200, vec![], success(&Deleted::new(flow), Beside::default())),
        Outcome::Flows { page, limit } => {
            let documents: Vec<_> = page.summaries.iter().map(Document::of_summary).collect();
            (200, vec![], success(&documents, Pagination::of_flows(page, *limit).into()))
        }
        Outcome::Versions { page, limit } => {
            let entries: Vec<_> = page.entries.iter().map(version_document).collect();
            (200, vec![], success(&entries, Pagination::of_versions(page, *limit).into()))
        }
        Outcome::Diff(operations) => (200, vec![], success(operations, Beside::default())),
        Outcome::LiveFlows { page, limit } => {
            let entries: Vec<_> = page.entries.iter().map(live_document).collect();
            (200, vec![], success(&entries, Pagination::of_live(page, *limit).into()))
        }
        Outcome::Live(flow, release) => (200, vec![release_etag(release)], live(flow, release)),
        Outcome::LiveNotModified(_, release) => (304, vec![release_etag(release)], String::new()),
        Outcome::PastLive(flow, release) => (200, vec![], live(flow, release)),
        Outcome::Withdrawn(release) => (200, vec![], success(&(), Beside::release(release))),
        Outcome::Releases { page, limit } => {
            let entries: Vec<_> =
                page.entries.iter().map(|(release, until)| release.document(until.as_ref())).collect();
            (200, vec![], success(&entries, Pagination::of_releases(page, *limit).into()))
        }
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

/// A version in the list of a flow's versions.
fn version_document(Entry { summary, change, digest }: &Entry) -> Document<'_> {
    Document::of_summary(summary).with_change(change.document(digest.as_ref()))
}

/// A flow in the list of what is live.
fn live_document((summary, release): &(Summary, Release)) -> Document<'_> {
    Document::of_summary(summary).with_release(release.document(None))
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
        let last = page.entries.last().map(|entry| entry.summary.version);
        let next = last.filter(|last| *last > 1).map(|last| VersionCursor(last).encode());
        Self { page: None, limit, total: Some(page.total), pages: None, next }
    }

    fn of_live(page: &LiveFlows, limit: usize) -> Self {
        Self { page: None, limit, total: None, pages: None, next: page.next.as_ref().map(PlaceCursor::encode) }
    }

    fn of_releases(page: &Releases, limit: usize) -> Self {
        Self { page: None, limit, total: None, pages: None, next: page.next.as_ref().map(ReleaseCursor::encode) }
    }
}

/// What an answer has beside its data.
#[derive(Default)]
struct Beside<'outcome> {
    pagination: Option<Pagination>,
    change: Option<ChangeDocument<'outcome>>,
    release: Option<ReleaseDocument<'outcome>>,
}

impl<'outcome> Beside<'outcome> {
    fn release(release: &'outcome Release) -> Self {
        Self { release: Some(release.document(None)), ..Self::default() }
    }
}

impl From<Pagination> for Beside<'_> {
    fn from(pagination: Pagination) -> Self {
        Self { pagination: Some(pagination), ..Self::default() }
    }
}

fn success(data: &impl Serialize, beside: Beside<'_>) -> String {
    #[derive(Serialize)]
    struct Envelope<'outcome, T> {
        success: bool,
        data: &'outcome T,
        #[serde(skip_serializing_if = "Option::is_none")]
        pagination: Option<Pagination>,
        #[serde(skip_serializing_if = "Option::is_none")]
        change: Option<ChangeDocument<'outcome>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        release: Option<ReleaseDocument<'outcome>>,
    }
    let Beside { pagination, change, release } = beside;
    text(&Envelope { success: true, data, pagination, change, release })
}

/// Writing text into memory cannot fail.
fn text(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).unwrap_or_default()
}
