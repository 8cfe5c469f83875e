//! The strict reader: JSON text → [`Value`]s, and the raw text of the body's members.
//!
//! `serde_json` knows the grammar (RFC 8259). What it lets pass is refused here: the same member twice, which it
//! would answer with the last one, and more levels than [`MAX_LEVELS`]. What values mean is left to [`crate::flow`].

mod canonical;
mod level;
mod merge_patch;
mod value;

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub use self::canonical::{Order, canonical};
pub use self::level::OneLevel;
pub use self::merge_patch::merge_patch;
pub use self::value::{Members, Value};
use crate::problem::{Code, Problem};

/// At most this many objects and arrays within each other, the body itself included.
pub const MAX_LEVELS: usize = 32;

/// A member of the body: its value and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Member<'text> {
    /// Its name, without escapes.
    pub name: Cow<'text, str>,
    /// Its value.
    pub value: Value<'text>,
    /// The text of its value, byte for byte as it was sent.
    pub text: &'text str,
}

impl<'text> Member<'text> {
    /// The member of this name that was stored as `text`.
    pub fn read(name: &'static str, text: &'text str) -> Result<Self, Problem> {
        let value = read_value(text, 2).map_err(|refusal| refusal.at(pointer_step(name), || Position::of_end("")))?;
        Ok(Self { name: Cow::Borrowed(name), value, text })
    }
}

/// Reads a body that must be one object, and nothing else.
///
/// ```
/// # use project_flows::json::{self, Value};
/// let members = json::read_object(br#"{"securityThresholds": {"face": 1.0}}"#)?;
/// assert_eq!(members[0].name, "securityThresholds");
/// assert_eq!(members[0].text, r#"{"face": 1.0}"#);
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
pub fn read_object(body: &[u8]) -> Result<Vec<Member<'_>>, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let (valid, _) = body.split_at(error.valid_up_to());
        let text = std::str::from_utf8(valid).unwrap_or_default();
        malformed("expected UTF-8, found other bytes", Position::of_end(text).next())
    })?;
    if text.starts_with('\u{feff}') {
        return Err(malformed("expected JSON, found a byte order mark", Position { line: 1, column: 1 }));
    }
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return Err(no_object(text));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer
        .deserialize_map(MembersVisitor)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| syntax(&error, Position::of_end("")))?;
    refuse_duplicates(members.iter().map(|(name, _)| name.as_ref()))
        .map_err(|refusal| refusal.at(String::new(), || Position::of_end("")))?;
    members
        .into_iter()
        .map(|(name, raw)| {
            let value = read_value(raw.get(), 2).map_err(|refusal| {
                let offset = raw.get().as_ptr().addr() - text.as_ptr().addr();
                refusal.at(pointer_step(&name), || Position::of_end(text.get(..offset).unwrap_or_default()))
            })?;
            Ok(Member { name, value, text: raw.get() })
        })
        .collect()
}

/// What is wrong with a body that is not an object. A defect inside it comes first.
fn no_object(text: &str) -> Problem {
    let whole = serde_json::from_str::<IgnoredAny>(text).map_err(Refusal::Syntax);
    match whole.and_then(|_| read_value(text, 1)) {
        Err(refusal) => refusal.at(String::new(), || Position::of_end("")),
        Ok(value) => {
            let found = match value {
                Value::Null => "null",
                Value::Bool(_) => "a boolean",
                Value::Unsigned(_) | Value::Number(_) => "a number",
                Value::String(_) => "a string",
                Value::Array(_) => "an array",
                Value::Object(_) => "an object",
            };
            Problem::new("", Code::InvalidBody, format!("expected a JSON object, found {found}"))
        }
    }
}

/// `name` as a step of a JSON Pointer (RFC 6901, 3), with the slash before it.
pub fn pointer_step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A place in a text, both numbers counted from 1.
#[derive(Debug, Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

impl Position {
    /// The place of the last byte of `text`.
    fn of_end(text: &str) -> Self {
        let line_start = text.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: text.matches('\n').count() + 1, column: text.len() - line_start }
    }

    const fn next(self) -> Self {
        Self { line: self.line, column: self.column + 1 }
    }
}

fn malformed(error: &str, Position { line, column }: Position) -> Problem {
    Problem::new("", Code::InvalidJson, format!("{error} at line {line} column {column}"))
}

/// A problem of the grammar, in a text that begins right after `start`.
fn syntax(error: &serde_json::Error, start: Position) -> Problem {
    let sentence = error.to_string();
    let what = sentence.rsplit_once(" at line ").map_or(sentence.as_str(), |(what, _)| what);
    let position = if error.line() <= 1 {
        Position { line: start.line, column: start.column + error.column() }
    } else {
        Position { line: start.line + error.line() - 1, column: error.column() }
    };
    malformed(what, position)
}

/// What was refused within a value, before its place in the body is known.
enum Refusal {
    Syntax(serde_json::Error),
    Rule { code: Code, error: String, steps: Vec<String> },
}

impl Refusal {
    fn duplicate(name: &str) -> Self {
        let error = "expected each member once, found it twice".to_owned();
        Self::Rule { code: Code::DuplicateMember, error, steps: vec![pointer_step(name)] }
    }

    fn too_deep() -> Self {
        let error = format!("expected at most {MAX_LEVELS} levels, found more");
        Self::Rule { code: Code::TooDeep, error, steps: Vec::new() }
    }

    /// The problem, in a value that is found at `path` and begins right after `start`.
    fn at(self, mut path: String, start: impl FnOnce() -> Position) -> Problem {
        match self {
            Self::Syntax(error) => syntax(&error, start()),
            Self::Rule { code, error, steps } => {
                path.extend(steps.iter().rev().map(String::as_str));
                Problem::new(path, code, error)
            }
        }
    }
}

/// Reads one value; the body is on level 1, its members are on level 2.
fn read_value(text: &str, level: usize) -> Result<Value<'_>, Refusal> {
    let mut refusal = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = value::ValueSeed { level, refusal: &mut refusal };
    seed.deserialize(&mut deserializer).map_err(|error| refusal.unwrap_or(Refusal::Syntax(error)))
}

fn refuse_duplicates<'name>(names: impl ExactSizeIterator<Item = &'name str>) -> Result<(), Refusal> {
    if names.len() < 2 {
        return Ok(());
    }
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    let twice = names.array_windows().find(|[one, other]| one == other);
    twice.map_or(Ok(()), |[name, _]| Err(Refusal::duplicate(name)))
}

/// Splits an object into the text of its members.
struct MembersVisitor;

impl<'text> Visitor<'text> for MembersVisitor {
    type Value = Vec<(Cow<'text, str>, &'text RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'text>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// Reads a member's name; `Cow` alone would copy it.
struct NameSeed;

impl<'text> DeserializeSeed<'text> for NameSeed {
    type Value = Cow<'text, str>;

    fn deserialize<D: Deserializer<'text>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'text> Visitor<'text> for NameSeed {
    type Value = Cow<'text, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'text str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
