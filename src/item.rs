//! Flow ⇄ item of the table. Key and attribute names live here and nowhere else.
//!
//! `configuration` and `steps` are stored as the JSON text that was sent: native maps would rewrite numbers, lose the
//! order of members, refuse empty names and stop at 32 levels.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Cause;
use crate::flow::content::ProjectId;
use crate::flow::{Client, Flow, FlowId, Instant, Status, Summary, VERSION_DIGITS};

/// The attribute that every item has: a condition on it tells whether the item exists.
pub const PARTITION_KEY: &str = "pk";
/// The attribute that tells the items of a tenant apart.
pub const SORT_KEY: &str = "sk";
/// The attribute that a write of the next version is conditioned on.
pub const VERSION: &str = "version";

/// The index that lists a client's flows, with what a summary shows. Earlier versions and deleted flows are not in it.
pub const INDEX: &str = "newest-first";
/// The index's partition key: the client.
pub const CLIENT: &str = "client";
/// The index's sort key: `<createdAt>#<_id>`.
pub const LIST_KEY: &str = "listKey";
/// What a list can be filtered by.
pub const PROJECT: &str = "project";
/// What a list can be filtered by.
pub const TYPE: &str = "type";
/// What a list can be filtered by.
pub const STATUS: &str = "status";

/// What a summary shows.
pub const SUMMARY: [&str; 10] =
    ["_id", PROJECT, TYPE, STATUS, VERSION, "name", "description", CLIENT, "createdAt", "updatedAt"];

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// The key of a flow's newest version. The tenant is in the partition key: no client can even name another's item.
pub fn flow_key(client: &Client, id: &FlowId) -> Item {
    key(partition(client), format!("FLOW#{}", id.as_str()))
}

/// The key of an earlier version of a flow.
pub fn version_key(client: &Client, id: &FlowId, version: u64) -> Item {
    key(partition(client), version_sort(id, version))
}

/// The partition of all that a client has.
pub fn partition(client: &Client) -> String {
    format!("CLIENT#{}", client.as_str())
}

/// Where an earlier version of a flow stands in its client's partition; versions sort as numbers do.
pub fn version_sort(id: &FlowId, version: u64) -> String {
    format!("VERSION#{}#{version:0VERSION_DIGITS$}", id.as_str())
}

/// Where a flow stands in the index.
pub fn list_key(created_at: &Instant, id: &FlowId) -> String {
    format!("{created_at}#{}", id.as_str())
}

/// The key of a project in the table of projects.
pub fn project_key(project: &ProjectId) -> Item {
    HashMap::from([("_id".to_owned(), AttributeValue::S(project.as_str().to_owned()))])
}

/// The attribute of a project that names whose it is.
pub const PROJECT_CLIENT: &str = "client";

/// A key that no item has: reading it opens the connection and finds nothing.
pub fn impossible_key() -> Item {
    key("NONE".to_owned(), "NONE".to_owned())
}

/// The item of a flow's newest version.
pub fn from_flow(flow: &Flow) -> Item {
    let mut item = flow_key(&flow.client, &flow.id);
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    text("_id", flow.id.as_str());
    text(CLIENT, flow.client.as_str());
    text(PROJECT, flow.content.project.as_str());
    text(TYPE, flow.content.flow_type.as_str());
    text(STATUS, flow.status.as_str());
    text("name", flow.content.name.as_str());
    if let Some(description) = &flow.content.description {
        text("description", description.as_str());
    }
    text("configuration", flow.content.configuration.as_str());
    text("steps", flow.content.steps.as_str());
    text("createdAt", flow.created_at.as_str());
    text("updatedAt", flow.updated_at.as_str());
    if let Some(token) = &flow.write_token {
        text("writeToken", token.as_str());
    }
    if let Some(fingerprint) = &flow.fingerprint {
        text("fingerprint", fingerprint.as_str());
    }
    match flow.status {
        Status::Draft | Status::Active | Status::Paused => {
            text(LIST_KEY, &list_key(&flow.created_at, &flow.id));
        }
        Status::Deleted => {}
    }
    item.insert(VERSION.to_owned(), AttributeValue::N(flow.version.to_string()));
    item
}

/// The item of a version that is no longer the newest: all that the newest was, under its own key, and in no index.
pub fn into_version(mut newest: Item, flow: &Flow) -> Item {
    newest.extend(version_key(&flow.client, &flow.id, flow.version));
    newest.remove(LIST_KEY);
    newest
}

/// The flow that an item holds.
///
/// # Errors
///
/// The attribute that is missing or unreadable.
pub fn to_flow(item: &Item) -> Result<Flow, Cause> {
    Flow::stored(|name| text(item, name))
}

/// The summary of the flow that an item holds.
///
/// # Errors
///
/// The attribute that is missing or unreadable.
pub fn to_summary(item: &Item) -> Result<Summary, Cause> {
    Summary::stored(&|name| text(item, name))
}

/// An attribute that is a string or a number.
pub fn text<'item>(item: &'item Item, name: &str) -> Option<&'item str> {
    match item.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text),
        Some(_) | None => None,
    }
}

/// The bytes of an item: those of its names and values ("DynamoDB Item Sizes and Formats" in its Developer Guide).
pub fn size(item: &Item) -> usize {
    item.keys().map(|name| name.len() + text(item, name).map_or(0, str::len)).sum()
}

fn key(partition: String, sort: String) -> Item {
    HashMap::from([
        (PARTITION_KEY.to_owned(), AttributeValue::S(partition)),
        (SORT_KEY.to_owned(), AttributeValue::S(sort)),
    ])
}
