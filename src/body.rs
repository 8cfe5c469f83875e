//! The body of a request: its media type, its encoding, its size. Its content is left to [`crate::json`].

use std::borrow::Cow;

use crate::event::Headers;
use crate::json;
use crate::problem::{Code, Problem, ProblemList, Problems};

/// The largest body, in bytes: 256 KiB, which leaves room for the rest of an item (400 KB).
pub const MAX_BODY: usize = 256 * 1024;

/// A body as [`crate::event::Event::body`] gives it.
pub type Body<'event> = Option<Cow<'event, [u8]>>;

/// What an operation takes as its body. Both are JSON in UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// RFC 8259.
    Json,
    /// RFC 7396.
    MergePatch,
}

impl MediaType {
    /// As in the header `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MergePatch => "application/merge-patch+json",
        }
    }

    /// The refusal of any other.
    const fn refusal(self) -> Code {
        match self {
            Self::Json => Code::UnsupportedMediaType,
            Self::MergePatch => Code::UnsupportedPatch,
        }
    }
}

/// The bytes of a body that must have this media type.
///
/// # Errors
///
/// The first of: media type, encoding, size.
pub fn read<'body>(headers: &Headers, body: &'body Body<'_>, media_type: MediaType) -> Result<&'body [u8], Problem> {
    check_media_type(headers, media_type)?;
    let body = body.as_ref().ok_or_else(|| {
        Problem::new("", Code::InvalidBodyEncoding, "expected a body in base64, found one that does not decode")
    })?;
    if body.len() > MAX_BODY {
        let error = format!("expected a body of at most {MAX_BODY} bytes, found {}", body.len());
        return Err(Problem::new("", Code::FlowTooLarge, error));
    }
    Ok(body)
}

/// Refuses content in the body of an operation without a body, because it would be dropped silently.
///
/// # Errors
///
/// As [`read`]; then every member is unknown.
pub fn refuse(headers: &Headers, body: &Body<'_>) -> Result<(), Problems> {
    if body.as_ref().is_some_and(|body| body.is_empty()) {
        return Ok(());
    }
    let mut problems = ProblemList::default();
    problems.add(json::read_object(read(headers, body, MediaType::Json)?)?.unknown("", &[]));
    problems.finish()
}

/// Refuses anything but this media type in UTF-8 (RFC 8259, 8.1 and 11).
fn check_media_type(headers: &Headers, media_type: MediaType) -> Result<(), Problem> {
    let refuse = |name, error: String| Err(Problem::header(name, media_type.refusal(), error));
    let expected = media_type.as_str();
    if headers.content_encoding.is_some() {
        return refuse("Content-Encoding", "expected no content encoding, found one".to_owned());
    }
    let Some(content_type) = headers.content_type.as_deref() else {
        return refuse("Content-Type", format!("expected {expected}, found nothing"));
    };
    // What nearly every client sends.
    if content_type == expected {
        return Ok(());
    }
    let Ok(content_type) = content_type.parse::<mime::Mime>() else {
        return refuse("Content-Type", format!("expected {expected}, found no media type"));
    };
    if content_type.essence_str() != expected {
        return refuse("Content-Type", format!("expected {expected}, found another media type"));
    }
    let mut charsets = content_type.params().filter(|(name, _)| *name == mime::CHARSET);
    if !charsets.all(|(_, charset)| charset == mime::UTF_8) {
        return refuse("Content-Type", "expected the charset utf-8, found another".to_owned());
    }
    Ok(())
}
