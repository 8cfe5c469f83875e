//! The body of a request: its media type, its encoding, its size. What it says is left to [`crate::json`].

use std::borrow::Cow;

use crate::event::Headers;
use crate::flow::rules::unknown_field;
use crate::json::{self, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// The largest body, in bytes: 256 KiB, which leaves room for the rest of an item (400 KB).
pub const MAX_BODY: usize = 256 * 1024;

/// A body as [`crate::event::Event::body`] gives it.
pub type Body<'event> = Option<Cow<'event, [u8]>>;

/// The bytes of a body that must be JSON.
///
/// # Errors
///
/// The first of: media type, encoding, size.
pub fn read<'body>(headers: &Headers, body: &'body Body<'_>) -> Result<&'body [u8], Problem> {
    check_media_type(headers)?;
    let body = body.as_ref().ok_or_else(|| {
        Problem::new("", Code::InvalidBodyEncoding, "expected a body in base64, found one that does not decode")
    })?;
    if body.len() > MAX_BODY {
        let error = format!("expected a body of at most {MAX_BODY} bytes, found {}", body.len());
        return Err(Problem::new("", Code::FlowTooLarge, error));
    }
    Ok(body)
}

/// Refuses a body that says something to an operation that has no body: it would be dropped silently.
///
/// # Errors
///
/// As [`read`]; then every member is unknown.
pub fn refuse(headers: &Headers, body: &Body<'_>) -> Result<(), Problems> {
    if body.as_ref().is_some_and(|body| body.is_empty()) {
        return Ok(());
    }
    let members = json::read_object(read(headers, body)?)?;
    let problems = members.iter().map(|member| unknown_field(pointer_step(&member.name), &[])).collect();
    Problems::found(problems).map_or(Ok(()), Err)
}

/// Refuses anything but JSON in UTF-8 (RFC 8259, 8.1 and 11).
fn check_media_type(headers: &Headers) -> Result<(), Problem> {
    let refuse = |name, error: &str| Err(Problem::header(name, Code::UnsupportedMediaType, error));
    if headers.content_encoding.is_some() {
        return refuse("Content-Encoding", "expected no content encoding, found one");
    }
    let Some(content_type) = headers.content_type.as_deref() else {
        return refuse("Content-Type", "expected application/json, found nothing");
    };
    // What nearly every client sends.
    if content_type == "application/json" {
        return Ok(());
    }
    let Ok(content_type) = content_type.parse::<mime::Mime>() else {
        return refuse("Content-Type", "expected application/json, found no media type");
    };
    if content_type.essence_str() != mime::APPLICATION_JSON.essence_str() {
        return refuse("Content-Type", "expected application/json, found another media type");
    }
    let mut charsets = content_type.params().filter(|(name, _)| *name == mime::CHARSET);
    if !charsets.all(|(_, charset)| charset == mime::UTF_8) {
        return refuse("Content-Type", "expected the charset utf-8, found another");
    }
    Ok(())
}
