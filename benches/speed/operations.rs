//! The operations that are measured: an event of `events/` each, and the calls to the database that it comes to.

use serde_json::Value;

pub struct Operation {
    pub name: &'static str,
    event: &'static str,
    /// The calls, as `CALLS` of `benches/peers/raw.rs` takes them.
    pub calls: &'static str,
}

macro_rules! operation {
    ($name:literal, $event:literal, $calls:literal) => {
        Operation { name: $name, event: include_str!(concat!("../../events/", $event, ".json")), calls: $calls }
    };
}

pub const OPERATIONS: [Operation; 9] = [
    operation!("create", "create-flow", "PutItem"),
    operation!("retrieve", "retrieve-flow", "GetItem"),
    operation!("update", "update-flow", "GetItem,TransactWriteItems"),
    operation!("delete", "delete-flow", "GetItem,TransactWriteItems"),
    operation!("list", "list-flows-rest-api", "Query,Count"),
    operation!("versions", "list-versions", "GetItem,Query"),
    operation!("version", "retrieve-version", "GetItem,GetItem"),
    operation!("diff", "diff-versions", "GetItem,GetItem"),
    operation!("restore", "restore-version", "GetItem,GetItem,GetItem,TransactWriteItems"),
];

impl Operation {
    /// The event on one line, as Lambda hands it over, and without a condition on another version than the front has.
    pub fn event(&self) -> String {
        let mut event: Value = serde_json::from_str(self.event).unwrap();
        event["headers"].as_object_mut().unwrap().remove("if-match");
        event.to_string()
    }
}
