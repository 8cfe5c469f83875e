//! The measured operations, each with an event of `events/` and its calls to the database.

use serde_json::{Value, json};

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

pub const OPERATIONS: [Operation; 16] = [
    operation!("create", "create-flow", "PutItem"),
    operation!("retrieve", "retrieve-flow", "GetItem"),
    operation!("update", "update-flow", "GetItem,TransactWriteItems"),
    operation!("patch", "patch-flow", "GetItem,TransactWriteItems"),
    operation!("delete", "delete-flow", "GetItem,TransactWriteItems"),
    operation!("list", "list-flows-rest-api", "Query,Count"),
    operation!("versions", "list-versions", "GetItem,Query"),
    operation!("version", "retrieve-version", "GetItem,GetItem"),
    operation!("diff", "diff-versions", "GetItem,GetItem"),
    operation!("restore", "restore-version", "GetItem,GetItem,GetItem,TransactWriteItems"),
    operation!("live", "retrieve-live-flow", "GetLive"),
    operation!("live then", "retrieve-live-flow-as-of", "QueryRelease"),
    operation!("release", "release-flow", "GetLive,GetItem,Release"),
    operation!("withdraw", "withdraw-flow", "GetLive,Withdraw"),
    operation!("releases", "list-releases", "QueryReleases"),
    operation!("live list", "list-live-flows", "QueryLive"),
];

/// A flow that is active and not live.
pub const ACTIVE: &str = "project_flow_00000000000000000000000000";

impl Operation {
    /// The event on one line, as Lambda gives it, without a precondition that the front's version does not meet. A release is
    /// one of [`ACTIVE`].
    pub fn event(&self) -> String {
        let mut event: Value = serde_json::from_str(self.event).unwrap();
        event["headers"].as_object_mut().unwrap().remove("if-match");
        if self.name == "release" {
            event["body"] = json!({ "_id": ACTIVE, "version": 2 }).to_string().into();
        }
        event.to_string()
    }
}
