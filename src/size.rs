//! The bytes of an answer: how many there may be, and how many a text takes.
//!
//! The body is JSON and also a string of the response, which is JSON too. So a text of a flow is escaped twice: a quote
//! takes 4 bytes then, and a control character 7.

use crate::flow::Summary;
use crate::flow::members::Description;

/// The most bytes of a response. Lambda refuses one of more than 6 MB (AWS Lambda Developer Guide, "Lambda quotas"), and
/// the gateway answers a bare 5xx in its place.
pub const MAX_RESPONSE: usize = 6_000_000;

/// What a response has beside its data at most: status, headers, envelope, pagination.
const FRAME: usize = 4 * 1024;
/// What a summary has beside its texts at most: the names of its members, `type`, `status` and `version`.
const SUMMARY_FRAME: usize = 256;

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

    /// Takes `bytes`; `false`, and none are taken, where fewer are left.
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
    /// Up to this many bytes, a text is taken to need all its escapes, which is quicker than to look. A page of valid flows
    /// has room for that.
    const SHORT: usize = 1024;
    let texts = [
        summary.id.as_str(),
        summary.project.as_str(),
        summary.name.as_str(),
        summary.description.as_ref().map_or("", Description::as_str),
        summary.client.as_str(),
        summary.created_at.as_str(),
        summary.updated_at.as_str(),
    ];
    let bytes = |text: &str| if text.len() <= SHORT { 7 * text.len() } else { escaped_twice(text) };
    SUMMARY_FRAME + texts.into_iter().map(bytes).sum::<usize>()
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
