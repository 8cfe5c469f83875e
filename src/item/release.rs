//! Release ⇄ item of the table: every one for ever, and the one in force in each place.
//!
//! What is in force is asked for at each login. So its item, the head, holds what lists show, and the rest of the flow only
//! where both fit into one read unit. The release's own item holds all.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    ACTION, BY, CHANGE_KEY, CLIENT, CONFIGURATION, CREATED_AT, DIGEST, ID, Item, NOTE, Number, PROJECT, SORT_KEY,
    STATUS, STEPS, SUMMARY, TYPE, UPDATED_AT, VERSION, WRITE_TOKEN, add_change, add_definition, add_summary,
    change_key, key, partition, required, text, to_change, to_definition, to_digest, to_summary, unreadable,
};
use crate::error::Cause;
use crate::flow::members::ProjectId;
use crate::flow::{
    Action, Client, FlowId, Head, MAX_VERSION_DIGITS, Moment, Place, Release, Released, ReleasedVersion, WriteToken,
};

/// What the sort key of a release in force begins with.
pub const HEAD_PREFIX: &str = "LIVE#";
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
pub const RELEASES: [&str; 9] = [RELEASE, SINCE, ACTION, BY, NOTE, REVIEWED, DIGEST, ID, VERSION];
/// The attributes that tell who wrote a release.
pub const RELEASE_WRITER: [&str; 3] = [RELEASE, SINCE, WRITE_TOKEN];
/// The attributes of a flow that is live as a list shows it, and those of its release.
pub const LIVE_FLOWS: [&str; 17] = [
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
    ACTION,
    BY,
    NOTE,
    REVIEWED,
    DIGEST,
];

/// A character that sorts behind all others in sort keys.
pub const LAST: char = '~';

/// The key of the release in force in a place.
pub fn head_key(client: &Client, place: &Place) -> Item {
    key(partition(client), head_sort_key(place))
}

/// Where the release in force in a place stands in its client's partition.
pub fn head_sort_key(place: &Place) -> String {
    format!("{HEAD_PREFIX}{place}")
}

/// Where the releases in force of all places begin, or those of one project.
pub fn places_prefix(project: Option<&ProjectId>) -> String {
    project.map_or_else(|| HEAD_PREFIX.to_owned(), |project| format!("{HEAD_PREFIX}{}#", project.as_str()))
}

/// The lowest sort key after that of `place`.
pub fn after_place(place: &Place) -> String {
    format!("{}!", head_sort_key(place))
}

/// The place whose release in force has this sort key.
pub fn to_place(sort: &str) -> Option<Place> {
    Place::parse(sort.strip_prefix(HEAD_PREFIX)?)
}

/// Where all releases of a place begin in their client's partition; they sort as time and numbers do.
pub fn releases_prefix(place: &Place) -> String {
    format!("{RELEASE_PREFIX}{place}#")
}

/// Where a release stands in its client's partition.
pub fn release_sort_key(place: &Place, since: &Moment, number: u64) -> String {
    format!("{}{}#{number:0MAX_VERSION_DIGITS$}", releases_prefix(place), since.to_stored())
}

/// The key of a release.
pub fn release_key(client: &Client, place: &Place, release: &Release) -> Item {
    key(partition(client), release_sort_key(place, &release.since, release.number))
}

/// Where the mark stands in its client's partition that a version of a flow was released in a place and reviewed.
pub fn review_sort_key(place: &Place, id: &FlowId, version: u64) -> String {
    format!("{REVIEW_PREFIX}{place}#{}#{version:0MAX_VERSION_DIGITS$}", id.as_str())
}

/// That mark: a key and nothing else, so that the highest version below another is one small read.
pub fn review_key(client: &Client, place: &Place, ReleasedVersion { id, version }: &ReleasedVersion) -> Item {
    key(partition(client), review_sort_key(place, id, *version))
}

