//! Keys and index entries of items, as far as only this check needs them.

use aws_sdk_dynamodb::types::AttributeValue;
use project_flows::flow::members::{FlowType, ProjectId};
use project_flows::flow::{Client, FlowId, Moment, Place, ReleasedVersion};
use project_flows::item::{self, Item};

/// Attributes that no update changes: all versions have the same.
pub const UNCHANGING: [&str; 4] = [item::PROJECT, item::TYPE, item::CREATED_AT, "fingerprint"];
/// Identifying attributes, safe to print.
pub const IDENTIFYING: [&str; 15] = [
    item::PARTITION_KEY,
    item::SORT_KEY,
    "_id",
    item::CLIENT,
    item::PROJECT,
    item::TYPE,
    item::STATUS,
    item::VERSION,
    item::LIST_KEY,
    item::CHANGE_KEY,
    item::ACTION,
    item::CREATED_AT,
    item::UPDATED_AT,
    item::RELEASE,
    item::SINCE,
];

/// An index of the table.
#[derive(Debug)]
pub struct Index {
    pub name: &'static str,
    /// Its sort key; its partition key is the client.
    pub sort: &'static str,
    /// The attributes that it shows, beside the keys.
    shown: &'static [&'static str],
}

pub static INDEXES: [Index; 2] = [
    Index { name: item::INDEX, sort: item::LIST_KEY, shown: &item::SUMMARY },
    Index { name: item::CHANGES_INDEX, sort: item::CHANGE_KEY, shown: &item::CHANGES },
];

/// Sorts after every key of this table.
const LAST: &str = "\u{10ffff}";

/// The partition of a client of the index, even if the client is malformed.
pub fn partition_of(client: &str) -> String {
    [item::CLIENT_PREFIX, client].concat()
}

/// What an item of a flow is, by its sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowKey {
    /// The newest version of a flow.
    Newest(FlowId),
    /// An earlier version of a flow.
    Version(FlowId, u64),
}

impl FlowKey {
    /// `None` for an item of another kind.
    pub fn parse(sort: &str) -> Option<Self> {
        if let Some(id) = sort.strip_prefix(item::FLOW_PREFIX) {
            return FlowId::parse(id).map(Self::Newest);
        }
        let (id, digits) = sort.strip_prefix(item::VERSION_PREFIX)?.split_once('#')?;
        let (id, version) = (FlowId::parse(id)?, digits.parse().ok().filter(|version| *version > 0)?);
        (item::version_sort_key(&id, version) == sort).then_some(Self::Version(id, version))
    }
}

/// What an item of a place is, by its sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseKey {
    /// The release in force.
    Head(Place),
    /// Any release: since when, and its number.
    Release(Place, Moment, u64),
    /// The mark that a version was reviewed.
    Review(Place, ReleasedVersion),
}

impl ReleaseKey {
    /// `None` for an item of another kind.
    pub fn parse(sort: &str) -> Option<Self> {
        if let Some(place) = item::to_place(sort) {
            return Some(Self::Head(place));
        }
        let is_review = sort.starts_with(item::REVIEW_PREFIX);
        let prefix = if is_review { item::REVIEW_PREFIX } else { item::RELEASE_PREFIX };
        let mut parts = sort.strip_prefix(prefix)?.split('#');
        let place = Place { project: ProjectId::parse(parts.next()?)?, flow_type: FlowType::parse(parts.next()?)? };
        if is_review {
            let id = FlowId::parse(parts.next()?)?;
            let version = parts.next()?.parse().ok().filter(|version| *version > 0)?;
            return (item::review_sort_key(&place, &id, version) == sort)
                .then_some(Self::Review(place, ReleasedVersion { id, version }));
        }
        let since = Moment::parse(parts.next()?)?;
        let number = parts.next()?.parse().ok().filter(|number| *number > 0)?;
        (item::release_sort_key(&place, &since, number) == sort).then_some(Self::Release(place, since, number))
    }

    pub const fn place(&self) -> &Place {
        match self {
            Self::Head(place) | Self::Release(place, _, _) | Self::Review(place, _) => place,
        }
    }
}

/// The client of a partition; `None` if it belongs to no client.
pub fn partition_client(partition: &str) -> Option<Client> {
    Client::parse(partition.strip_prefix(item::CLIENT_PREFIX)?)
}

/// A key behind every item of a partition.
pub fn behind_partition(partition: &str) -> Item {
    key(partition, LAST)
}

/// A key behind every entry of a client in an index.
pub fn behind_client(index: &Index, client: &str) -> Item {
    let mut behind = key(LAST, LAST);
    for (name, value) in [(item::CLIENT, client), (index.sort, LAST)] {
        behind.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    }
    behind
}

/// The key of an item, or of the item of an index entry.
pub fn key_of(item: &Item) -> Item {
    item.iter()
        .filter(|(name, _)| [item::PARTITION_KEY, item::SORT_KEY].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The entry of an item in an index; `None` if it has none.
pub fn entry(index: &Index, item: &Item) -> Option<Item> {
    let keys = [item::CLIENT, index.sort];
    let indexed = keys.iter().all(|name| matches!(item.get(*name), Some(AttributeValue::S(_))));
    let shown = |name: &str| {
        index.shown.contains(&name) || keys.contains(&name) || [item::PARTITION_KEY, item::SORT_KEY].contains(&name)
    };
    indexed.then(|| {
        item.iter().filter(|(name, _)| shown(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    })
}

fn key(partition: &str, sort: &str) -> Item {
    let parts = [(item::PARTITION_KEY, partition), (item::SORT_KEY, sort)];
    parts.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).collect()
}
