//! The canonical form of a JSON text.

use serde_json::value::RawValue;

use super::OneLevel;

/// Whether the order of an object's members matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    AsSent,
    Sorted,
}

/// `text` in the form that all texts of the same value share: no white space, strings with the fewest escapes, members in
/// the given order. Numbers keep their spelling, because treating 1 and 1.0 as equal, or 2^64 and 2^64 + 1, would alter what
/// was sent.
///
/// ```
/// # use project_flows::json::{Order, canonical};
/// assert_eq!(canonical(r#"{"b": [1.0, "\u0061"], "a": {}}"#, Order::Sorted)?, r#"{"a":{},"b":[1.0,"a"]}"#);
/// assert_eq!(canonical(r#"{"b": [1.0, "\u0061"], "a": {}}"#, Order::AsSent)?, r#"{"b":[1.0,"a"],"a":{}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn canonical(text: &str, order: Order) -> Result<String, serde_json::Error> {
    let mut canonical = String::with_capacity(text.len());
    write_canonical(serde_json::from_str(text)?, order, &mut canonical)?;
    Ok(canonical)
}

fn write_canonical(value: &RawValue, order: Order, canonical: &mut String) -> Result<(), serde_json::Error> {
    match OneLevel::read(value)? {
        OneLevel::Object(mut members) => {
            if order == Order::Sorted {
                members.sort_by(|(one, _), (other, _)| one.cmp(other));
            }
            let mut separator = "";
            canonical.push('{');
            for (name, value) in members {
                canonical.push_str(separator);
                canonical.push_str(&serde_json::to_string(&name)?);
                canonical.push(':');
                write_canonical(value, order, canonical)?;
                separator = ",";
            }
            canonical.push('}');
        }
        OneLevel::Array(values) => {
            let mut separator = "";
            canonical.push('[');
            for value in values {
                canonical.push_str(separator);
                write_canonical(value, order, canonical)?;
                separator = ",";
            }
            canonical.push(']');
        }
        OneLevel::String(text) => canonical.push_str(&serde_json::to_string(&text)?),
        OneLevel::Other(text) => canonical.push_str(text),
    }
    Ok(())
}
