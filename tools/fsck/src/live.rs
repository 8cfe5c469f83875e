//! Reads what is released in a partition: a merge of three sorted lists, the releases in force, all releases and the marks
//! of reviews, so that only one place is in memory. `releases` judges a place.

use std::collections::BTreeMap;

use project_flows::flow::{Client, Place, ReleasedVersion};
use project_flows::item::{self, Item};

use crate::index::Expected;
use crate::list::List;
use crate::look::{self, Look};
use crate::place::ReleaseKey;
use crate::releases::{self, Named, Releases, Review};
use crate::report::{self, Count, Report};
use crate::table::{Part, Table, Unfinished};

/// Checks the releases of a client.
pub async fn check(table: &Table, report: &Report, client: &Client, sums: &mut Expected) -> Result<(), Unfinished> {
    let partition = item::partition(client);
    let mut heads = List { walk: table.walk(Part::heads(&partition)), parse: ReleaseKey::parse };
    let mut all = List { walk: table.walk(Part::releases(&partition)), parse: ReleaseKey::parse };
    let mut head = heads.next(report, sums).await?;
    let mut next = all.next(report, sums).await?;
    let mut reviews = List { walk: table.walk(Part::reviews(&partition)), parse: ReleaseKey::parse };
    let mut review = reviews.next(report, sums).await?;
    let mut versions = Versions { table, client, last: None };

    while let Some(place) = first([&head, &next, &review]) {
        let this = head.take_if(|(key, _)| key.place() == &place).map(|(_, item)| item);
        let mut is_off = false;
        let mut note = |_| is_off = true;
        let mut releases = Releases::new(client, &place);
        while let Some((ReleaseKey::Release(_, since, number), item)) = next.take_if(|(key, _)| key.place() == &place) {
            report.count(Count::Releases);
            let changes = versions.changes(releases.review(&item)).await?;
            let named = versions.named_by(&item).await?;
            releases.next(&since, number, item, named, &changes, &mut note);
            next = all.next(report, sums).await?;
        }
        let mut marks = BTreeMap::new();
        while let Some((_, mark)) = review.take_if(|(key, _)| key.place() == &place) {
            marks.extend(sort_of(&mark).map(|sort| (sort, mark)));
            review = reviews.next(report, sums).await?;
        }
        let named = match &this {
            Some(item) => versions.named_by(item).await?,
            None => None,
        };
        releases.end(this.as_ref(), named, &marks, &mut note);
        if let Some(item) = &this {
            inactive(table, client, item).await?.into_iter().for_each(note);
            head = heads.next(report, sums).await?;
        }
        if is_off {
            look::again(report, &report::place(client, &place), || look_at(table, client, &place)).await?;
        }
    }
    Ok(())
}

fn sort_of(item: &Item) -> Option<String> {
    item::text(item, item::SORT_KEY).map(str::to_owned)
}

/// The next place: all lists are sorted by project and type.
fn first(lists: [&Option<(ReleaseKey, Item)>; 3]) -> Option<Place> {
    let places = lists.into_iter().flatten().map(|(key, _)| key.place());
    places.min_by_key(|place| item::head_sort_key(place)).cloned()
}

