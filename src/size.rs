//! The size of an answer: its limit, and the bytes that a text takes in it.
//!
//! The body is JSON and also a string of the response, which is JSON too. So a text of a flow is escaped twice: a quote
//! takes 4 bytes then, and a control character 7.

use crate::flow::members::Description;
use crate::flow::{Author, Change, Note, Summary};

/// The most bytes of a response. Lambda refuses one of more than 6 MB (AWS Lambda Developer Guide, "Lambda quotas"), and
/// the gateway answers a bare 5xx in its place.
pub const MAX_RESPONSE: usize = 6_000_000;

/// The most bytes of a response without its data: status, headers, envelope, pagination.
const FRAME: usize = 4 * 1024;
/// The most bytes of a summary without its texts: the names of its members, `type`, `status` and `version`.
const SUMMARY_FRAME: usize = 256;

/// The most bytes of a change without its texts: the names of its members, the digest, and a version.
const CHANGE_FRAME: usize = 192;

/// Bytes that may still be used.
#[derive(Debug, Clone, Copy)]
pub struct Budget(usize);

impl Budget {
    pub const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// All that an answer has room for.
    pub const fn of_answer() -> Self {
        Self(MAX_RESPONSE - FRAME)
    }

    /// Takes `bytes`. If fewer are left, takes none and returns `false`.
    pub const fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        if let Some(left) = left {
            self.0 = left;
        }
        left.is_some()
    }
}

/// The bytes of a summary in a response, or more.
pub fn of_summary(summary: &Summary) -> usize {
    let texts = [
        summary.id.as_str(),
        summary.project.as_str(),
        summary.name.as_str(),
        summary.description.as_ref().map_or("", Description::as_str),
        summary.client.as_str(),
        summary.created_at.second().as_str(),
        summary.updated_at.second().as_str(),
    ];
    SUMMARY_FRAME + texts.into_iter().map(at_most).sum::<usize>()
}

/// The bytes of a change in a response, or more.
pub fn of_change(change: &Change) -> usize {
    let by = change.by.as_ref().map_or("", Author::as_str);
    let note = change.note.as_ref().map_or("", Note::as_str);
    CHANGE_FRAME + at_most(by) + at_most(note)
}

/// The bytes of a text in a response, or more. A short text counts as if each byte were escaped, which is faster than a scan.
/// A page of valid flows still fits.
fn at_most(text: &str) -> usize {
    const SHORT: usize = 1024;
    if text.len() <= SHORT { 7 * text.len() } else { escaped_twice(text) }
}

/// The bytes of `text` in a string within a string of JSON, as `serde_json` escapes it (RFC 8259, 7).
pub fn escaped_twice(text: &str) -> usize {
    let bytes = |byte| match byte {
        b'"' | b'\\' => 4,
        // \b, \t, \n, \f and \r
        8..=10 | 12 | 13 => 3,
        // \u0000
        0..=31 => 7,
        32..=255 => 1,
    };
    text.bytes().map(bytes).sum()
}
