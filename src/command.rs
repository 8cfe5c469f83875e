//! Station 2, parse: method, path, query and body → [`Command`]. The only routing table.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::error::{Cause, Code, Error, Problem};
use crate::event::{Body, Event, Headers, Query};
use crate::flow::{Content, Fingerprint, IdempotencyKey, Once};
use crate::json;

/// The largest body, in bytes: 256 KiB, which leaves room for the rest of an item (400 KB).
pub const BODY_LIMIT: usize = 256 * 1024;

/// What a request asks for, all of it valid.
#[derive(Debug, Clone)]
pub enum Command {
    /// `POST /v2/project-flows`
    Create {
        /// The flow to create.
        content: Content,
        /// Only say what would be created.
        dry_run: bool,
        /// Create it once for ever, however often it is sent.
        once: Option<Once>,
    },
}

/// The paths that have operations, without what stands before them.
enum Route {
    Flows,
}

impl Route {
    /// The route of a path, whatever stage or base path stands before it.
    ///
    /// API Gateway leaves the stage on an HTTP API's path, and a custom domain's base path on both kinds', and the
    /// event does not name the latter.
    fn find(path: &str) -> Option<Self> {
        let (before, after) = path.split_once("/v2/project-flows")?;
        let clean = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.+!*'()".contains(&byte))
        };
        let accepted = before.is_empty() || before.strip_prefix('/')?.split('/').all(clean);
        match (accepted, after) {
            (true, "") => Some(Self::Flows),
            (_, _) => None,
        }
    }

    /// The route as the log names it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Flows => "/v2/project-flows",
        }
    }
}

impl Command {
    /// What `event` asks for.
    ///
    /// # Errors
    ///
    /// The first of: an unknown path or method, parameters, key, media type, encoding, size, JSON, content.
    pub fn parse(event: &Event) -> Result<Self, Error> {
        match (Route::find(event.path()).ok_or(Error::RouteNotFound)?, event.method()) {
            (Route::Flows, "POST") => {
                let dry_run = dry_run(&event.query())?;
                let key = idempotency_key(event.headers())?;
                let body = body(event)?;
                let content = Content::parse(&json::read_object(&body)?)?;
                let once = key.map(|key| once(key, &body)).transpose()?;
                Ok(Self::Create { content, dry_run, once })
            }
            (Route::Flows, _) => Err(Error::MethodNotAllowed { allow: "POST" }),
        }
    }

    /// The route of `event` as the log names it.
    pub fn route(event: &Event) -> &'static str {
        Route::find(event.path()).map_or("none", |route| route.name())
    }
}

/// `dryRun`, the only parameter of the operations that write.
fn dry_run(query: &Query<'_>) -> Result<bool, Problem> {
    let invalid = |error: String| Problem::new("", Code::InvalidParameters, error);
    let mut dry_run = None;
    for (name, value) in parameters(query)? {
        if name != "dryRun" {
            return Err(invalid("expected no parameters but dryRun, found another".to_owned()));
        }
        let value = match value.as_ref() {
            "true" => true,
            "false" => false,
            _ => return Err(invalid("dryRun: expected true or false, found another value".to_owned())),
        };
        if dry_run.replace(value).is_some() {
            return Err(invalid("dryRun: expected it once, found it again".to_owned()));
        }
    }
    Ok(dry_run.unwrap_or(false))
}

/// A query parameter: its name and its value.
type Parameter<'event> = (Cow<'event, str>, Cow<'event, str>);

/// The parameters of a query, decoded (WHATWG URL Standard, 5.1).
fn parameters<'event>(query: &Query<'event>) -> Result<Vec<Parameter<'event>>, Problem> {
    match query {
        Query::Decoded(pairs) => Ok(pairs
            .iter()
            .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str())))
            .collect()),
        Query::Encoded(text) => text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect(),
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let invalid = |error: &str| Problem::new("", Code::InvalidParameters, error);
    let mut escapes = text.split('%');
    escapes.next();
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if !escapes.all(is_escape) {
        return Err(invalid("expected two hexadecimal digits after each %, found others"));
    }
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    let not_utf8 = |_| invalid("expected escapes of UTF-8, found others");
    match text {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8().map_err(not_utf8),
        Cow::Owned(text) => {
            percent_decode_str(&text).decode_utf8().map(|text| Cow::Owned(text.into_owned())).map_err(not_utf8)
        }
    }
}

fn idempotency_key(headers: &Headers) -> Result<Option<IdempotencyKey>, Error> {
    let key = headers.idempotency_key.as_deref();
    key.map(|key| IdempotencyKey::parse(key).ok_or(Error::InvalidIdempotencyKey)).transpose()
}

/// A key with what was sent under it, a body that has been read already.
fn once(key: IdempotencyKey, body: &[u8]) -> Result<Once, Error> {
    let canonical = std::str::from_utf8(body).map_err(|error| error.to_string());
    let canonical = canonical.and_then(|body| json::canonical(body).map_err(|error| error.to_string()));
    let canonical = canonical.map_err(|error| Error::Internal(Cause::new(format!("canonical form: {error}"))))?;
    Ok(Once { key, fingerprint: Fingerprint::of(&canonical) })
}

/// The bytes of the body.
fn body(event: &Event) -> Result<Cow<'_, [u8]>, Error> {
    media_type(event.headers())?;
    let body = match event.body() {
        Body::Text(text) => Cow::Borrowed(text.as_bytes()),
        Body::Base64(text) => Cow::Owned(STANDARD.decode(text).map_err(|_| Error::InvalidBodyEncoding)?),
    };
    if body.len() > BODY_LIMIT {
        let sentence = format!("expected a body of at most {BODY_LIMIT} bytes, found {}", body.len());
        return Err(Error::FlowTooLarge(sentence));
    }
    Ok(body)
}

/// Refuses anything but JSON in UTF-8 (RFC 8259, 8.1 and 11).
fn media_type(headers: &Headers) -> Result<(), Error> {
    let refuse = |found: &str| Err(Error::UnsupportedMediaType(found.to_owned()));
    if headers.content_encoding.is_some() {
        return refuse("a content encoding");
    }
    let Some(content_type) = headers.content_type.as_deref() else {
        return refuse("no content type");
    };
    // What nearly every client sends.
    if content_type == "application/json" {
        return Ok(());
    }
    let Ok(content_type) = content_type.parse::<mime::Mime>() else {
        return refuse("a malformed content type");
    };
    if content_type.essence_str() != mime::APPLICATION_JSON.essence_str() {
        return refuse("another content type");
    }
    let mut charsets = content_type.params().filter(|(name, _)| *name == mime::CHARSET);
    if !charsets.all(|(_, charset)| charset == mime::UTF_8) {
        return refuse("another charset");
    }
    Ok(())
}
