//! Release ⇄ item of the table: the one in force in each place, and every one for ever.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    BY, CLIENT, CREATED_AT, ID, Item, NOTE, PROJECT, SORT_KEY, STATUS, TYPE, UPDATED_AT, VERSION, WRITE_TOKEN,
    add_change, add_document, key, partition, required, text, to_change, to_flow, unreadable,
};
use crate::error::Cause;
use crate::flow::members::ProjectId;
use crate::flow::{Client, FlowId, Head, MAX_VERSION_DIGITS, Place, Release, ReleasedVersion, Timestamp, WriteToken};

/// What the sort key of a release in force begins with.
pub const LIVE_PREFIX: &str = "LIVE#";
/// What the sort key of every release begins with.
pub const RELEASE_PREFIX: &str = "RELEASE#";
/// What the sort key of a version that was reviewed begins with.
pub const REVIEW_PREFIX: &str = "REVIEW#";
/// The number of a release, from 1.
pub const RELEASE: &str = "release";
/// Since when a release is in force.
pub const SINCE: &str = "since";
/// Whether a release passed a review. Absent if not.
pub const REVIEWED: &str = "reviewed";

/// The attributes of a release as a list shows it.
pub const RELEASES: [&str; 7] = [RELEASE, SINCE, BY, NOTE, REVIEWED, ID, VERSION];
/// The attributes that tell who wrote a release.
pub const RELEASE_WRITER: [&str; 3] = [RELEASE, SINCE, WRITE_TOKEN];
/// The attributes of a flow that is live as a list shows it, and those of its release.
pub const LIVE_FLOWS: [&str; 15] = [
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
    RELEASE,
    SINCE,
    BY,
    NOTE,
    REVIEWED,
];

/// A character that sorts behind all others in sort keys.
pub const LAST: char = '~';

/// The key of the release in force in a place.
pub fn live_key(client: &Client, place: &Place) -> Item {
    key(partition(client), live_sort(place))
}

/// Where the release in force in a place stands in its client's partition.
pub fn live_sort(place: &Place) -> String {
    format!("{LIVE_PREFIX}{place}")
}

/// Where the releases in force of all places begin, or those of one project.
pub fn places_sort(project: Option<&ProjectId>) -> String {
    project.map_or_else(|| LIVE_PREFIX.to_owned(), |project| format!("{LIVE_PREFIX}{}#", project.as_str()))
}

/// The lowest sort key after that of `place`.
pub fn after_place(place: &Place) -> String {
    format!("{}!", live_sort(place))
}

/// The place whose release in force has this sort key.
pub fn to_place(sort: &str) -> Option<Place> {
    Place::parse(sort.strip_prefix(LIVE_PREFIX)?)
}

/// Where all releases of a place begin in their client's partition; they sort as time and numbers do.
pub fn releases_sort(place: &Place) -> String {
    format!("{RELEASE_PREFIX}{place}#")
}

/// Where a release stands in its client's partition.
pub fn release_sort(place: &Place, since: &Timestamp, number: u64) -> String {
    format!("{}{since}#{number:0MAX_VERSION_DIGITS$}", releases_sort(place))
}

/// Where the mark stands in its client's partition that a version of a flow was released in a place and reviewed.
pub fn review_sort(place: &Place, id: &FlowId, version: u64) -> String {
    format!("{REVIEW_PREFIX}{place}#{}#{version:0MAX_VERSION_DIGITS$}", id.as_str())
}

/// That mark: a key and nothing else, so that the highest version below another is one small read.
pub fn review_key(client: &Client, place: &Place, ReleasedVersion { id, version }: &ReleasedVersion) -> Item {
    key(partition(client), review_sort(place, id, *version))
}

/// The version that a mark is about.
pub fn to_reviewed(mark: &Item) -> Result<u64, Cause> {
    let version = text(mark, SORT_KEY).and_then(|sort| sort.rsplit_once('#')?.1.parse().ok());
    version.ok_or_else(|| unreadable(SORT_KEY))
}

/// The item of the release in force in a place: the release, and a copy of the flow. It is not in the index.
pub fn from_head(client: &Client, place: &Place, head: &Head) -> Item {
    let Head { release, flow } = head;
    let mut item = live_key(client, place);
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    text(CLIENT, client.as_str());
    text(PROJECT, place.project.as_str());
    text(TYPE, place.flow_type.as_str());
    text(SINCE, release.since.as_str());
    if let Some(token) = &release.write_token {
        text(WRITE_TOKEN, token.as_str());
    }
    item.insert(RELEASE.to_owned(), AttributeValue::N(release.number.to_string()));
    add_change(&mut item, &release.change);
    if release.reviewed {
        item.insert(REVIEWED.to_owned(), AttributeValue::Bool(true));
    }
    if let Some(flow) = flow {
        add_document(&mut item, flow);
    }
    item
}

/// The item that keeps a release for ever: the same attributes under a key of its own. A withdrawal has no flow, so the
/// attributes of one are NULL: the pipes of template.yaml need them.
pub fn into_release(mut head: Item, place: &Place, release: &Release) -> Item {
    const OF_FLOW: [&str; 6] = [ID, STATUS, VERSION, "name", CREATED_AT, UPDATED_AT];

    if release.version.is_none() {
        head.extend(OF_FLOW.map(|name| (name.to_owned(), AttributeValue::Null(true))));
    }
    let sort = release_sort(place, &release.since, release.number);
    head.insert(SORT_KEY.to_owned(), AttributeValue::S(sort));
    head
}

/// The release that an item holds, and the flow that it puts in force.
pub fn to_head(item: &Item) -> Result<Head, Cause> {
    let release = to_release(item)?;
    let flow = release.version.is_some().then(|| to_flow(item)).transpose()?;
    Ok(Head { release, flow })
}

/// The release that an item holds.
pub fn to_release(item: &Item) -> Result<Release, Cause> {
    let number = |name| required(item, name)?.parse().map_err(|_| unreadable(name));
    let version = text(item, ID).map(|id| {
        let id = FlowId::parse(id).ok_or_else(|| unreadable(ID))?;
        Ok::<_, Cause>(ReleasedVersion { id, version: number(VERSION)? })
    });
    Ok(Release {
        number: number(RELEASE)?,
        since: Timestamp::from_stored(required(item, SINCE)?),
        change: to_change(item)?,
        version: version.transpose()?,
        reviewed: item.get(REVIEWED) == Some(&AttributeValue::Bool(true)),
        write_token: text(item, WRITE_TOKEN).map(WriteToken::from_stored),
    })
}
