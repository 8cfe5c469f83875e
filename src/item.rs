//! Flow ⇄ item of the table. Key and attribute names live here and nowhere else.
//!
//! `configuration` and `steps` are stored as the JSON text that was sent: native maps would rewrite numbers, lose the
//! order of members, refuse empty names and stop at 32 levels.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::error::Cause;
use crate::flow::content::ProjectId;
use crate::flow::{Client, Flow, FlowId};

/// The attribute that every item has: a condition on it tells whether the item exists.
pub const PARTITION_KEY: &str = "pk";
const SORT_KEY: &str = "sk";

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// The key of a flow's newest version. The tenant is in the partition key: no client can even name another's item.
pub fn flow_key(client: &Client, id: &FlowId) -> Item {
    key(format!("CLIENT#{}", client.as_str()), format!("FLOW#{}", id.as_str()))
}

/// The key of an earlier version of a flow: 10 digits, so that versions sort as numbers do.
pub fn version_key(client: &Client, id: &FlowId, version: u64) -> Item {
    key(format!("CLIENT#{}", client.as_str()), format!("VERSION#{}#{version:010}", id.as_str()))
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
    text("client", flow.client.as_str());
    text("project", flow.content.project.as_str());
    text("type", flow.content.flow_type.as_str());
    text("status", flow.status.as_str());
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
    text("listKey", &format!("{}#{}", flow.created_at, flow.id.as_str()));
    item.insert("version".to_owned(), AttributeValue::N(flow.version.to_string()));
    item
}

/// The flow that an item holds.
///
/// # Errors
///
/// The attribute that is missing or unreadable.
pub fn to_flow(item: &Item) -> Result<Flow, Cause> {
    Flow::stored(|name| match item.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text),
        Some(_) | None => None,
    })
}

fn key(partition: String, sort: String) -> Item {
    HashMap::from([
        (PARTITION_KEY.to_owned(), AttributeValue::S(partition)),
        (SORT_KEY.to_owned(), AttributeValue::S(sort)),
    ])
}
