//! Flow ⇄ item of the table. Key and attribute names live here and nowhere else.
//!
//! `configuration` and `steps` are stored as the JSON text that was sent: native maps would rewrite numbers, lose the
//! order of members, refuse empty names and stop at 32 levels.

mod change;
mod keys;
mod list;
mod release;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

pub use self::change::{CHANGES, CHANGES_INDEX, Changed, Number, change_key, to_changed};
pub use self::keys::{FETCHED_AT, JWKS, KEYS_PARTITION, TRIED_AT, keys_key};
pub use self::list::{List, is_first, list_key, number_of, since_of};
pub use self::release::{
    HEAD_PREFIX, LAST, LIVE_FLOWS, RELEASE, RELEASE_PREFIX, RELEASE_WRITER, RELEASES, REVIEW_PREFIX, SINCE,
    after_place, from_release, head_key, head_sort_key, into_head, places_prefix, release_key, release_sort_key,
    releases_prefix, review_key, review_sort_key, to_head, to_place, to_release, to_reviewed,
};
use crate::error::Cause;
use crate::flow::members::{Description, FlowType, Json, Name, ProjectId};
use crate::flow::{
    Author, Change, Client, Definition, Digest, Fingerprint, Flow, FlowId, MAX_VERSION_DIGITS, Moment, Note, Status,
    Summary, WriteToken,
};

/// The attribute that every item has: a condition on it tells whether the item exists.
pub const PARTITION_KEY: &str = "pk";
/// The attribute that tells the items of a tenant apart.
pub const SORT_KEY: &str = "sk";
/// The attribute that a write of the next version is conditioned on.
pub const VERSION: &str = "version";

/// The index that lists a client's flows, with what a summary shows. Earlier versions are not in it.
pub const INDEX: &str = "newest-first";
/// The index's partition key: the client.
pub const CLIENT: &str = "client";
/// The index's sort key: `<createdAt>#<_id>`; `~<updatedAt>#<_id>` for a deleted flow, behind all others. Both times have
/// milliseconds, which the API does not show.
pub const LIST_KEY: &str = "listKey";
/// The sort key of the index of changes: `<instant>#<_id>#<number>`, with milliseconds. Every version and every release has
/// one, the release in force in a place has none.
pub const CHANGE_KEY: &str = "changeKey";
/// What a version or a release did.
pub const ACTION: &str = "action";
pub const PROJECT: &str = "project";
pub const TYPE: &str = "type";
pub const STATUS: &str = "status";
pub const CREATED_AT: &str = "createdAt";
pub const UPDATED_AT: &str = "updatedAt";

/// The attributes of a summary.
pub const SUMMARY: [&str; 10] =
    [ID, PROJECT, TYPE, STATUS, VERSION, "name", "description", CLIENT, CREATED_AT, UPDATED_AT];

/// The attributes of a version as a history shows it.
pub const HISTORY: [&str; 14] = [
    ID,
    PROJECT,
    TYPE,
    STATUS,
    VERSION,
    "name",
    "description",
    CLIENT,
    CREATED_AT,
    UPDATED_AT,
    BY,
    NOTE,
    RESTORED,
    DIGEST,
];

/// The attribute of an item that names a flow.
pub const ID: &str = "_id";
pub const BY: &str = "by";
const NOTE: &str = "note";
const RESTORED: &str = "restored";
const DIGEST: &str = "digest";
const CONFIGURATION: &str = "configuration";
const STEPS: &str = "steps";

/// What a partition key begins with.
pub const CLIENT_PREFIX: &str = "CLIENT#";
/// What the sort key of a newest version begins with.
pub const FLOW_PREFIX: &str = "FLOW#";
/// What the sort key of an earlier version begins with.
pub const VERSION_PREFIX: &str = "VERSION#";

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// The key of a flow's newest version. The tenant is in the partition key: no client can even name another's item.
pub fn flow_key(client: &Client, id: &FlowId) -> Item {
    key(partition(client), format!("{FLOW_PREFIX}{}", id.as_str()))
}

/// The key of an earlier version of a flow.
pub fn version_key(client: &Client, id: &FlowId, version: u64) -> Item {
    key(partition(client), version_sort_key(id, version))
}

/// The partition of all that a client has.
pub fn partition(client: &Client) -> String {
    format!("{CLIENT_PREFIX}{}", client.as_str())
}

/// Where an earlier version of a flow stands in its client's partition; versions sort as numbers do.
pub fn version_sort_key(id: &FlowId, version: u64) -> String {
    format!("{VERSION_PREFIX}{}#{version:0MAX_VERSION_DIGITS$}", id.as_str())
}

/// The key of a project in the table of projects.
pub fn project_key(project: &ProjectId) -> Item {
    HashMap::from([(ID.to_owned(), AttributeValue::S(project.as_str().to_owned()))])
}

/// The attribute of a project that names its client.
pub const PROJECT_CLIENT: &str = "client";

/// The attribute that identifies the call that wrote an item.
pub const WRITE_TOKEN: &str = "writeToken";

/// A key that no item has: reading it opens the connection and finds nothing.
pub fn impossible_key() -> Item {
    key("NONE".to_owned(), "NONE".to_owned())
}

