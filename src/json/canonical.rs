//! The canonical form: the text that all texts of the same object share, whatever the order of members.
//!
//! It has no white space, strings with the fewest escapes, and members sorted by name. Numbers keep their spelling, because
//! treating 1 and 1.0 as equal, or 2^64 and 2^64 + 1, would alter what was sent.

use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Members, Value};

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
        let mut members: Vec<_> = self.0.iter().map(|member| (&member.name, Sorted(&member.node.value))).collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        serializer.collect_map(members)
    }
}

impl Serialize for Sorted<'_, Value<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(text) => {
                serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer)
            }
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(nodes) => serializer.collect_seq(nodes.iter().map(|node| Sorted(&node.value))),
            Value::Object(members) => Sorted(members).serialize(serializer),
        }
    }
}
