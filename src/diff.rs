//! What changed from one version of a flow to another, as a JSON Patch (RFC 6902).
//!
//! `json_patch` compares values of `serde_json`, to which 2^64 and 2^64 + 1 are the same number and which would write
//! `1.0` for `1.00`. So it is given the text of each value that is neither object nor array, and the text is what the
//! patch holds. The order of members is nothing that a patch can tell.

use std::borrow::Cow;
use std::collections::BTreeMap;

use json_patch::PatchOperation;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::Cause;
use crate::json::{Shallow, pointer_step};

/// One operation of a patch.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Puts a value where none was.
    Add {
        /// A JSON Pointer (RFC 6901).
        path: String,
        /// The value.
        value: Box<RawValue>,
    },
    /// Takes a value away.
    Remove {
        /// A JSON Pointer (RFC 6901).
        path: String,
    },
    /// Puts a value in the place of another.
    Replace {
        /// A JSON Pointer (RFC 6901).
        path: String,
        /// The value.
        value: Box<RawValue>,
    },
}

/// The most that the operations inside one member may come to, in bytes, before it is replaced as a whole instead: each
/// of them spells out its path, so that they can be many times as long as what they change, and an answer holds 6 MB
/// (AWS Lambda Developer Guide, "Lambda quotas").
pub const PATCH_LIMIT: usize = 1024 * 1024;

/// The operations that make the object `to` of the object `from`.
///
/// ```
/// # use project_flows::diff::diff;
/// # use serde_json::value::RawValue;
/// let from: &RawValue = serde_json::from_str(r#"{"threshold": 1, "steps": ["email", "phone"]}"#)?;
/// let to: &RawValue = serde_json::from_str(r#"{"threshold": 1.00, "steps": ["email"]}"#)?;
/// assert_eq!(
///     serde_json::to_string(&diff(from, to).expect("a patch"))?,
///     r#"[{"op":"remove","path":"/steps/1"},{"op":"replace","path":"/threshold","value":1.00}]"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// None that the text of a [`RawValue`] could cause.
pub fn diff(from: &RawValue, to: &RawValue) -> Result<Vec<Operation>, Cause> {
    let unreadable = |error: serde_json::Error| Cause::new(format!("diff: {error}"));
    let (mut before, mut after) = differences(from, to).map_err(unreadable)?;
    let whole = replaced_whole(&mut before, &mut after, to).map_err(unreadable)?;
    let operations = json_patch::diff(&before, &after).0.into_iter().map(|operation| match operation {
        PatchOperation::Add(add) => {
            Ok(Operation::Add { path: add.path.to_string(), value: value(&add.value).map_err(unreadable)? })
        }
        PatchOperation::Replace(replace) => {
            Ok(Operation::Replace { path: replace.path.to_string(), value: value(&replace.value).map_err(unreadable)? })
        }
        PatchOperation::Remove(remove) => Ok(Operation::Remove { path: remove.path.to_string() }),
        PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => {
            Err(Cause::new("diff: expected add, replace and remove, found another operation"))
        }
    });
    operations.chain(whole.into_iter().map(Ok)).collect()
}

/// The [`texts`] of both, without the members that no operation is about: those whose text is the same in both.
fn differences(from: &RawValue, to: &RawValue) -> Result<(Value, Value), serde_json::Error> {
    let (Shallow::Object(before), Shallow::Object(after)) = (Shallow::read(from)?, Shallow::read(to)?) else {
        return Ok((texts(from)?, texts(to)?));
    };
    let mut after: BTreeMap<_, _> = after.into_iter().collect();
    let (mut from, mut to) = (Map::new(), Map::new());
    for (name, before) in before {
        match after.remove(&name) {
            Some(after) if after.get() == before.get() => {}
            Some(after) => {
                let (before, after) = differences(before, after)?;
                from.insert(name.to_string(), before);
                to.insert(name.into_owned(), after);
            }
            None => {
                from.insert(name.into_owned(), texts(before)?);
            }
        }
    }
    for (name, after) in after {
        to.insert(name.into_owned(), texts(after)?);
    }
    Ok((Value::Object(from), Value::Object(to)))
}

/// Takes the members out whose operations could be too long, and replaces them by the whole of what `to` has.
fn replaced_whole(before: &mut Value, after: &mut Value, to: &RawValue) -> Result<Vec<Operation>, serde_json::Error> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return Ok(Vec::new()) };
    let mut replaced = Vec::new();
    before.retain(|name, before| {
        let Some(now) = after.get(name) else { return true };
        let is_short = longest_patch(before).max(longest_patch(now)) <= PATCH_LIMIT;
        if !is_short {
            replaced.extend((before != now).then(|| name.clone()));
            after.remove(name);
        }
        is_short
    });
    if replaced.is_empty() {
        return Ok(Vec::new());
    }
    let Shallow::Object(members) = Shallow::read(to)? else { return Ok(Vec::new()) };
    let members = members.into_iter().filter(|(name, _)| replaced.iter().any(|replaced| replaced == name));
    let replace = |(name, value): (Cow<'_, str>, &RawValue)| Operation::Replace {
        path: pointer_step(&name),
        value: value.to_owned(),
    };
    Ok(members.map(replace).collect())
}

/// What the operations would come to if everything in a value were replaced on its own, or a little more.
fn longest_patch(value: &Value) -> usize {
    /// How many values, and the longest path to one of them.
    fn extent(value: &Value) -> (usize, usize) {
        const INDEX: usize = 6;
        let inside = match value {
            Value::Object(members) => members.iter().map(|(name, value)| (name.len(), extent(value))).collect(),
            Value::Array(values) => values.iter().map(|value| (INDEX, extent(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        let sum = |(values, path): (usize, usize), (step, (more, longest)): (usize, (usize, usize))| {
            (values + more, path.max(step + 1 + longest))
        };
        inside.into_iter().fold((1, 0), sum)
    }
    const OPERATION: usize = r#"{"op":"replace","path":"","value":},"#.len();
    let (values, path) = extent(value);
    values.saturating_mul(path + OPERATION)
}

/// `value` with the text of each value inside it that is neither object nor array.
fn texts(value: &RawValue) -> Result<Value, serde_json::Error> {
    Ok(match Shallow::read(value)? {
        Shallow::Object(members) => {
            let members = members.into_iter().map(|(name, value)| Ok((name.into_owned(), texts(value)?)));
            Value::Object(members.collect::<Result<_, serde_json::Error>>()?)
        }
        Shallow::Array(values) => Value::Array(values.into_iter().map(texts).collect::<Result<_, _>>()?),
        Shallow::String(text) => Value::String(serde_json::to_string(&text)?),
        Shallow::Other(text) => Value::String(text.to_owned()),
    })
}

/// The value whose [`texts`] these are.
fn value(texts: &Value) -> Result<Box<RawValue>, serde_json::Error> {
    let mut text = String::new();
    write(texts, &mut text)?;
    RawValue::from_string(text)
}

fn write(texts: &Value, text: &mut String) -> Result<(), serde_json::Error> {
    let mut separator = "";
    match texts {
        Value::Object(members) => {
            text.push('{');
            for (name, value) in members {
                text.push_str(separator);
                text.push_str(&serde_json::to_string(name)?);
                text.push(':');
                write(value, text)?;
                separator = ",";
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                text.push_str(separator);
                write(value, text)?;
                separator = ",";
            }
            text.push(']');
        }
        Value::String(value) => text.push_str(value),
        // There are none.
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}
