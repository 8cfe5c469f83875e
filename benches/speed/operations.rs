//! The measured operations: those rows of `tests/operations.json` that have a name.

use std::fs;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

pub struct Operation {
    pub name: &'static str,
    /// The file in `events/` that has the request.
    event: &'static str,
    /// Its calls to the database, in the form of `CALLS` in `benches/peers/raw.rs`.
    pub calls: &'static str,
}

#[derive(Deserialize)]
struct Row {
    name: Option<&'static str>,
    event: &'static str,
    bare: Option<&'static str>,
}

pub static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../tests/operations.json")).unwrap();
    rows.iter().filter_map(|row| Some(Operation { name: row.name?, event: row.event, calls: row.bare? })).collect()
});

/// A flow that is active and not live.
pub const ACTIVE: &str = "project_flow_00000000000000000000000000";

impl Operation {
    /// The event on one line, as Lambda gives it, without a precondition that the front's version does not meet. A release is
    /// one of [`ACTIVE`].
    pub fn event(&self) -> String {
        let file = format!("{}/events/{}.json", env!("CARGO_MANIFEST_DIR"), self.event);
        let mut event: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        event["headers"].as_object_mut().unwrap().remove("if-match");
        if self.name == "release" {
            event["body"] = json!({ "_id": ACTIVE, "version": 2 }).to_string().into();
        }
        event.to_string()
    }
}
