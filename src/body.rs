//! The body of a request: its media type, its encoding, its size. Its content is left to [`crate::json`].

use std::borrow::Cow;

use crate::event::Headers;
use crate::json;
use crate::problem::{Code, Problem, ProblemList, Problems};

/// The largest body, in bytes: 256 KiB.
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
    let (found, parameters) = content_type.split_at(content_type.find(';').unwrap_or(content_type.len()));
    if !found.trim_matches(SPACE).eq_ignore_ascii_case(expected) {
        return refuse("Content-Type", format!("expected {expected}, found another media type"));
    }
    match is_utf_8(parameters) {
        Some(true) => Ok(()),
        Some(false) => refuse("Content-Type", "expected the charset utf-8, found another".to_owned()),
        None => refuse("Content-Type", "expected parameters such as charset=utf-8, found others".to_owned()),
    }
}

/// White space around the parts of a header (RFC 9110, 5.6.3).
const SPACE: [char; 2] = [' ', '\t'];

/// Whether each charset among the parameters of a media type is UTF-8; `None` if they are malformed. Empty parameters count
/// for nothing (RFC 9110, 5.6.6); the crates `mime` and `mediatype` refuse them.
fn is_utf_8(mut parameters: &str) -> Option<bool> {
    let is_token = |text: &str| {
        let is_in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_in_token)
    };
    let mut is_utf_8 = true;
    loop {
        parameters = parameters.trim_start_matches([' ', '\t', ';']);
        if parameters.is_empty() {
            return Some(is_utf_8);
        }
        let (name, after) = parameters.split_once('=').filter(|(name, _)| is_token(name))?;
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (value, after) = after.split_at(after.find([' ', '\t', ';']).unwrap_or(after.len()));
            is_token(value).then(|| (value.to_owned(), after))?
        };
        is_utf_8 &= !name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8");
        parameters = after.trim_start_matches(SPACE);
        if !parameters.is_empty() && !parameters.starts_with(';') {
            return None;
        }
    }
}

/// A quoted string after its first quote: what it stands for, and what follows it (RFC 9110, 5.6.4).
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut unquoted = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((unquoted, characters.as_str())),
            '\\' => unquoted.push(characters.next()?),
            other => unquoted.push(other),
        }
    }
}