/// The item of a flow's newest version.
pub fn from_flow(flow: &Flow) -> Item {
    let Flow { summary, configuration, steps, write_token, fingerprint, change, digest } = flow;
    let mut item = flow_key(&summary.client, &summary.id);
    add_summary(&mut item, summary);
    add_definition(&mut item, configuration, steps);
    add_change(&mut item, change);
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    if let Some(token) = write_token {
        text(WRITE_TOKEN, token.as_str());
    }
    if let Some(fingerprint) = fingerprint {
        text("fingerprint", fingerprint.as_str());
    }
    if let Some(digest) = digest {
        text(DIGEST, digest.as_str());
    }
    text(ACTION, flow.action().as_str());
    text(LIST_KEY, &list_key(summary));
    text(CHANGE_KEY, &change_key(&summary.updated_at, &summary.id, Number::Version(summary.version)));
    item
}

/// Adds what a list shows of a flow.
fn add_summary(item: &mut Item, summary: &Summary) {
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    text(ID, summary.id.as_str());
    text(CLIENT, summary.client.as_str());
    text(PROJECT, summary.project.as_str());
    text(TYPE, summary.flow_type.as_str());
    text(STATUS, summary.status.as_str());
    text("name", summary.name.as_str());
    if let Some(description) = &summary.description {
        text("description", description.as_str());
    }
    text(CREATED_AT, &summary.created_at.to_stored());
    text(UPDATED_AT, &summary.updated_at.to_stored());
    item.insert(VERSION.to_owned(), AttributeValue::N(summary.version.to_string()));
}

/// Adds the rest of what the API shows of a flow.
fn add_definition(item: &mut Item, configuration: &Json, steps: &Json) {
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    text(CONFIGURATION, configuration.as_str());
    text(STEPS, steps.as_str());
}

/// Adds who wrote an item, and why.
fn add_change(item: &mut Item, change: &Change) {
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    if let Some(author) = &change.by {
        text(BY, author.as_str());
    }
    if let Some(note) = &change.note {
        text(NOTE, note.as_str());
    }
    if let Some(restored) = change.restored {
        item.insert(RESTORED.to_owned(), AttributeValue::N(restored.to_string()));
    }
}

/// The item of a version that is no longer the newest: the same attributes under the key of an earlier version, and not in
/// the index.
pub fn into_version(mut newest: Item, flow: &Flow) -> Item {
    newest.extend(version_key(&flow.summary.client, &flow.summary.id, flow.summary.version));
    newest.remove(LIST_KEY);
    newest
}

/// The flow that an item holds.
///
/// The rules are not checked again, so a flow that was written under other rules stays readable.
pub fn to_flow(item: &Item) -> Result<Flow, Cause> {
    let Definition { configuration, steps } = to_definition(item)?;
    Ok(Flow {
        summary: to_summary(item)?,
        configuration,
        steps,
        write_token: text(item, WRITE_TOKEN).map(WriteToken::from_stored),
        fingerprint: text(item, "fingerprint").map(Fingerprint::from_stored),
        change: to_change(item)?,
        digest: to_digest(item),
    })
}

/// What the flow that an item holds asks for.
pub fn to_definition(item: &Item) -> Result<Definition, Cause> {
    let json = |name| Json::parse(required(item, name)?).ok_or_else(|| unreadable(name));
    Ok(Definition { configuration: json(CONFIGURATION)?, steps: json(STEPS)? })
}

/// Who wrote the version that an item holds, and why.
pub fn to_change(item: &Item) -> Result<Change, Cause> {
    let restored = text(item, RESTORED).map(|version| version.parse().map_err(|_| unreadable(RESTORED)));
    Ok(Change {
        by: text(item, BY).map(Author::from_stored),
        note: text(item, NOTE).map(Note::from_stored),
        restored: restored.transpose()?,
    })
}

/// The digest of the version that an item holds.
pub fn to_digest(item: &Item) -> Option<Digest> {
    text(item, DIGEST).map(Digest::from_stored)
}

/// The summary of the flow that an item holds.
pub fn to_summary(item: &Item) -> Result<Summary, Cause> {
    let text_of = |name| required(item, name);
    Ok(Summary {
        id: FlowId::parse(text_of(ID)?).ok_or_else(|| unreadable(ID))?,
        project: ProjectId::from_stored(text_of(PROJECT)?),
        flow_type: FlowType::parse(text_of(TYPE)?).ok_or_else(|| unreadable(TYPE))?,
        status: Status::parse(text_of(STATUS)?).ok_or_else(|| unreadable(STATUS))?,
        version: text_of(VERSION)?.parse().map_err(|_| unreadable(VERSION))?,
        name: Name::from_stored(text_of("name")?),
        description: text(item, "description").map(Description::from_stored),
        client: Client::parse(text_of(CLIENT)?).ok_or_else(|| unreadable(CLIENT))?,
        created_at: Moment::from_stored(text_of(CREATED_AT)?),
        updated_at: Moment::from_stored(text_of(UPDATED_AT)?),
    })
}

fn required<'item>(item: &'item Item, name: &str) -> Result<&'item str, Cause> {
    text(item, name).ok_or_else(|| unreadable(name))
}

fn unreadable(name: &str) -> Cause {
    Cause::new(format!("stored item: unreadable {name}"))
}

/// An attribute that is a string or a number.
pub fn text<'item>(item: &'item Item, name: &str) -> Option<&'item str> {
    match item.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => Some(text),
        Some(_) | None => None,
    }
}

fn key(partition: String, sort: String) -> Item {
    HashMap::from([
        (PARTITION_KEY.to_owned(), AttributeValue::S(partition)),
        (SORT_KEY.to_owned(), AttributeValue::S(sort)),
    ])
}
