//! Station 4, envelope: outcome or error → HTTP response, in the shape that API Gateway takes.
//!
//! Formats: "Output format of a Lambda function for proxy integration" (payload 1.0) and "Lambda function response for
//! format 2.0" in the API Gateway Developer Guide.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, Problem};
use crate::event::Event;
use crate::flow::Flow;
use crate::flow::content::Description;

/// What a request led to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The flow that was created.
    Created(Flow),
    /// The flow that was created when the same request came first, as it was then.
    Replayed(Flow),
    /// The flow that would be created.
    WouldCreate(Flow),
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
struct Headers(Vec<(&'static str, Cow<'static, str>)>);

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
        let mut headers: Vec<(&'static str, Cow<'static, str>)> = vec![
            ("Content-Type", "application/json".into()),
            ("Cache-Control", "no-store".into()),
            ("X-Content-Type-Options", "nosniff".into()),
            ("X-Request-Id", request_id.to_owned().into()),
        ];
        let (status_code, body) = match result {
            Ok(outcome @ (Outcome::Created(flow) | Outcome::Replayed(flow))) => {
                if matches!(outcome, Outcome::Replayed(_)) {
                    headers.push(("Idempotency-Replayed", "true".into()));
                }
                headers.push(("Location", format!("/v2/project-flows/{}", flow.id.as_str()).into()));
                headers.push(("ETag", format!("\"{}\"", flow.version).into()));
                (201, success(&Document::new(flow, Some(flow.id.as_str()))))
            }
            Ok(Outcome::WouldCreate(flow)) => (200, success(&Document::new(flow, None))),
            Err(error) => {
                match error {
                    // RFC 6750, 3: a challenge without an error where there was no token.
                    Error::MissingToken => headers.push(("WWW-Authenticate", "Bearer".into())),
                    Error::InvalidToken(_) => {
                        headers.push(("WWW-Authenticate", "Bearer error=\"invalid_token\"".into()));
                    }
                    Error::MethodNotAllowed { allow } => headers.push(("Allow", (*allow).into())),
                    Error::TemporarilyUnavailable(_) | Error::OutcomeUnknown(_) => {
                        headers.push(("Retry-After", "1".into()));
                    }
                    Error::RouteNotFound
                    | Error::UnsupportedMediaType(_)
                    | Error::InvalidBodyEncoding
                    | Error::InvalidIdempotencyKey
                    | Error::FlowTooLarge(_)
                    | Error::IdempotencyKeyReused
                    | Error::Invalid(_)
                    | Error::Internal(_) => {}
                }
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

    /// The status (RFC 9110, 15).
    pub const fn status(&self) -> u16 {
        self.status_code
    }
}

/// A flow as the API page shows it, its members in the same order.
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
    configuration: &'flow RawValue,
    steps: &'flow RawValue,
    client: &'flow str,
    created_at: &'flow str,
    updated_at: &'flow str,
}

impl<'flow> Document<'flow> {
    fn new(flow: &'flow Flow, id: Option<&'flow str>) -> Self {
        let content = &flow.content;
        Self {
            id,
            project: content.project.as_str(),
            r#type: content.flow_type.as_str(),
            status: flow.status.as_str(),
            version: flow.version,
            name: content.name.as_str(),
            description: content.description.as_ref().map(Description::as_str),
            configuration: content.configuration.as_raw(),
            steps: content.steps.as_raw(),
            client: flow.client.as_str(),
            created_at: flow.created_at.as_str(),
            updated_at: flow.updated_at.as_str(),
        }
    }
}

fn success(data: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Success<'data, T> {
        success: bool,
        data: &'data T,
    }
    text(&Success { success: true, data })
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
