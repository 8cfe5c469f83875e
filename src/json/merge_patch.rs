//! JSON Merge Patch (RFC 7396) on texts: the members that a patch does not name keep their text byte for byte.

use std::collections::HashMap;

use super::{Member, Node, Value};

/// `target` as `patch` changes it. It is the same text if the patch changes nothing: if all that it sets is there already
/// (white space and escapes do not matter), and all that it removes is absent.
///
/// New members come last. They and new values have the text of the patch, without the members that are `null`.
///
/// ```
/// # use project_flows::json::{merge_patch, read};
/// # use serde_json::from_str;
/// let target = read(from_str(r#"{"face": 0.90, "document": {"method": "scan"}, "mine": [1,  2]}"#)?).expect("a tree");
/// let patch = read(from_str(r#"{"document": null, "face": 0.95, "voice": 1.0}"#)?).expect("a tree");
/// assert_eq!(merge_patch(&target, &patch), r#"{"face": 0.95, "mine": [1,  2], "voice": 1.0}"#);
///
/// let patch = read(from_str(r#"{"document": {"method":"\u0073can"}, "voice": null}"#)?).expect("a tree");
/// assert_eq!(merge_patch(&target, &patch), target.text);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn merge_patch(target: &Node<'_>, patch: &Node<'_>) -> String {
    let mut merged = String::with_capacity(target.text.len() + patch.text.len());
    merge(target, patch, &mut merged);
    merged
}

/// Writes what becomes of `target`.
fn merge(target: &Node<'_>, patch: &Node<'_>, merged: &mut String) {
    let Value::Object(changes) = &patch.value else {
        return merged.push_str(if target == patch { target } else { patch }.text);
    };
    let Value::Object(members) = &target.value else { return write_without_nulls(patch, merged) };
    let mut named: HashMap<_, _> = changes.iter().map(|change| (&change.name, &change.node)).collect();
    merged.push('{');
    for member in members.iter() {
        let patch = named.remove(&member.name);
        if patch.is_some_and(is_null) {
            continue;
        }
        begin_member(member, merged);
        match patch {
            Some(patch) => merge(&member.node, patch, merged),
            None => merged.push_str(member.node.text),
        }
        merged.push_str(member.after);
    }
    for change in changes.iter().filter(|change| named.contains_key(&change.name) && !is_null(&change.node)) {
        begin_member(change, merged);
        write_without_nulls(&change.node, merged);
    }
    end_object(target, merged);
}

/// Writes a new value: without the members that are `null`, in objects within objects too. Those in arrays stay.
fn write_without_nulls(node: &Node<'_>, text: &mut String) {
    let Value::Object(members) = &node.value else { return text.push_str(node.text) };
    text.push('{');
    for member in members.iter().filter(|member| !is_null(&member.node)) {
        begin_member(member, text);
        write_without_nulls(&member.node, text);
        text.push_str(member.after);
    }
    end_object(node, text);
}

const fn is_null(node: &Node<'_>) -> bool {
    matches!(node.value, Value::Null)
}

/// Writes a member up to its value. Only an object without members ends with its opening brace.
fn begin_member(member: &Member<'_>, text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(member.before);
}

/// Writes the white space and the brace at the end of `object`.
fn end_object(object: &Node<'_>, text: &mut String) {
    let inside = object.text.strip_suffix('}').unwrap_or_default();
    text.push_str(inside.get(inside.trim_end().len()..).unwrap_or_default());
    text.push('}');
}
