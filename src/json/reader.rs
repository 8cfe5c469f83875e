//! A text that `serde_json` has accepted → its tree.
//!
//! `serde_json` does not tell where in the text it is, and with its `RawValue` each level would be read anew. In a text that
//! is known to be JSON, quotes, brackets and commas separate the parts. Only strings with escapes and numbers are left to
//! judge: `serde_json` skips over lone surrogates and numbers out of range until it decodes them.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::{MAX_LEVELS, Member, Members, Node, Value, pointer_step, syntax};
use crate::problem::{Code, Part, Problem};

pub(super) struct Reader<'text> {
    text: &'text str,
    /// What is not read yet.
    rest: &'text str,
}

impl<'text> Reader<'text> {
    pub(super) const fn new(text: &'text str) -> Self {
        Self { text, rest: text }
    }

    /// Reads a value and the white space before it. The root is on level 1.
    pub(super) fn value(&mut self, level: usize) -> Result<Node<'text>, Problem> {
        self.white_space();
        let start = self.rest;
        let value = match start.as_bytes().first() {
            Some(b'{') => Value::Object(self.object(level)?),
            Some(b'[') => Value::Array(self.array(level)?),
            Some(b'"') => Value::String(self.string()?),
            Some(_) | None => self.word()?,
        };
        Ok(Node { text: self.since(start), value })
    }

    fn object(&mut self, level: usize) -> Result<Members<'text>, Problem> {
        self.enter(level)?;
        let mut members = Vec::new();
        loop {
            let start = self.rest;
            self.white_space();
            if self.rest.starts_with('}') {
                self.take(1);
                break;
            }
            let name = self.string()?;
            self.take_while(|byte| byte == b':' || is_white_space(byte));
            let before = self.since(start);
            let node = self.value(level + 1).map_err(|problem| inside(&pointer_step(&name), problem))?;
            let after = self.white_space();
            let is_last = self.take(1) != ",";
            members.push(Member { name, node, before, after: if is_last { "" } else { after } });
            if is_last {
                break;
            }
        }
        refuse_duplicates(&members)?;
        Ok(Members(members))
    }

    fn array(&mut self, level: usize) -> Result<Vec<Node<'text>>, Problem> {
        self.enter(level)?;
        let mut nodes = Vec::new();
        self.white_space();
        if self.rest.starts_with(']') {
            self.take(1);
            return Ok(nodes);
        }
        loop {
            nodes.push(self.value(level + 1).map_err(|problem| inside(&format!("/{}", nodes.len()), problem))?);
            self.white_space();
            if self.take(1) != "," {
                return Ok(nodes);
            }
        }
    }

    /// Reads the bracket of an object or an array.
    fn enter(&mut self, level: usize) -> Result<(), Problem> {
        self.take(1);
        let error = || format!("expected at most {MAX_LEVELS} levels, found more");
        if level > MAX_LEVELS { Err(Problem::new("", Code::TooDeep, error())) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'text, str>, Problem> {
        let is_plain = |byte| !matches!(byte, b'"' | b'\\');
        let start = self.rest;
        self.take(1);
        let plain = self.take_while(is_plain);
        if self.take(1) == "\"" {
            return Ok(Cow::Borrowed(plain));
        }
        // A backslash was read. The byte behind it is part of the escape.
        loop {
            self.take(1);
            self.take_while(is_plain);
            if self.take(1) != "\\" {
                return self.decode(self.since(start)).map(Cow::Owned);
            }
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Value<'text>, Problem> {
        match self.take_while(|byte| !matches!(byte, b',' | b']' | b'}') && !is_white_space(byte)) {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            number => self.decode::<f64>(number).map(|_| Value::Number(number)),
        }
    }

    /// Decodes what was read last.
    fn decode<T: DeserializeOwned>(&self, text: &str) -> Result<T, Problem> {
        serde_json::from_str(text).map_err(|error| {
            let start = self.text.len() - self.rest.len() - text.len();
            syntax(&error, self.text.get(..start).unwrap_or_default())
        })
    }

    fn white_space(&mut self) -> &'text str {
        self.take_while(is_white_space)
    }

    fn take_while(&mut self, matches: impl Fn(u8) -> bool) -> &'text str {
        let length = self.rest.bytes().position(|byte| !matches(byte));
        self.take(length.unwrap_or(self.rest.len()))
    }

    fn take(&mut self, length: usize) -> &'text str {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// What was read since `start` was the rest.
    fn since(&self, start: &'text str) -> &'text str {
        start.get(..start.len() - self.rest.len()).unwrap_or_default()
    }
}

const fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn refuse_duplicates(members: &[Member<'_>]) -> Result<(), Problem> {
    if members.len() < 2 {
        return Ok(());
    }
    let mut names: Vec<_> = members.iter().map(|member| member.name.as_ref()).collect();
    names.sort_unstable();
    names.array_windows().find(|[one, other]| one == other).map_or(Ok(()), |[name, _]| {
        Err(Problem::new(pointer_step(name), Code::DuplicateMember, "expected each member once, found it twice"))
    })
}

/// A problem of the value that `step` leads to. Malformed text has a line and a column, but no path.
fn inside(step: &str, mut problem: Problem) -> Problem {
    if let (Part::Path(path), true) = (&mut problem.part, problem.code != Code::InvalidJson) {
        path.insert_str(0, step);
    }
    problem
}
