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
/// When a flow was created.
pub const CREATED_AT: &str = "createdAt";
/// When a version was written.
pub const UPDATED_AT: &str = "updatedAt";

/// What a summary shows.
pub const SUMMARY: [&str; 10] =
    ["_id", PROJECT, TYPE, STATUS, VERSION, "name", "description", CLIENT, CREATED_AT, UPDATED_AT];

/// What no update changes: each version has it as the first had it.
pub const UNCHANGING: [&str; 4] = [PROJECT, TYPE, CREATED_AT, "fingerprint"];
/// What tells an item from others, and holds nothing that a client would not have others read.
pub const TELLING: [&str; 11] =
    [PARTITION_KEY, SORT_KEY, "_id", CLIENT, PROJECT, TYPE, STATUS, VERSION, LIST_KEY, CREATED_AT, UPDATED_AT];

const CLIENT_PREFIX: &str = "CLIENT#";
const FLOW_PREFIX: &str = "FLOW#";
const VERSION_PREFIX: &str = "VERSION#";
/// What sorts behind every key that an item has here.
const LAST: &str = "\u{10ffff}";

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// The key of a flow's newest version. The tenant is in the partition key: no client can even name another's item.
pub fn flow_key(client: &Client, id: &FlowId) -> Item {
    key(partition(client), format!("{FLOW_PREFIX}{}", id.as_str()))
}

/// The key of an earlier version of a flow.
pub fn version_key(client: &Client, id: &FlowId, version: u64) -> Item {
    key(partition(client), version_sort(id, version))
}

/// The partition of all that a client has.
pub fn partition(client: &Client) -> String {
    partition_of(client.as_str())
}

/// The same, for what the index calls a client, whether it is one or not.
pub fn partition_of(client: &str) -> String {
    format!("{CLIENT_PREFIX}{client}")
}

/// Where an earlier version of a flow stands in its client's partition; versions sort as numbers do.
pub fn version_sort(id: &FlowId, version: u64) -> String {
    format!("{VERSION_PREFIX}{}#{version:0VERSION_DIGITS$}", id.as_str())
}

/// What an item is, by its sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The newest version of a flow.
    Newest(FlowId),
    /// An earlier version of a flow.
    Version(FlowId, u64),
}

impl Place {
    /// The place that a sort key names, or `None` when no item of this kind is known.
    pub fn parse(sort: &str) -> Option<Self> {
        if let Some(id) = sort.strip_prefix(FLOW_PREFIX) {
            return FlowId::parse(id).map(Self::Newest);
        }
        let (id, digits) = sort.strip_prefix(VERSION_PREFIX)?.split_once('#')?;
        let (id, version) = (FlowId::parse(id)?, digits.parse().ok().filter(|version| *version > 0)?);
        (version_sort(&id, version) == sort).then_some(Self::Version(id, version))
    }
}

/// The client whose partition it is, or `None` when it is nobody's.
pub fn partition_client(partition: &str) -> Option<Client> {
    Client::parse(partition.strip_prefix(CLIENT_PREFIX)?)
}

/// Where the earlier versions begin in a client's partition: all flows sort before, in the order of their ids, and the
/// versions after, in the order of their flows' ids.
pub const VERSIONS: &str = VERSION_PREFIX;

/// A key behind every item of a partition.
pub fn behind_partition(partition: &str) -> Item {
    key(partition.to_owned(), LAST.to_owned())
}

/// A key behind everything that the index has of a client.
pub fn behind_client(client: &str) -> Item {
    let mut behind = key(LAST.to_owned(), LAST.to_owned());
    for (name, value) in [(CLIENT, client), (LIST_KEY, LAST)] {
        behind.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }
    behind
}

/// The key of an item that was read, or of the item that an entry of the index was made of.
pub fn key_of(item: &Item) -> Item {
    item.iter()
        .filter(|(name, _)| [PARTITION_KEY, SORT_KEY].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What the index has of an item, or `None` when it has nothing of it.
pub fn entry(item: &Item) -> Option<Item> {
    let indexed = [CLIENT, LIST_KEY].iter().all(|name| matches!(item.get(*name), Some(AttributeValue::S(_))));
    let shown = |name: &str| SUMMARY.contains(&name) || [PARTITION_KEY, SORT_KEY, LIST_KEY].contains(&name);
    indexed.then(|| {
        item.iter().filter(|(name, _)| shown(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    })
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
    text(CREATED_AT, flow.created_at.as_str());
    text(UPDATED_AT, flow.updated_at.as_str());
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
