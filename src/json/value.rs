//! JSON values, and the reader that refuses what `serde_json` lets pass.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{MAX_LEVELS, NameSeed, Refusal, pointer_step, refuse_duplicates};

/// A JSON value that borrows from its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'text> {
    Null,
    Bool(bool),
    /// A number without fraction and exponent, from 0 to 2^64 - 1.
    Unsigned(u64),
    /// Any other number, rounded to a double.
    Number(f64),
    /// A string, without its escapes.
    String(Cow<'text, str>),
    Array(Vec<Value<'text>>),
    Object(Members<'text>),
}

/// The members of an object: no name twice.
pub type Members<'text> = Vec<(Cow<'text, str>, Value<'text>)>;

/// A value as a sentence names it: short, whatever its size.
impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXCERPT: usize = 40;
        match self {
            Value::Null => formatter.write_str("null"),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Unsigned(value) => write!(formatter, "{value}"),
            Value::Number(value) => write!(formatter, "{value:?}"),
            Value::String(value) => match value.char_indices().nth(EXCERPT) {
                None => write!(formatter, "{value:?}"),
                Some((end, _)) => {
                    let (start, _) = value.split_at(end);
                    write!(formatter, "{start:?} and {} more characters", value.chars().count() - EXCERPT)
                }
            },
            Value::Array(_) => formatter.write_str("an array"),
            Value::Object(_) => formatter.write_str("an object"),
        }
    }
}

/// Reads one value. A refusal does not fit into an error of `serde_json`, so it is kept beside it.
pub(super) struct ValueSeed<'refusal> {
    pub(super) level: usize,
    pub(super) refusal: &'refusal mut Option<Refusal>,
}

impl ValueSeed<'_> {
    fn refuse<E: de::Error>(&mut self, refusal: Refusal) -> E {
        *self.refusal = Some(refusal);
        E::custom("refused")
    }

    /// The seed of a value inside this one.
    const fn inner(&mut self) -> ValueSeed<'_> {
        ValueSeed { level: self.level + 1, refusal: self.refusal }
    }

    /// Adds a step to the path of a refusal from inside.
    fn passed(&mut self, step: impl FnOnce() -> String) {
        if let Some(Refusal::Rule { steps, .. }) = self.refusal {
            steps.push(step());
        }
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if self.level > MAX_LEVELS { Err(self.refuse(Refusal::too_deep())) } else { Ok(()) }
    }
}

impl<'text> DeserializeSeed<'text> for ValueSeed<'_> {
    type Value = Value<'text>;

    fn deserialize<D: Deserializer<'text>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'text> Visitor<'text> for ValueSeed<'_> {
    type Value = Value<'text>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Value::Unsigned(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a negative number is only ever compared with small bounds")]
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'text str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'text>>(mut self, mut sequence: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut values = Vec::new();
        loop {
            match sequence.next_element_seed(self.inner()) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => return Ok(Value::Array(values)),
                Err(error) => {
                    self.passed(|| format!("/{}", values.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'text>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        self.enter()?;
        let mut members: Members<'text> = Vec::new();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            match map.next_value_seed(self.inner()) {
                Ok(value) => members.push((name, value)),
                Err(error) => {
                    self.passed(|| pointer_step(&name));
                    return Err(error);
                }
            }
        }
        match refuse_duplicates(members.iter().map(|(name, _)| name.as_ref())) {
            Ok(()) => Ok(Value::Object(members)),
            Err(refusal) => Err(self.refuse(refusal)),
        }
    }
}