/// The version that a mark is about.
pub fn to_reviewed(mark: &Item) -> Result<u64, Cause> {
    let version = text(mark, SORT_KEY).and_then(|sort| sort.rsplit_once('#')?.1.parse().ok());
    version.ok_or_else(|| unreadable(SORT_KEY))
}

/// The bytes of a read unit.
const READ_UNIT: usize = 4_096;

/// The item that keeps a release for ever, with the flow that it puts in force, or a summary of the one that it withdraws.
pub fn from_release(client: &Client, place: &Place, head: &Head) -> Item {
    let Head { release, flow } = head;
    let mut item = release_key(client, place, release);
    if let Some(Released { summary, definition }) = flow {
        add_summary(&mut item, summary);
        if let Some(definition) = definition {
            add_definition(&mut item, &definition.configuration, &definition.steps);
        }
    }
    let mut text = |name: &str, value: &str| item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
    text(CLIENT, client.as_str());
    text(PROJECT, place.project.as_str());
    text(TYPE, place.flow_type.as_str());
    text(SINCE, &release.since.to_stored());
    text(ACTION, release.action().as_str());
    if let Some(Released { summary, .. }) = flow {
        text(CHANGE_KEY, &change_key(&release.since, &summary.id, Number::Release(release.number)));
    }
    if let Some(digest) = &release.digest {
        text(DIGEST, digest.as_str());
    }
    if let Some(token) = &release.write_token {
        text(WRITE_TOKEN, token.as_str());
    }
    item.insert(RELEASE.to_owned(), AttributeValue::N(release.number.to_string()));
    add_change(&mut item, &release.change);
    if release.reviewed {
        item.insert(REVIEWED.to_owned(), AttributeValue::Bool(true));
    }
    item
}

/// The head of a place after a release, whose own item is `release`. It is in no index, and a withdrawal leaves no flow.
pub fn into_head(mut release: Item, place: &Place) -> Item {
    release.insert(SORT_KEY.to_owned(), AttributeValue::S(head_sort_key(place)));
    release.remove(CHANGE_KEY);
    if text(&release, ACTION) == Some(Action::Withdrawn.as_str()) {
        release.retain(|name, _| !SUMMARY.contains(&name.as_str()) || [CLIENT, PROJECT, TYPE].contains(&name.as_str()));
    }
    if size(&release) > READ_UNIT {
        release.remove(CONFIGURATION);
        release.remove(STEPS);
    }
    release
}

/// The release that an item holds, and the flow that it is about.
pub fn to_head(item: &Item) -> Result<Head, Cause> {
    let flow = text(item, ID).map(|_| {
        let definition = item.contains_key(CONFIGURATION).then(|| to_definition(item));
        Ok::<_, Cause>(Released { summary: to_summary(item)?, definition: definition.transpose()? })
    });
    Ok(Head { release: to_release(item)?, flow: flow.transpose()? })
}

/// The release that an item holds.
pub fn to_release(item: &Item) -> Result<Release, Cause> {
    let number = |name| required(item, name)?.parse().map_err(|_| unreadable(name));
    let released = text(item, ACTION) != Some(Action::Withdrawn.as_str());
    let version = text(item, ID).filter(|_| released).map(|id| {
        let id = FlowId::parse(id).ok_or_else(|| unreadable(ID))?;
        Ok::<_, Cause>(ReleasedVersion { id, version: number(VERSION)? })
    });
    Ok(Release {
        number: number(RELEASE)?,
        since: Moment::from_stored(required(item, SINCE)?),
        change: to_change(item)?,
        version: version.transpose()?,
        reviewed: item.get(REVIEWED) == Some(&AttributeValue::Bool(true)),
        digest: to_digest(item),
        write_token: text(item, WRITE_TOKEN).map(WriteToken::from_stored),
    })
}

/// The bytes of an item, as reads of it are charged ("DynamoDB item sizes and formats" in the Developer Guide): its names and
/// texts; a number takes a byte for two digits, and one more.
fn size(item: &Item) -> usize {
    let bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.len().div_ceil(2) + 1,
        _ => 1,
    };
    item.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}
