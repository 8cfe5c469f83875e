//! The strict reader: JSON text → one tree of [`Node`]s, each with its text.
//!
//! `serde_json` knows the grammar (RFC 8259). What it lets pass is refused here: the same member twice, which it
//! would answer with the last one, and more levels than [`MAX_LEVELS`]. What values mean is left to [`crate::flow`].

mod canonical;
mod merge_patch;
mod reader;
mod tree;

use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

pub use self::merge_patch::merge_patch;
use self::reader::Reader;
pub use self::tree::{Member, Members, Node, Value};
use crate::problem::{Code, Problem};

/// At most this many objects and arrays within each other, the body itself included.
pub const MAX_LEVELS: usize = 32;

/// Reads a body that must be one object, and nothing else.
///
/// ```
/// # use project_flows::json;
/// let members = json::read_object(br#"{"securityThresholds": {"face": 1.0}}"#)?;
/// assert_eq!(members.get("securityThresholds").expect("a member").text, r#"{"face": 1.0}"#);
///
/// let problem = json::read_object(br#"{"steps": [{"order": 1, "order": 2}]}"#).unwrap_err();
/// assert_eq!(problem.path(), Some("/steps/0/order"));
/// # Ok::<(), project_flows::problem::Problem>(())
/// ```
///
/// # Errors
///
/// [`Code::InvalidJson`] with line and column as `serde_json` counts them (in bytes), [`Code::InvalidBody`],
/// [`Code::DuplicateMember`] or [`Code::TooDeep`] with the JSON Pointer of the place: the first one met.
pub fn read_object(body: &[u8]) -> Result<Members<'_>, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let (valid, _) = body.split_at(error.valid_up_to());
        let before = std::str::from_utf8(valid).unwrap_or_default();
        malformed("expected UTF-8, found other bytes", before, 1, 1)
    })?;
    if text.starts_with('\u{feff}') {
        return Err(malformed("expected JSON, found a byte order mark", "", 1, 1));
    }
    judge(text).map_err(|error| syntax(&error, ""))?;
    let found = match Reader::new(text).value(1)?.value {
        Value::Object(members) => return Ok(members),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
    };
    Err(Problem::new("", Code::InvalidBody, format!("expected a JSON object, found {found}")))
}

/// Whether `text` is JSON. What is wrong between the members of a body is said more exactly than what is wrong inside them.
fn judge(text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    if text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        deserializer.deserialize_map(IgnoredAny)?;
    } else {
        IgnoredAny::deserialize(&mut deserializer)?;
    }
    deserializer.end()
}

/// The tree of a text that `serde_json` has accepted.
///
/// # Errors
///
/// As [`read_object`], but any value will do.
pub fn read(text: &RawValue) -> Result<Node<'_>, Problem> {
    Reader::new(text.get()).value(1)
}

/// `name` as a step of a JSON Pointer (RFC 6901, 3), with the slash before it.
pub fn pointer_step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A problem of the grammar, in a text that follows `before`.
fn syntax(error: &serde_json::Error, before: &str) -> Problem {
    let sentence = error.to_string();
    let what = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(what, _)| what);
    malformed(what, before, error.line(), error.column())
}

/// A problem at `line` and `column` of a text that follows `before`. Both count from 1, and behind a `before` there is one line.
fn malformed(error: &str, before: &str, line: usize, column: usize) -> Problem {
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let (line, column) = (line + before.matches('\n').count(), column + before.len() - line_start);
    Problem::new("", Code::InvalidJson, format!("{error} at line {line} column {column}"))
}
