//! The canonical form: the text that all texts of the same object share, whatever the order of members.
//!
//! It has no white space, strings with the fewest escapes, and members sorted by name. Numbers keep their spelling, because
//! treating 1 and 1.0 as equal, or 2^64 and 2^64 + 1, would alter what was sent.

use serde::ser::{Serialize, Serializer};

use super::{Members, Node, Value};

impl Members<'_> {
    /// The canonical form of the object.
    ///
    /// ```
    /// # use project_flows::json;
    /// let members = json::read_object(br#"{"b": [1.0, "\u0061"], "a": {}}"#)?;
    /// assert_eq!(members.canonical().expect("a text"), r#"{"a":{},"b":[1.0,"a"]}"#);
    /// # Ok::<(), project_flows::problem::Problem>(())
    /// ```
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Sorted(self))
    }
}

struct Sorted<'tree, T>(&'tree T);

impl Serialize for Sorted<'_, Members<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members: Vec<_> = self.0.iter().map(|member| (&member.name, Sorted(&member.node))).collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        serializer.collect_map(members)
    }
}

impl Serialize for Sorted<'_, Node<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.0.serialize(serializer),
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(nodes) => serializer.collect_seq(nodes.iter().map(Sorted)),
            Value::Object(members) => Sorted(members).serialize(serializer),
        }
    }
}
