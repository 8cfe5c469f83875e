//! Reads a partition: a merge of two sorted lists, the flows and their earlier versions, so that only one flow is in memory.
//! `life` judges a flow, `live` reads what is released, `index` compares the index.

use project_flows::flow::{Client, FlowId};
use project_flows::item::{self, Item};
use project_flows::keys::{Keys, Origin};

use crate::index::{self, Expected};
use crate::life::Life;
use crate::list::{self, List};
use crate::live;
use crate::look::{self, Look};
use crate::place::{self, FlowKey};
use crate::report::{self, Count, Report};
use crate::table::{Part, Table, Unfinished};

/// Checks all items of a partition, and their index entries.
pub async fn check(table: &Table, report: &Report, partition: &str) -> Result<(), Unfinished> {
    if partition == item::KEYS_PARTITION {
        return check_keys(table, report).await;
    }
    let Some(client) = &place::partition_client(partition) else {
        return check_strange(table, report, partition).await;
    };
    report.count(Count::Clients);
    let mut sums = Expected::new(Some(client.as_str()));
    check_flows(table, report, client, &mut sums).await?;
    live::check(table, report, client, &mut sums).await?;
    index::check(table, report, client.as_str(), &sums).await
}

/// Checks the flows of a client.
async fn check_flows(table: &Table, report: &Report, client: &Client, sums: &mut Expected) -> Result<(), Unfinished> {
    let partition = item::partition(client);
    let mut flows = List { walk: table.walk(Part::flows(&partition)), parse: FlowKey::parse };
    let mut versions = List { walk: table.walk(Part::versions(&partition)), parse: FlowKey::parse };
    let mut newest = flows.next(report, sums).await?;
    let mut earlier = versions.next(report, sums).await?;
    while let Some(id) = first(newest.as_ref(), earlier.as_ref()) {
        let this = newest.take_if(|(key, _)| id_of(key) == &id);
        let mut is_off = false;
        let mut note = |_| is_off = true;
        let mut life = Life::new(client, &id, this.as_ref().map(|(_, item)| item));
        while let Some((FlowKey::Version(_, number), item)) = earlier.take_if(|(key, _)| id_of(key) == &id) {
            report.count(Count::Versions);
            life.earlier(number, &item, &mut note);
            earlier = versions.next(report, sums).await?;
        }
        report.add(Count::Outdated, life.end(&mut note));
        if this.is_some() {
            report.count(Count::Flows);
            report.count(Count::Versions);
            newest = flows.next(report, sums).await?;
        }
        if is_off {
            look::again(report, &report::flow(client, &id), || look_at(table, client, &id)).await?;
        }
    }
    Ok(())
}

/// Reports all items of a partition that belongs to no client.
async fn check_strange(table: &Table, report: &Report, partition: &str) -> Result<(), Unfinished> {
    let mut walk = table.walk(Part::whole(partition));
    while let Some(item) = walk.next().await? {
        report.count(Count::Items);
        list::report_strange(report, &item);
    }
    Ok(())
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

/// The next flow: both lists are sorted by id.
fn first(newest: Option<&(FlowKey, Item)>, earlier: Option<&(FlowKey, Item)>) -> Option<FlowId> {
    let ids = [newest, earlier].into_iter().flatten().map(|(key, _)| id_of(key));
    ids.min_by_key(|id| id.as_str()).cloned()
}

const fn id_of(key: &FlowKey) -> &FlowId {
    match key {
        FlowKey::Newest(id) | FlowKey::Version(id, _) => id,
    }
}

/// Reads one flow again.
///
/// The flow may change meanwhile, so the order of the reads matters. The end of the history is read first: a newest version
/// that is read later must be behind it. The history is read last, up to the newest version: it was complete by then.
async fn look_at(table: &Table, client: &Client, id: &FlowId) -> Result<Look, Unfinished> {
    let partition = item::partition(client);
    let number_of = |item: &Item| match FlowKey::parse(item::text(item, item::SORT_KEY)?)? {
        FlowKey::Version(_, number) => Some(number),
        FlowKey::Newest(_) => None,
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
    // The history ends one version early or late.
    let is_half_way = number.is_some_and(|number| is_twice || before + 2 == number);
    Ok(Look { findings, is_half_way })
}
