//! Reads a partition: a merge of two sorted lists, the flows and their earlier versions, so that only one flow is in memory.
//! `life` judges a flow, `index` compares the index.

use std::time::Duration;

use project_flows::flow::{Client, FlowId};
use project_flows::item::{self, Item};
use project_flows::keys::{Keys, Origin};

use crate::index::{self, Sums};
use crate::life::Life;
use crate::place::{self, Place};
use crate::report::{self, Count, Report};
use crate::table::{Part, Table, Unfinished, Walk};

/// Checks all items of a partition, and their index entries.
pub async fn check(table: &Table, report: &Report, partition: &str) -> Result<(), Unfinished> {
    if partition == item::KEYS_PARTITION {
        return check_keys(table, report).await;
    }
    let client = place::partition_client(partition);
    let mut sums = Sums::new(client.as_ref().map(Client::as_str));
    let mut flows = List { walk: table.walk(Part::flows(partition)), whose: client.as_ref() };
    let mut versions = List { walk: table.walk(Part::versions(partition)), whose: client.as_ref() };
    let mut newest = flows.next(report, &mut sums).await?;
    let mut earlier = versions.next(report, &mut sums).await?;
    // Without a client, all items were reported as another kind.
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

/// Checks the keys that were fetched from issuers.
async fn check_keys(table: &Table, report: &Report) -> Result<(), Unfinished> {
    let mut walk = table.walk(Part::whole(item::KEYS_PARTITION));
    while let Some(item) = walk.next().await? {
        report.count(Count::Items);
        let place = report::key(&item);
        let is_set = |jwks: &str| Keys::parse(jwks, Origin::Issuer, None, None).is_ok();
        if item.contains_key(item::JWKS) && !item::text(&item, item::JWKS).is_some_and(is_set) {
            report.finding(&place, "jwks: expected a JWK Set with a usable key, found another text");
        }
        for name in [item::FETCHED_AT, item::TRIED_AT] {
            if item::text(&item, name).is_none_or(|time| time.parse::<u64>().is_err()) {
                report.finding(&place, &format!("{name}: expected milliseconds since 1970, found something else"));
            }
        }
    }
    Ok(())
}

/// One of the two lists of a partition.
struct List<'check> {
    walk: Walk<'check>,
    whose: Option<&'check Client>,
}

impl List<'_> {
    /// The next item of a known kind. Items of other kinds are reported and skipped.
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

/// The next flow: both lists are sorted by id.
fn first(newest: Option<&(Place, Item)>, earlier: Option<&(Place, Item)>) -> Option<FlowId> {
    let ids = [newest, earlier].into_iter().flatten().map(|(place, _)| id_of(place));
    ids.min_by_key(|id| id.as_str()).cloned()
}

const fn id_of(place: &Place) -> &FlowId {
    match place {
        Place::Newest(id) | Place::Version(id, _) => id,
    }
}

/// Reads one flow again and reports its findings. If a transaction may be under way, only findings of every look count.
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

/// The looks at a flow that may be in a transaction, and the pause between them. Together they take longer than `DynamoDB`
/// needs to finish a stalled transaction.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// One look at a flow.
struct Look {
    findings: Vec<String>,
    /// Whether the history ends one version early or late. It does while only one of a transaction's two writes is visible:
    /// reads of two items are no snapshot.
    is_half_way: bool,
}

/// Reads one flow again.
///
/// The flow may change meanwhile, so the order of the reads matters. The end of the history is read first: a newest version
/// that is read later must be behind it. The history is read last, up to the newest version: it was complete by then.
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
    // The last earlier version, and whether the history also has one with the newest's number.
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
    // If both are absent, the flow was removed meanwhile.
    if newest.is_some() || end > 0 {
        life.end(&mut |says| findings.push(says));
    }
    let is_half_way = number.is_some_and(|number| is_twice || before + 2 == number);
    Ok(Look { findings, is_half_way })
}
