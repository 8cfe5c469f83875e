//! Compares the indexes with the table. Both are sorted differently, so each side is summed up in hashes that do not depend
//! on the order. Items are looked up one by one only where the sums differ. `life` judges the items themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use project_flows::flow::Moment;
use project_flows::item::{self, Item};

use crate::place::{self, FlowKey, INDEXES, Index};
use crate::report::{self, Count, Report, difference};
use crate::table::{Part, Table, Unfinished};

/// The sums of each side. A difference leads to one in `BUCKETS` of the client's items.
const BUCKETS: usize = 1_024;
/// The index must show a write after this time. It is usually a fraction of a second behind.
const SETTLING: Duration = Duration::from_secs(2);
/// How often an item is read that changes between two reads.
const LOOKS: u32 = 3;

/// The sums of the table's side, for one client: of what each index should have.
pub struct Expected {
    client: Option<String>,
    sums: [Sums; INDEXES.len()],
    /// Changes after this moment are left out: a client can make them faster than they are compared.
    until: String,
}

impl Expected {
    /// Empty sums.
    pub fn new(client: Option<&str>) -> Self {
        let until = Moment::from(SystemTime::now()).to_stored();
        Self { client: client.map(str::to_owned), sums: [const { Sums::EMPTY }; INDEXES.len()], until }
    }

    /// Adds the entries that the indexes should have for an item, if it belongs to the client.
    pub fn add_item(&mut self, item: &Item) {
        for (index, sums) in INDEXES.iter().zip(&mut self.sums) {
            let entry = place::entry(index, item).filter(|entry| is_before(index, entry, &self.until));
            if let Some(entry) = entry.filter(|entry| item::text(entry, item::CLIENT) == self.client.as_deref()) {
                sums.add(&entry);
            }
        }
    }
}

/// The sums of one side of one index, for one client.
#[derive(PartialEq, Eq)]
struct Sums(Vec<u128>);

impl Sums {
    const EMPTY: Self = Self(Vec::new());

    fn add(&mut self, entry: &Item) {
        let attributes: BTreeMap<_, _> = entry.iter().collect();
        self.0.resize(BUCKETS, 0);
        if let Some(sum) = self.0.get_mut(bucket(entry)) {
            *sum = sum.wrapping_add(number(&format!("{attributes:?}")));
        }
    }

    /// Whether the sums that contain this entry differ.
    fn differ_at(&self, other: &Self, entry: &Item) -> bool {
        let bucket = bucket(entry);
        let of = |sums: &Self| sums.0.get(bucket).copied().unwrap_or(0);
        of(self) != of(other)
    }
}

/// The bucket of an item. It depends on the key only.
fn bucket(item: &Item) -> usize {
    let key: BTreeMap<_, _> = place::key_of(item).into_iter().collect();
    usize::try_from(number(&format!("{key:?}")) % BUCKETS as u128).unwrap_or_default()
}

/// A hash: the first 128 bits of the SHA-256.
fn number(text: &str) -> u128 {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Compares the entries of a client with those that each index should have.
pub async fn check(table: &Table, report: &Report, client: &str, expected: &Expected) -> Result<(), Unfinished> {
    for (index, sums) in INDEXES.iter().zip(&expected.sums) {
        check_one(table, report, index, client, sums, &expected.until).await?;
    }
    Ok(())
}

/// Whether an entry of the log of changes is from before a moment; those of other indexes always are.
fn is_before(index: &Index, entry: &Item, until: &str) -> bool {
    index.name != item::CHANGES_INDEX || item::text(entry, index.sort).is_some_and(|key| key < until)
}

async fn check_one(
    table: &Table,
    report: &Report,
    index: &'static Index,
    client: &str,
    expected: &Sums,
    until: &str,
) -> Result<(), Unfinished> {
    let mut found = Sums::EMPTY;
    let mut entries = table.walk(Part::entries(index, client));
    while let Some(entry) = entries.next().await? {
        if is_before(index, &entry, until) {
            found.add(&entry);
        }
    }
    if found == *expected {
        return Ok(());
    }

    let mut entries = table.walk(Part::entries(index, client));
    while let Some(entry) = entries.next().await? {
        if is_before(index, &entry, until) && found.differ_at(expected, &entry) {
            look_at(table, report, index, &entry, Side::Index).await?;
        }
    }
    let mut items = table.walk(Part::whole(&place::partition_of(client)));
    while let Some(item) = items.next().await? {
        let entry = place::entry(index, &item).filter(|entry| item::text(entry, item::CLIENT) == Some(client));
        let entry = entry.filter(|entry| is_before(index, entry, until));
        if let Some(entry) = entry.filter(|entry| found.differ_at(expected, entry)) {
            look_at(table, report, index, &entry, Side::Table).await?;
        }
    }
    Ok(())
}

/// Where a doubtful entry was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// In the index: does it have an item?
    Index,
    /// In the table: does the index have the same?
    Table,
}

