//! What changed from one version of a flow to another, as a JSON Patch (RFC 6902).
//!
//! The two documents are compared as text: to numbers, 2^64 and 2^64 + 1 would be the same, and 1.0 and 1.00 too. A patch
//! holds values as they were stored. It cannot tell the order of members.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::Cause;
use crate::json::{OneLevel, pointer_step};
use crate::size::{Budget, escaped_twice};

/// One operation of a patch; `path` is a JSON Pointer (RFC 6901).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation {
    Add { path: String, value: Box<RawValue> },
    Remove { path: String },
    Replace { path: String, value: Box<RawValue> },
}

/// The most bytes that the paths of a patch take in a response. Each operation spells out its path, so that a patch could be
/// many times as long as the document. Values cannot: those of a flow, which is an item of at most 400 KB, take 3 MB at worst.
pub const MAX_PATH_BYTES: usize = 1_000_000;

/// What an operation takes beside its path and its value: `{"op":"replace","path":"","value":},` with its quotes escaped.
const OPERATION: usize = 46;

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
pub fn diff(from: &RawValue, to: &RawValue) -> Result<Vec<PatchOperation>, Cause> {
    let budget = Budget::new(MAX_PATH_BYTES);
    let mut walk = Walk { operations: Vec::new(), path: String::new(), path_bytes: 0, level: 0, budget };
    walk.compare(from, to).map_err(|error| Cause::new(format!("diff: {error}")))?;
    Ok(walk.operations)
}

/// A walk through both documents at once.
struct Walk {
    /// What was found to differ so far.
    operations: Vec<PatchOperation>,
    /// The place that the walk is at, and its bytes in a response.
    path: String,
    path_bytes: usize,
    /// The steps of the path.
    level: usize,
    /// What is left for paths.
    budget: Budget,
}

/// Whether every difference is noted. If the budget is spent, the value that contains the difference is replaced whole.
type Noted = Result<bool, serde_json::Error>;

impl Walk {
    /// Notes how two values at this place differ.
    fn compare(&mut self, from: &RawValue, to: &RawValue) -> Noted {
        let (noted, budget) = (self.operations.len(), self.budget);
        let is_noted = match (OneLevel::read(from)?, OneLevel::read(to)?) {
            (OneLevel::Object(from), OneLevel::Object(to)) => self.members(from, to)?,
            (OneLevel::Array(from), OneLevel::Array(to)) => self.elements(&from, &to)?,
            (OneLevel::String(from), OneLevel::String(to)) => from == to,
            (OneLevel::Other(from), OneLevel::Other(to)) => from == to,
            (OneLevel::Object(_) | OneLevel::Array(_) | OneLevel::String(_) | OneLevel::Other(_), _) => false,
        };
        if is_noted {
            return Ok(true);
        }
        self.operations.truncate(noted);
        self.budget = budget;
        Ok(self.note(|path| PatchOperation::Replace { path, value: to.to_owned() }))
    }

    /// Compares members in the order of their names, then removes those that are gone.
    fn members(&mut self, from: Members<'_>, to: Members<'_>) -> Noted {
        let mut from: BTreeMap<_, _> = from.into_iter().collect();
        for (name, to) in to.into_iter().collect::<BTreeMap<_, _>>() {
            let from = from.remove(&name);
            if from.is_some_and(|from| from.get() == to.get()) {
                continue;
            }
            let is_noted = self.at(&pointer_step(&name), |walk| match from {
                Some(from) => walk.compare(from, to),
                None => Ok(walk.add(to)),
            });
            if !is_noted? {
                return Ok(false);
            }
        }
        let mut gone = from.into_keys();
        Ok(gone.all(|name| self.at(&pointer_step(&name), Self::remove)))
    }

    /// Skips the common beginning and the common end. The elements between are compared in pairs. Those left over are
    /// removed, from the end, or added.
    fn elements(&mut self, from: &[&RawValue], to: &[&RawValue]) -> Noted {
        let is_same = |(from, to): &(&&RawValue, &&RawValue)| from.get() == to.get();
        let start = from.iter().zip(to).take_while(is_same).count();
        let ((_, from), (_, to)) = (from.split_at(start), to.split_at(start));
        let end = from.iter().rev().zip(to.iter().rev()).take_while(is_same).count();
        let ((from, _), (to, _)) = (from.split_at(from.len() - end), to.split_at(to.len() - end));
        for (index, (from, to)) in (start..).zip(from.iter().zip(to)) {
            if from.get() != to.get() && !self.at(&format!("/{index}"), |walk| walk.compare(from, to))? {
                return Ok(false);
            }
        }
        let (before, after) = (start + from.len(), start + to.len());
        let mut gone = (after..before).rev();
        let mut added = (before..after).zip(to.iter().skip(from.len()));
        Ok(gone.all(|index| self.at(&format!("/{index}"), Self::remove))
            && added.all(|(index, value)| self.at(&format!("/{index}"), |walk| walk.add(value))))
    }

    /// Does something one step deeper in the path.
    fn at<T>(&mut self, step: &str, act: impl FnOnce(&mut Self) -> T) -> T {
        let (length, bytes) = (self.path.len(), self.path_bytes);
        self.path.push_str(step);
        self.path_bytes += escaped_twice(step);
        self.level += 1;
        let done = act(self);
        self.path.truncate(length);
        self.path_bytes = bytes;
        self.level -= 1;
        done
    }

    fn add(&mut self, value: &RawValue) -> bool {
        self.note(|path| PatchOperation::Add { path, value: value.to_owned() })
    }

    fn remove(&mut self) -> bool {
        self.note(|path| PatchOperation::Remove { path })
    }

    /// Notes an operation at this place. A flow has few members with short names, so each can be replaced, whatever the
    /// budget.
    fn note(&mut self, operation: impl FnOnce(String) -> PatchOperation) -> bool {
        let is_noted = self.level <= 1 || self.budget.take(OPERATION + self.path_bytes);
        if is_noted {
            self.operations.push(operation(self.path.clone()));
        }
        is_noted
    }
}

/// The members of an object.
type Members<'text> = Vec<(Cow<'text, str>, &'text RawValue)>;
