//! Goes through a partition: its flows and their earlier versions side by side, as a merge of two sorted lists, so that
//! one flow is in memory at a time. What a flow must be like is left to `life`, the index to `index`.

use std::time::Duration;

use project_flows::flow::{Client, FlowId};
use project_flows::item::{self, Item};

use crate::place::{self, Place};

use crate::index::{self, Sums};
use crate::life::Life;
use crate::report::{self, Count, Report};
use crate::table::{Part, Table, Unfinished, Walk};

/// Checks all items of a partition, and what the index has of them.
pub async fn check(table: &Table, report: &Report, partition: &str) -> Result<(), Unfinished> {
    let client = place::partition_client(partition);
    let mut sums = Sums::new(client.as_ref().map(Client::as_str));
    let mut flows = Side { walk: table.walk(Part::flows(partition)), whose: client.as_ref() };
    let mut versions = Side { walk: table.walk(Part::versions(partition)), whose: client.as_ref() };
    let mut newest = flows.next(report, &mut sums).await?;
    let mut earlier = versions.next(report, &mut sums).await?;
    // Without a client, all items were of another kind.
    let Some(client) = &client else { return Ok(()) };
    report.count(Count::Clients);

    while let Some(id) = first(newest.as_ref(), earlier.as_ref()) {
        let this = newest.take_if(|(place, _)| id_of(place) == &id);
        let mut is_off = false;
        let mut note = |_| is_off = true;
        let mut life = Life::new(client, &id, this.as_ref().map(|(_, item)| item));
        while let Some((Place::Version(_, number), item)) = earlier.take_if(|(place, _)| id_of(place) == &id) {
            report.count(Count::Versions);
            life.earlier(number, &item, &mut note);
            earlier = versions.next(report, &mut sums).await?;
        }
        life.end(&mut note);
        if this.is_some() {
            report.count(Count::Flows);
            report.count(Count::Versions);
            newest = flows.next(report, &mut sums).await?;
        }
        if is_off {
            look_again(table, report, client, &id).await?;
        }
    }
    index::check(table, report, client.as_str(), &sums).await
}

/// One of the two lists of a partition.
struct Side<'check> {
    walk: Walk<'check>,
    whose: Option<&'check Client>,
}

impl Side<'_> {
    /// The next item whose place is known; those of another kind are reported on the way.
    async fn next(&mut self, report: &Report, sums: &mut Sums) -> Result<Option<(Place, Item)>, Unfinished> {
        while let Some(item) = self.walk.next().await? {
            report.count(Count::Items);
            sums.add_item(&item);
            let place = self.whose.and_then(|_| Place::parse(item::text(&item, item::SORT_KEY)?));
            match place {
                Some(place) => return Ok(Some((place, item))),
                None => report.finding(
                    &report::key(&item),
                    "expected a flow of a client or an earlier version of one, found an item of another kind",
                ),
            }
        }
        Ok(None)
    }
}

/// The flow that comes first: both lists are in the order of their ids.
fn first(newest: Option<&(Place, Item)>, earlier: Option<&(Place, Item)>) -> Option<FlowId> {
    let ids = [newest, earlier].into_iter().flatten().map(|(place, _)| id_of(place));
    ids.min_by_key(|id| id.as_str()).cloned()
}

const fn id_of(place: &Place) -> &FlowId {
    match place {
        Place::Newest(id) | Place::Version(id, _) => id,
    }
}

/// Reads one flow anew, and reports what is off with it: where a transaction may be to blame, what is off at every look.
async fn look_again(table: &Table, report: &Report, client: &Client, id: &FlowId) -> Result<(), Unfinished> {
    let Look { mut findings, mut is_half_way } = look_at(table, client, id).await?;
    for _ in 1..LOOKS {
        if !is_half_way || findings.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let next = look_at(table, client, id).await?;
        findings.retain(|says| next.findings.contains(says));
        is_half_way = next.is_half_way;
    }
    let place = report::flow(client, id);
    for says in &findings {
        report.finding(&place, says);
    }
    Ok(())
}

/// How often a flow is looked at that may be in a transaction, and how long it takes from one look to the next: longer
/// than `DynamoDB` takes to finish a transaction that has stalled.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// One look at a flow.
struct Look {
    findings: Vec<String>,
    /// Whether the history ends a version early or late, as it does where one of a transaction's two writes is not seen
    /// yet: reads of two items are no snapshot.
    is_half_way: bool,
}

/// Reads one flow anew.
///
/// It may change meanwhile. So the end of the history is read first: what is there comes before every newest version
/// that is read later. And the history is read last, up to the newest version: all of it was there when that was read.
async fn look_at(table: &Table, client: &Client, id: &FlowId) -> Result<Look, Unfinished> {
    let partition = item::partition(client);
    let number_of = |item: &Item| match Place::parse(item::text(item, item::SORT_KEY)?)? {
        Place::Version(_, number) => Some(number),
        Place::Newest(_) => None,
    };
    let end = table.walk(Part::end_of_history(&partition, id)).next().await?.as_ref().and_then(number_of).unwrap_or(0);
    let newest = table.item(item::flow_key(client, id)).await?;
    let number: Option<u64> = newest.as_ref().and_then(|item| item::text(item, item::VERSION)?.parse().ok());

    let mut findings = Vec::new();
    let mut life = Life::new(client, id, newest.as_ref());
    let last = end.max(number.map_or(0, |number| number.saturating_sub(1)));
    // The last of the history before the newest version, and whether the newest has its like in the history.
    let (mut before, mut is_twice) = (0, false);
    if last > 0 {
        let mut history = table.walk(Part::history(&partition, id, last));
        while let Some(item) = history.next().await? {
            if let Some(version) = number_of(&item) {
                life.earlier(version, &item, &mut |says| findings.push(says));
                match number {
                    Some(number) if version == number => is_twice = true,
                    _ => before = version,
                }
            }
        }
    }
    // Both are gone by now: nobody's business any more.
    if newest.is_some() || end > 0 {
        life.end(&mut |says| findings.push(says));
    }
    let is_half_way = number.is_some_and(|number| is_twice || before + 2 == number);
    Ok(Look { findings, is_half_way })
}