/// Looks up an entry in the table and in the index, until both are settled, and reports differences.
///
/// The index is behind the table. So the item must be the same before and after the index is read, and must not be newer
/// than [`SETTLING`].
async fn look_at(
    table: &Table,
    report: &Report,
    index: &'static Index,
    entry: &Item,
    side: Side,
) -> Result<(), Unfinished> {
    let key = place::key_of(entry);
    let stands = |item: Option<&Item>| {
        item.and_then(|item| place::entry(index, item)).filter(|stands| same_place(index, stands, entry))
    };
    let mut before = table.item(key.clone()).await?;
    if side == Side::Index && stands(before.as_ref()).is_some() {
        return Ok(());
    }
    for look in 0..LOOKS {
        let indexed = indexed(table, index, entry).await?;
        let after = table.item(key.clone()).await?;
        if before == after {
            let stands = stands(after.as_ref());
            // From the second look on, the pause lies between `before` and `after`.
            if stands == indexed || look > 0 || is_settled(after.as_ref()) {
                judge(report, index, entry, side, stands.as_ref(), indexed.as_ref());
                return Ok(());
            }
        }
        before = after;
        tokio::time::sleep(SETTLING).await;
    }
    report.count(Count::Unsettled);
    Ok(())
}

/// Reports how the expected entry and the entry of the index differ. Each difference is reported from one side only.
fn judge(report: &Report, index: &Index, entry: &Item, side: Side, expected: Option<&Item>, found: Option<&Item>) {
    let name = item::text(entry, item::CLIENT).unwrap_or_default();
    let key = item::text(entry, index.sort).unwrap_or_default();
    let place = describe(entry);
    let say = |says: String| report.finding(&place, &format!("index {}: {says}", index.name));
    match (side, expected, found) {
        (Side::Index, None, Some(_)) => {
            say(format!("expected nothing at {key:?} of client {name:?}, as in the table, found an entry"));
        }
        (Side::Table, Some(_), None) => {
            say(format!("expected an entry at {key:?} of client {name:?}, found nothing"));
        }
        (Side::Table, Some(expected), Some(found)) => {
            let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
            for name in names.into_iter().filter(|name| expected.get(*name) != found.get(*name)) {
                say(difference(name, expected, found));
            }
        }
        // The other side reports it, or there is no difference.
        (Side::Index, Some(_), _) | (Side::Index | Side::Table, None, None) | (Side::Table, None, Some(_)) => {}
    }
}

/// The entry of an index with the same keys as `entry`.
async fn indexed(table: &Table, index: &'static Index, entry: &Item) -> Result<Option<Item>, Unfinished> {
    let part = |name| item::text(entry, name).unwrap_or_default();
    let mut found = table.walk(Part::entries_at(index, part(item::CLIENT), part(index.sort)));
    while let Some(other) = found.next().await? {
        if place::key_of(&other) == place::key_of(entry) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn same_place(index: &Index, one: &Item, other: &Item) -> bool {
    [item::CLIENT, index.sort].iter().all(|name| one.get(*name) == other.get(*name))
}

/// Whether the index must have the item by now.
fn is_settled(item: Option<&Item>) -> bool {
    let moment = Moment::from(SystemTime::now() - SETTLING);
    let written = item.and_then(|item| match item::to_release(item) {
        Ok(release) => Some(release.since),
        Err(_) => item::to_summary(item).ok().map(|flow| flow.updated_at),
    });
    written.is_some_and(|written| written < moment)
}

/// Where the item of an entry is, as a finding names it.
fn describe(entry: &Item) -> String {
    let part = |name| item::text(entry, name);
    let client = part(item::PARTITION_KEY).and_then(place::partition_client);
    match (client, part(item::SORT_KEY).and_then(FlowKey::parse)) {
        (Some(client), Some(FlowKey::Newest(id))) => report::flow(&client, &id),
        (Some(client), Some(FlowKey::Version(id, number))) => {
            format!("{}: version {number}", report::flow(&client, &id))
        }
        (_, _) => report::key(entry),
    }
}
