//! JSON Merge Patch (RFC 7396) on texts: the members that a patch does not name keep their text byte for byte.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{OneLevel, Order, canonical};

/// `target` as `patch` changes it. It is the same text if the patch changes nothing: if all that it sets is there already
/// (white space and escapes do not matter), and all that it removes is absent.
///
/// New members come last. They and new values have the text of the patch, without the members that are `null`.
///
/// ```
/// # use project_flows::json::merge_patch;
/// let target = r#"{"face": 0.90, "document": {"method": "scan"}, "mine": [1,  2]}"#;
/// assert_eq!(
///     merge_patch(target, r#"{"document": null, "face": 0.95, "voice": 1.0}"#)?,
///     r#"{"face": 0.95, "mine": [1,  2], "voice": 1.0}"#
/// );
/// assert_eq!(merge_patch(target, r#"{"document": {"method":"\u0073can"}, "voice": null}"#)?, target);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// One of them is not JSON.
pub fn merge_patch(target: &str, patch: &str) -> Result<String, serde_json::Error> {
    let mut merged = String::with_capacity(target.len() + patch.len());
    merge(serde_json::from_str(target)?, serde_json::from_str(patch)?, &mut merged)?;
    Ok(merged)
}

/// Writes what becomes of `target`.
fn merge(target: &RawValue, patch: &RawValue, merged: &mut String) -> Result<(), serde_json::Error> {
    let Some(changes) = Object::read(patch)? else {
        merged.push_str(if is_same(target, patch)? { target } else { patch }.get());
        return Ok(());
    };
    let Some(object) = Object::read(target)? else { return write_without_nulls(patch, merged) };

    let mut named: HashMap<_, _> = changes.members.iter().map(|change| (&change.name, change.value)).collect();
    let mut list = List::begin(merged);
    for member in &object.members {
        match named.remove(&member.name) {
            Some(patch) if is_null(patch) => {}
            Some(patch) => {
                list.member(member);
                merge(member.value, patch, list.text)?;
                list.text.push_str(member.after);
            }
            None => {
                list.member(member);
                list.text.push_str(member.value.get());
                list.text.push_str(member.after);
            }
        }
    }
    for change in changes.members.iter().filter(|change| named.contains_key(&change.name) && !is_null(change.value)) {
        list.member(change);
        write_without_nulls(change.value, list.text)?;
    }
    list.end(object.end);
    Ok(())
}

/// Whether both have the same value. White space and escapes do not matter.
fn is_same(one: &RawValue, other: &RawValue) -> Result<bool, serde_json::Error> {
    let canonical = |value: &RawValue| canonical(value.get(), Order::AsSent);
    Ok(one.get() == other.get() || canonical(one)? == canonical(other)?)
}

/// Writes a new value: without the members that are `null`, in objects within objects too. Those in arrays stay.
fn write_without_nulls(value: &RawValue, text: &mut String) -> Result<(), serde_json::Error> {
    // Most patches have none.
    let may_have_nulls = value.get().contains("null");
    let Some(object) = Object::read(value)?.filter(|_| may_have_nulls) else {
        text.push_str(value.get());
        return Ok(());
    };
    let mut list = List::begin(text);
    for member in object.members.iter().filter(|member| !is_null(member.value)) {
        list.member(member);
        write_without_nulls(member.value, list.text)?;
        list.text.push_str(member.after);
    }
    list.end(object.end);
    Ok(())
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// An object, cut at its braces and commas: all its text is in one of the parts.
struct Object<'text> {
    members: Vec<Member<'text>>,
    /// The white space before the closing brace.
    end: &'text str,
}

struct Member<'text> {
    name: Cow<'text, str>,
    /// The text before the value: white space, name, colon.
    before: &'text str,
    value: &'text RawValue,
    /// The white space between the value and a comma.
    after: &'text str,
}

impl<'text> Object<'text> {
    /// `None` if `value` is not an object.
    fn read(value: &'text RawValue) -> Result<Option<Self>, serde_json::Error> {
        let text = value.get();
        if !text.starts_with('{') {
            return Ok(None);
        }
        let OneLevel::Object(found) = OneLevel::read(value)? else { return Ok(None) };
        let mut members: Vec<Member<'text>> = Vec::with_capacity(found.len());
        let mut rest = text.strip_prefix('{').unwrap_or_default();
        for (name, value) in found {
            let start = value.get().as_ptr().addr() - rest.as_ptr().addr();
            let (between, from_value) = rest.split_at_checked(start).unwrap_or_default();
            // Only white space precedes the comma, so a comma in the name is not the first one.
            let before = match members.last_mut() {
                Some(previous) => {
                    let (after, before) = between.split_once(',').unwrap_or_default();
                    previous.after = after;
                    before
                }
                None => between,
            };
            members.push(Member { name, before, value, after: "" });
            rest = from_value.get(value.get().len()..).unwrap_or_default();
        }
        Ok(Some(Self { members, end: rest.strip_suffix('}').unwrap_or_default() }))
    }
}

/// An object that is being written.
struct List<'text> {
    text: &'text mut String,
    separator: &'static str,
}

impl<'text> List<'text> {
    fn begin(text: &'text mut String) -> Self {
        text.push('{');
        Self { text, separator: "" }
    }

    /// Begins a member, up to its value.
    fn member(&mut self, member: &Member<'_>) {
        self.text.push_str(self.separator);
        self.text.push_str(member.before);
        self.separator = ",";
    }

    fn end(self, end: &str) {
        self.text.push_str(end);
        self.text.push('}');
    }
}
