//! The size of an answer: its limit, and the bytes that a text takes in it.
//!
//! The body is JSON and also a string of the response, which is JSON too. So a text of a flow is escaped twice: a quote
//! takes 4 bytes then, and a control character 7.

/// The most bytes of a response. Lambda refuses one of more than 6 MB (AWS Lambda Developer Guide, "Lambda quotas"), and
/// the gateway answers a bare 5xx in its place.
pub const MAX_RESPONSE: usize = 6_000_000;

/// Bytes that may still be used.
#[derive(Debug, Clone, Copy)]
pub struct Budget(usize);

impl Budget {
    pub const fn new(bytes: usize) -> Self {
        Self(bytes)
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
