//! What changed from one version of a flow to another, as a JSON Patch (RFC 6902).
//!
//! The two documents are compared as text: to numbers, 2^64 and 2^64 + 1 would be the same, and 1.0 and 1.00 too. A patch
//! holds values as they were stored. It cannot tell the order of members.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::json::{Members, Node, Value, pointer_step};
use crate::size::{Budget, escaped_twice};

/// One operation of a patch; `path` is a JSON Pointer (RFC 6901).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation<'tree> {
    Add { path: String, value: &'tree Node<'tree> },
    Remove { path: String },
    Replace { path: String, value: &'tree Node<'tree> },
}

/// The most bytes that the paths of a patch take in a response. Each operation spells out its path, so that a patch could be
/// many times as long as the document. Values cannot: those of a flow, which is an item of at most 400 KB, take 3 MB at worst.
pub const MAX_PATH_BYTES: usize = 1_000_000;

/// What an operation takes beside its path and its value: `{"op":"replace","path":"","value":},` with its quotes escaped.
const OPERATION: usize = 46;

/// The operations that make the object `to` of the object `from`.
///
/// ```
/// # use project_flows::{diff::diff, json};
/// let from = serde_json::from_str(r#"{"threshold": 1, "steps": ["email", "phone"]}"#)?;
/// let to = serde_json::from_str(r#"{"threshold": 1.00, "steps": ["email"]}"#)?;
/// assert_eq!(
///     serde_json::to_string(&diff(&json::read(from).expect("a tree"), &json::read(to).expect("a tree")))?,
///     r#"[{"op":"remove","path":"/steps/1"},{"op":"replace","path":"/threshold","value":1.00}]"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn diff<'tree>(from: &Node<'_>, to: &'tree Node<'tree>) -> Vec<PatchOperation<'tree>> {
    let budget = Budget::new(MAX_PATH_BYTES);
    let mut walk = Walk { operations: Vec::new(), path: String::new(), path_bytes: 0, level: 0, budget };
    walk.compare(from, to);
    walk.operations
}

/// A walk through both documents at once.
struct Walk<'tree> {
    /// What was found to differ so far.
    operations: Vec<PatchOperation<'tree>>,
    /// The place that the walk is at, and its bytes in a response.
    path: String,
    path_bytes: usize,
    /// The steps of the path.
    level: usize,
    /// What is left for paths.
    budget: Budget,
}

/// Each step says whether every difference is noted. If the budget is spent, the value that contains the difference is
/// replaced whole.
impl<'tree> Walk<'tree> {
    /// Notes how two values at this place differ.
    fn compare(&mut self, from: &Node<'_>, to: &'tree Node<'tree>) -> bool {
        let (noted, budget) = (self.operations.len(), self.budget);
        let is_noted = match (&from.value, &to.value) {
            (Value::Object(from), Value::Object(to)) => self.members(from, to),
            (Value::Array(from), Value::Array(to)) => self.elements(from, to),
            (from, to) => from == to,
        };
        if is_noted {
            return true;
        }
        self.operations.truncate(noted);
        self.budget = budget;
        self.note(|path| PatchOperation::Replace { path, value: to })
    }

    /// Compares members in the order of their names, then removes those that are gone.
    fn members(&mut self, from: &Members<'_>, to: &'tree Members<'tree>) -> bool {
        let mut from: BTreeMap<_, _> = from.iter().map(|member| (&member.name, &member.node)).collect();
        let to: BTreeMap<_, _> = to.iter().map(|member| (&member.name, &member.node)).collect();
        let mut compared = to.into_iter().filter_map(|(name, to)| match from.remove(name) {
            Some(from) if from.text == to.text => None,
            from => Some((name, from, to)),
        });
        compared.all(|(name, from, to)| {
            self.at(&pointer_step(name), |walk| match from {
                Some(from) => walk.compare(from, to),
                None => walk.add(to),
            })
        }) && from.into_keys().all(|name| self.at(&pointer_step(name), Self::remove))
    }

    /// Skips the common beginning and the common end. The elements between are compared in pairs. Those left over are
    /// removed, from the end, or added.
    fn elements(&mut self, from: &[Node<'_>], to: &'tree [Node<'tree>]) -> bool {
        let is_same = |(from, to): &(&Node<'_>, &Node<'_>)| from.text == to.text;
        let start = from.iter().zip(to).take_while(is_same).count();
        let ((_, from), (_, to)) = (from.split_at(start), to.split_at(start));
        let end = from.iter().rev().zip(to.iter().rev()).take_while(is_same).count();
        let ((from, _), (to, _)) = (from.split_at(from.len() - end), to.split_at(to.len() - end));
        let mut pairs = (start..).zip(from.iter().zip(to)).filter(|(_, pair)| !is_same(pair));
        let (before, after) = (start + from.len(), start + to.len());
        let mut added = (before..after).zip(to.iter().skip(from.len()));
        pairs.all(|(index, (from, to))| self.at(&format!("/{index}"), |walk| walk.compare(from, to)))
            && (after..before).rev().all(|index| self.at(&format!("/{index}"), Self::remove))
            && added.all(|(index, node)| self.at(&format!("/{index}"), |walk| walk.add(node)))
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

    fn add(&mut self, value: &'tree Node<'tree>) -> bool {
        self.note(|path| PatchOperation::Add { path, value })
    }

    fn remove(&mut self) -> bool {
        self.note(|path| PatchOperation::Remove { path })
    }

    /// Notes an operation at this place. A flow has few members with short names, so each can be replaced, whatever the
    /// budget.
    fn note(&mut self, operation: impl FnOnce(String) -> PatchOperation<'tree>) -> bool {
        let is_noted = self.level <= 1 || self.budget.take(OPERATION + self.path_bytes);
        if is_noted {
            self.operations.push(operation(self.path.clone()));
        }
        is_noted
    }
}
