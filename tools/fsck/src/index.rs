//! Compares the index with the table. It is sorted otherwise, so both sides are added up, in numbers that do not depend
//! on the order; only where the sums differ is each item looked up. Whether an item is as it should be is not asked here,
//! only whether the index has of it what `DynamoDB` should have put there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use project_flows::flow::Timestamp;
use project_flows::item::{self, Item};

use crate::place::{self, Place};

use crate::report::{self, Count, Report, difference};
use crate::table::{Part, Table, Unfinished};

/// How many sums there are of each side: a difference leads to one in so many of the client's items.
const BUCKETS: usize = 1_024;
/// How long ago an item was written that the index must have by now. It is a fraction of a second behind, as a rule.
const SETTLING: Duration = Duration::from_secs(2);
/// How often an item is looked at that changes each time.
const LOOKS: u32 = 3;

/// What one side has of a client, added up.
pub struct Sums {
    client: Option<String>,
    sums: Vec<u128>,
}

impl Sums {
    /// Nothing yet, of this client.
    pub fn new(client: Option<&str>) -> Self {
        Self { client: client.map(str::to_owned), sums: vec![0; BUCKETS] }
    }

    /// Adds what the index should have of an item, if that is in the client's part of it.
    pub fn add_item(&mut self, item: &Item) {
        if let Some(entry) =
            place::entry(item).filter(|entry| item::text(entry, item::CLIENT) == self.client.as_deref())
        {
            self.add(&entry);
        }
    }

    fn add(&mut self, entry: &Item) {
        let attributes: BTreeMap<_, _> = entry.iter().collect();
        if let Some(sum) = self.sums.get_mut(bucket(entry)) {
            *sum = sum.wrapping_add(number(&format!("{attributes:?}")));
        }
    }

    /// Whether the sums that this entry is in differ.
    fn differ_at(&self, other: &Self, entry: &Item) -> bool {
        let bucket = bucket(entry);
        self.sums.get(bucket) != other.sums.get(bucket)
    }
}

/// The sums that an item is in: always the same.
fn bucket(item: &Item) -> usize {
    let key: BTreeMap<_, _> = place::key_of(item).into_iter().collect();
    usize::try_from(number(&format!("{key:?}")) % BUCKETS as u128).unwrap_or_default()
}

/// A number that another text does not have.
fn number(text: &str) -> u128 {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Compares what the index has of a client with what it should have.
pub async fn check(table: &Table, report: &Report, client: &str, expected: &Sums) -> Result<(), Unfinished> {
    let mut found = Sums::new(Some(client));
    let mut entries = table.walk(Part::entries(client));
    while let Some(entry) = entries.next().await? {
        found.add(&entry);
    }
    if found.sums == expected.sums {
        return Ok(());
    }

    let mut entries = table.walk(Part::entries(client));
    while let Some(entry) = entries.next().await? {
        if found.differ_at(expected, &entry) {
            look_at(table, report, &entry, Side::Index).await?;
        }
    }
    let mut items = table.walk(Part::whole(&place::partition_of(client)));
    while let Some(item) = items.next().await? {
        let entry = place::entry(&item).filter(|entry| item::text(entry, item::CLIENT) == Some(client));
        if let Some(entry) = entry.filter(|entry| found.differ_at(expected, entry)) {
            look_at(table, report, &entry, Side::Table).await?;
        }
    }
    Ok(())
}

/// Where an entry was found that may be off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// In the index: is it one of an item?
    Index,
    /// In the table: does the index have it, and as it is?
    Table,
}

/// Looks up an entry in the table and in the index, as often as it takes to be sure, and reports where they disagree.
///
/// The index is behind the table. So what counts is an item that was the same before and after the index was read, and
/// was not written in the moment before.
async fn look_at(table: &Table, report: &Report, entry: &Item, side: Side) -> Result<(), Unfinished> {
    let key = place::key_of(entry);
    let stands = |item: Option<&Item>| item.and_then(place::entry).filter(|stands| same_place(stands, entry));
    let mut before = table.item(key.clone()).await?;
    if side == Side::Index && stands(before.as_ref()).is_some() {
        return Ok(());
    }
    for look in 0..LOOKS {
        let indexed = indexed(table, entry).await?;
        let after = table.item(key.clone()).await?;
        if before == after {
            let stands = stands(after.as_ref());
            // From the second look on, the pause lies between `before` and `after`.
            if stands == indexed || look > 0 || is_settled(after.as_ref()) {
                judge(report, entry, side, stands.as_ref(), indexed.as_ref());
                return Ok(());
            }
        }
        before = after;
        tokio::time::sleep(SETTLING).await;
    }
    report.count(Count::Unsettled);
    Ok(())
}

/// Says how the entry that follows from the table and that of the index disagree, each where it was come from.
fn judge(report: &Report, entry: &Item, side: Side, expected: Option<&Item>, found: Option<&Item>) {
    let name = item::text(entry, item::CLIENT).unwrap_or_default();
    let list_key = item::text(entry, item::LIST_KEY).unwrap_or_default();
    let place = place(entry);
    let say = |says: String| report.finding(&place, &format!("index {}: {says}", item::INDEX));
    match (side, expected, found) {
        (Side::Index, None, Some(_)) => {
            say(format!("expected nothing at {list_key:?} of client {name:?}, as in the table, found an entry"));
        }
        (Side::Table, Some(_), None) => {
            say(format!("expected an entry at {list_key:?} of client {name:?}, found nothing"));
        }
        (Side::Table, Some(expected), Some(found)) => {
            let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for name in names.into_iter().filter(|name| expected.get(*name) != found.get(*name)) {
                say(difference(name, expected, found));
            }
        }
        // The other side says it, or nothing is left to say.
        (Side::Index, Some(_), _) | (Side::Index | Side::Table, None, None) | (Side::Table, None, Some(_)) => {}
    }
}

/// What the index has of the item of this entry, at the place of this entry.
async fn indexed(table: &Table, entry: &Item) -> Result<Option<Item>, Unfinished> {
    let part = |name| item::text(entry, name).unwrap_or_default();
    let mut found = table.walk(Part::entries_at(part(item::CLIENT), part(item::LIST_KEY)));
    while let Some(other) = found.next().await? {
        if place::key_of(&other) == place::key_of(entry) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn same_place(one: &Item, other: &Item) -> bool {
    [item::CLIENT, item::LIST_KEY].iter().all(|name| one.get(*name) == other.get(*name))
}

/// Whether an item was written so long ago that the index must have it.
fn is_settled(item: Option<&Item>) -> bool {
    let moment = Timestamp::from(SystemTime::now() - SETTLING);
    let written = item.and_then(|item| item::to_flow(item).ok()).map(|flow| flow.summary.updated_at);
    written.is_some_and(|written| written < moment)
}

fn place(entry: &Item) -> String {
    let part = |name| item::text(entry, name);
    let client = part(item::PARTITION_KEY).and_then(place::partition_client);
    match (client, part(item::SORT_KEY).and_then(Place::parse)) {
        (Some(client), Some(Place::Newest(id))) => report::flow(&client, &id),
        (Some(client), Some(Place::Version(id, number))) => format!("{}: version {number}", report::flow(&client, &id)),
        (_, _) => report::key(entry),
    }
}
