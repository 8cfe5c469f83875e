//! A JSON text, one level at a time.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer};
use serde_json::value::RawValue;

use super::{MembersVisitor, NameSeed};

/// A value with what is inside it left as text.
#[derive(Debug)]
pub enum OneLevel<'text> {
    Object(Vec<(Cow<'text, str>, &'text RawValue)>),
    Array(Vec<&'text RawValue>),
    /// A string, without its escapes.
    String(Cow<'text, str>),
    /// A number, `true`, `false` or `null`, as it is spelled.
    Other(&'text str),
}

impl<'text> OneLevel<'text> {
    /// Reads one level of `value`.
    pub fn read(value: &'text RawValue) -> Result<Self, serde_json::Error> {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'{') => serde_json::Deserializer::from_str(text).deserialize_map(MembersVisitor).map(Self::Object),
            Some(b'[') => serde_json::from_str(text).map(Self::Array),
            Some(b'"') => NameSeed.deserialize(&mut serde_json::Deserializer::from_str(text)).map(Self::String),
            Some(_) | None => Ok(Self::Other(text)),
        }
    }
}
