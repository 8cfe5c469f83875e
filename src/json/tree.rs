//! The tree of a JSON text.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

use super::pointer_step;
use crate::problem::{Problem, unknown_field};

/// A value and its text, byte for byte as it was sent.
#[derive(Debug, Clone)]
pub struct Node<'text> {
    pub text: &'text str,
    pub value: Value<'text>,
}

/// Writes the text as it is.
impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.text).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Compares values: white space and escapes do not matter. The spelling of numbers and the order of members do.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || self.value == other.value
    }
}

/// A JSON value that borrows from its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'text> {
    Null,
    Bool(bool),
    /// A number as it is spelled: as numbers of the machine, 2^64 and 2^64 + 1 would be the same, and 1.0 and 1.00 too.
    Number(&'text str),
    /// A string, without its escapes.
    String(Cow<'text, str>),
    Array(Vec<Node<'text>>),
    Object(Members<'text>),
}

impl<'text> Value<'text> {
    pub const fn array(&self) -> Option<&Vec<Node<'text>>> {
        if let Self::Array(nodes) = self { Some(nodes) } else { None }
    }

    pub const fn object(&self) -> Option<&Members<'text>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// An integer from 1 to 2^64 - 1, spelled without fraction and exponent.
    pub fn positive(&self) -> Option<u64> {
        let Self::Number(number) = self else { return None };
        number.parse().ok().filter(|number| *number > 0)
    }
}

/// A value as a sentence names it: short, whatever its size.
impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXCERPT: usize = 40;
        match self {
            Value::Null => formatter.write_str("null"),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Number(number) => match number.split_at_checked(EXCERPT) {
                None | Some((_, "")) => formatter.write_str(number),
                Some((start, rest)) => write!(formatter, "{start} and {} more characters", rest.len()),
            },
            Value::String(value) => match value.char_indices().nth(EXCERPT) {
                None => write!(formatter, "{value:?}"),
                Some((end, _)) => {
                    let (start, rest) = value.split_at(end);
                    write!(formatter, "{start:?} and {} more characters", rest.chars().count())
                }
            },
            Value::Array(_) => formatter.write_str("an array"),
            Value::Object(_) => formatter.write_str("an object"),
        }
    }
}

/// A member of an object, with all its text up to the commas or braces around it.
#[derive(Debug, Clone)]
pub struct Member<'text> {
    /// Its name, without escapes.
    pub name: Cow<'text, str>,
    pub node: Node<'text>,
    /// The text before the value: white space, name, colon.
    pub(super) before: &'text str,
    /// The white space between the value and a comma.
    pub(super) after: &'text str,
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.node == other.node
    }
}

/// The members of an object in their order: no name twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Members<'text>(pub(super) Vec<Member<'text>>);

impl<'text> Members<'text> {
    pub fn iter(&self) -> impl Iterator<Item = &Member<'text>> {
        self.0.iter()
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Node<'text>> {
        self.iter().find(|member| member.name == name).map(|member| &member.node)
    }

    /// The value of the member of this name.
    pub fn value(&self, name: &str) -> Option<&Value<'text>> {
        self.get(name).map(|node| &node.value)
    }

    /// The problems of members that are not among `known`, in the object at `path`.
    pub fn unknown(&self, path: &str, known: &[&str]) -> impl Iterator<Item = Problem> {
        let unknown = self.iter().filter(|member| !known.contains(&member.name.as_ref()));
        unknown.map(move |member| unknown_field(format!("{path}{}", pointer_step(&member.name)), known))
    }
}

/// Members that are not from one text.
impl<'text> FromIterator<(&'text str, Node<'text>)> for Members<'text> {
    fn from_iter<T: IntoIterator<Item = (&'text str, Node<'text>)>>(members: T) -> Self {
        let member = |(name, node)| Member { name: Cow::Borrowed(name), node, before: "", after: "" };
        Self(members.into_iter().map(member).collect())
    }
}
