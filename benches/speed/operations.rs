//! The operations that are measured: an event of `events/` each, and the calls to the database that it comes to.

use serde_json::Value;

pub struct Operation {
    pub name: &'static str,
    event: &'static str,
    /// The calls, as `CALLS` of `benches/peers/raw.rs` takes them.
    pub calls: &'static str,
    pub status: u16,
}

macro_rules! operation {
    ($name:literal, $event:literal, $calls:literal, $status:literal) => {
        Operation {
            name: $name,
            event: include_str!(concat!("../../events/", $event, ".json")),
            calls: $calls,
            status: $status,
        }
    };
}

pub const OPERATIONS: [Operation; 9] = [
    operation!("create", "create-flow", "PutItem", 201),
    operation!("retrieve", "retrieve-flow", "GetItem", 200),
    operation!("update", "update-flow", "GetItem,TransactWriteItems", 200),
    operation!("delete", "delete-flow", "GetItem,TransactWriteItems", 200),
    operation!("list", "list-flows-rest-api", "Query", 200),
    operation!("versions", "list-versions", "GetItem,Query", 200),
    operation!("version", "retrieve-version", "GetItem,GetItem", 200),
    operation!("diff", "diff-versions", "GetItem,GetItem", 200),
    operation!("restore", "restore-version", "GetItem,GetItem,GetItem,TransactWriteItems", 200),
];

impl Operation {
    /// The event on one line, as Lambda hands it over, and without a condition on another version than the front has.
    pub fn event(&self) -> String {
        let mut event: Value = serde_json::from_str(self.event).unwrap();
        event["headers"].as_object_mut().unwrap().remove("if-match");
        event.to_string()
    }
}
