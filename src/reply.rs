//! Station 4, envelope: outcome or error → HTTP response, in the shape that API Gateway takes.
//!
//! Formats: "Output format of a Lambda function for proxy integration" (payload 1.0) and "Lambda function response for
//! format 2.0" in the API Gateway Developer Guide.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::answer::{Answer, Header, text};
use crate::error::{Cause, Error};
use crate::event::Event;
use crate::problem::Problem;
use crate::size::MAX_RESPONSE;

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
    /// The response to `event`, the request with this id, and what the log says of it. Where Lambda would refuse the response,
    /// that is an internal error: lists and the diff stay below the limit, so this is the last guard.
    pub fn new(result: Result<Answer, Error>, event: &Event, request_id: &str) -> (Self, Result<Answer, Error>) {
        let reply = |status, own: &[Header], body| {
            let shared: [Header; 4] = [
                ("Content-Type", "application/json".into()),
                ("Cache-Control", "no-store".into()),
                ("X-Content-Type-Options", "nosniff".into()),
                ("X-Request-Id", request_id.to_owned().into()),
            ];
            let headers = Headers(shared.into_iter().chain(own.iter().cloned()).collect());
            let cookies = event.is_payload_2().then_some([]);
            Self { status_code: status, headers, cookies, body, is_base64_encoded: false }
        };
        let failed = |error: &Error| {
            let (status, header, body) = fail(error);
            reply(status, header.as_slice(), body)
        };
        match result {
            Ok(mut answer) => {
                let success = reply(answer.status, &answer.headers, std::mem::take(&mut answer.body));
                match success.check_size() {
                    Ok(()) => (success, Ok(answer)),
                    Err(cause) => {
                        let error = cause.into();
                        (failed(&error), Err(error))
                    }
                }
            }
            Err(error) => (failed(&error), Err(error)),
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

/// The status of a failure, its header, and its body.
fn fail(error: &Error) -> (u16, Option<Header>, String) {
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
    (failure.status, headers, body)
}
