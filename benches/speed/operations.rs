//! The measured operations, each with an event of `events/` and its calls to the database.

use serde_json::Value;

pub struct Operation {
    pub name: &'static str,
    event: &'static str,
    /// The calls, in the form of `CALLS` in `benches/peers/raw.rs`.
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
    /// The event on one line, as Lambda gives it, without a precondition that the front's version does not meet.
    pub fn event(&self) -> String {
        let mut event: Value = serde_json::from_str(self.event).unwrap();
        event["headers"].as_object_mut().unwrap().remove("if-match");
        event.to_string()
    }
}
