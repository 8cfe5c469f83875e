//! The query of a request: names and values → parameters, each known, given once and well-formed.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::event::Query;
use crate::flow::members::ProjectId;
use crate::flow::{MAX_NOTE, Note, Timestamp};
use crate::problem::Problem;
use crate::store::{Cursor, List, Run};

/// The parameters of a query.
pub struct Parameters<'event> {
    given: Vec<Parameter<'event>>,
    known: &'static [&'static str],
}

type Parameter<'event> = (Cow<'event, str>, Cow<'event, str>);

impl<'event> Parameters<'event> {
    /// Reads a query whose parameters are all `known`, and each given once.
    ///
    /// # Errors
    ///
    /// The first parameter that is unknown, repeated or badly encoded.
    pub fn read(query: &Query<'event>, known: &'static [&'static str]) -> Result<Self, Problem> {
        let given = decode_all(query)?;
        for (index, (name, _)) in given.iter().enumerate() {
            if !known.contains(&name.as_ref()) {
                let error = match known {
                    [] => "expected no parameters, found one".to_owned(),
                    known => format!("expected no parameters but {}, found another", known.join(", ")),
                };
                return Err(Problem::parameter(excerpt(name), error));
            }
            if given.iter().take(index).any(|(other, _)| other == name) {
                return Err(Problem::parameter(name.as_ref(), "expected it once, found it again"));
            }
        }
        Ok(Self { given, known })
    }

    /// What `parse` makes of a parameter, where it is given; `expected` is what it must be.
    pub fn get<T>(&self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        debug_assert!(self.known.contains(&name), "{name} is not in the route");
        let Some((_, value)) = self.given.iter().find(|(one, _)| one == name) else { return Ok(None) };
        let found = || Problem::parameter(name, format!("expected {expected}, found another value"));
        parse(value).map(Some).ok_or_else(found)
    }

    pub fn run(&self) -> Result<Run, Problem> {
        let is_dry = self.get("dryRun", "true or false", |value| value.parse().ok())?;
        Ok(if is_dry.unwrap_or(false) { Run::Dry } else { Run::Real })
    }

    pub fn note(&self) -> Result<Option<Note>, Problem> {
        let expected = format!(
            "1 to {MAX_NOTE} characters, none of them a control character or one that turns the direction of text"
        );
        self.get("note", &expected, Note::parse)
    }

    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        self.get(name, "an RFC 3339 instant (its + sent as %2B)", Timestamp::parse)
    }

    /// `limit`, or its default.
    pub fn limit(&self, (default, max): (usize, usize)) -> Result<usize, Problem> {
        let limit = |text: &str| integer(text).filter(|limit| (1..=max).contains(limit));
        Ok(self.get("limit", &format!("an integer from 1 to {max}"), limit)?.unwrap_or(default))
    }

    /// `cursor`, where a page of `list` begins.
    pub fn cursor(&self, list: &List) -> Result<Option<Cursor>, Problem> {
        self.get("cursor", "pagination.next of an earlier page", |text| Cursor::parse(list, text))
    }

    pub fn project(&self) -> Result<Option<ProjectId>, Problem> {
        self.get("project", "a project", ProjectId::parse)
    }
}

/// The integer that `text` spells, without a sign or leading zeros.
pub fn integer<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>().ok().filter(|number| number.to_string() == text)
}

/// The beginning of a name, which can be as long as a query.
fn excerpt(name: &str) -> &str {
    const MAX_CHARACTERS: usize = 40;
    name.char_indices().nth(MAX_CHARACTERS).map_or(name, |(end, _)| name.split_at(end).0)
}

/// The parameters of a query, decoded (WHATWG URL Standard, 5.1).
fn decode_all<'event>(query: &Query<'event>) -> Result<Vec<Parameter<'event>>, Problem> {
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
                let refuse = |error| Problem::parameter(excerpt(name), error);
                Ok((decode(name).map_err(refuse)?, decode(value).map_err(refuse)?))
            })
            .collect(),
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    const NOT_UTF_8: &str = "expected escapes of UTF-8, found others";
    let mut escapes = text.split('%');
    escapes.next();
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if !escapes.all(is_escape) {
        return Err("expected two hexadecimal digits after each %, found others");
    }
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().map_err(|_| NOT_UTF_8);
    }
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| NOT_UTF_8)?;
    Ok(Cow::Owned(decoded.into_owned()))
}