/// Reads one place again.
///
/// Flows may be released meanwhile, so the order of the reads matters. The last release is read first: a release in force
/// that is read later must not be before it. All releases are read last, up to the one in force: they were complete by then.
async fn look_at(table: &Table, client: &Client, place: &Place) -> Result<Look, Unfinished> {
    let partition = item::partition(client);
    let end = table.walk(Part::end_of_releases(&partition, place)).next().await?.as_ref().and_then(sort_of);
    let head = table.item(item::head_key(client, place)).await?;
    let in_force = head.as_ref().and_then(|head| item::to_release(head).ok());
    let in_force = in_force.map(|release| item::release_sort_key(place, &release.since, release.number));

    let mut findings = Vec::new();
    let mut found = |says| findings.push(says);
    let mut releases = Releases::new(client, place);
    let mut versions = Versions { table, client, last: None };
    let mut all = end.max(in_force).map(|last| table.walk(Part::releases_of(&partition, place, last)));
    while let Some(all) = &mut all
        && let Some(item) = all.next().await?
    {
        if let Some(ReleaseKey::Release(_, since, number)) = sort_of(&item).as_deref().and_then(ReleaseKey::parse) {
            let changes = versions.changes(releases.review(&item)).await?;
            let named = versions.named_by(&item).await?;
            releases.next(&since, number, item, named, &changes, &mut found);
        }
    }
    let mut marks = BTreeMap::new();
    let mut reviews = table.walk(Part::reviews_in(&partition, place));
    while let Some(mark) = reviews.next().await? {
        marks.extend(sort_of(&mark).map(|sort| (sort, mark)));
    }
    let named = match &head {
        Some(item) => versions.named_by(item).await?,
        None => None,
    };
    let is_half_way = releases.end(head.as_ref(), named, &marks, &mut found);
    if let Some(head) = &head
        && let Some(says) = inactive(table, client, head).await?
        // Else it was withdrawn or replaced, which lets a flow be paused.
        && table.item(item::head_key(client, place)).await?.as_ref() == Some(head)
    {
        found(says);
    }
    Ok(Look { findings, is_half_way })
}

/// What is wrong with the newest version of the flow that a release puts in force. It is read after the release: the flow
/// was active when it was released.
async fn inactive(table: &Table, client: &Client, head: &Item) -> Result<Option<String>, Unfinished> {
    let Some(ReleasedVersion { id, .. }) = releases::version_of(head) else { return Ok(None) };
    let newest = table.item(item::flow_key(client, &id)).await?;
    Ok(releases::inactive(&id, newest.as_ref()))
}

/// Looks up the versions that releases name, one at a time. Releases that follow each other often name the same.
struct Versions<'check> {
    table: &'check Table,
    client: &'check Client,
    last: Option<Named>,
}

impl Versions<'_> {
    /// The version that a release names; `None` if it names none.
    async fn named_by(&mut self, release: &Item) -> Result<Option<&Named>, Unfinished> {
        let Some(version) = releases::version_of(release) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|last| last.version != version) {
            self.last = Some(self.look_up(version).await?);
        }
        Ok(self.last.as_ref())
    }

    /// The versions that a release must have reviewed. Those that are missing are reported with their flow.
    async fn changes(&mut self, review: Option<Review>) -> Result<Vec<Item>, Unfinished> {
        let Some(Review { version, base }) = review else { return Ok(Vec::new()) };
        let ReleasedVersion { id, version: last } = version;
        let partition = item::partition(self.client);
        let mut history = self.table.walk(Part::history_from(&partition, &id, base + 1, last));
        let mut changes = Vec::new();
        while let Some(mut version) = history.next().await? {
            version.retain(|name, _| [item::ID, item::VERSION, item::BY].contains(&name.as_str()));
            changes.push(version);
        }
        // The newest is not in the history.
        if let Some(newest) = self.look_up(ReleasedVersion { id, version: last }).await?.item {
            changes.push(newest);
        }
        Ok(changes)
    }

    /// Looks up a version. The newest version is read first: once it is another one, the version is in the history for ever.
    async fn look_up(&self, version: ReleasedVersion) -> Result<Named, Unfinished> {
        let Self { table, client, .. } = self;
        let newest = table.item(item::flow_key(client, &version.id)).await?;
        let number: Option<u64> = newest.as_ref().and_then(|item| item::text(item, item::VERSION)?.parse().ok());
        let item = if number == Some(version.version) {
            newest
        } else {
            table.item(item::version_key(client, &version.id, version.version)).await?
        };
        let is_half_way = item.is_none() && number.is_some_and(|newest| newest > version.version);
        Ok(Named { version, item, is_half_way })
    }
}
