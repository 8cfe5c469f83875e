//! Reads what is live in a place, now or at a moment, and the releases that led there.
//!
//! What is live now is one read of one item, strongly consistent: a login page asks for it at each login.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{Store, only, send_query};
use crate::cursor::{PlaceCursor, ReleaseCursor};
use crate::error::{Cause, Error};
use crate::flow::members::ProjectId;
use crate::flow::{Client, Head, Place, Release, Summary, Timestamp};
use crate::item;
use crate::size::{self, Budget};

/// The most queries of a page of places. They read 4 megabytes at most: 1,024 read units of the 3,000 that a partition has
/// for a second ("Burst and adaptive capacity" in the Developer Guide).
const MAX_QUERIES: usize = 4;

/// The most places that one query reads.
const MAX_READ: usize = 1_000;

/// A page of a place's releases, newest first.
#[derive(Debug, Clone)]
pub struct Releases {
    /// Each with the moment at which it ended, if it has.
    pub entries: Vec<(Release, Option<Timestamp>)>,
    pub next: Option<ReleaseCursor>,
}

/// A page of what is live in a client's places, by project and type.
#[derive(Debug, Clone)]
pub struct LiveFlows {
    pub entries: Vec<(Summary, Release)>,
    pub next: Option<PlaceCursor>,
}

impl Store {
    /// The newest release of a place, which may have withdrawn what was live; `None` before the first.
    pub async fn head(&self, client: &Client, place: &Place) -> Result<Option<Head>, Error> {
        let item = self.read(&self.table, item::live_key(client, place)).await?;
        Ok(item.as_ref().map(item::to_head).transpose()?)
    }

    /// The release that was in force at `moment`: one query. `None` before the first.
    pub async fn head_as_of(&self, client: &Client, place: &Place, moment: &Timestamp) -> Result<Option<Head>, Error> {
        let first = item::releases_sort(place);
        let last = format!("{first}{moment}#{}", item::LAST);
        let found = send_query(self.range(client, first, last).scan_index_forward(false).limit(1)).await?;
        Ok(found.items().first().map(item::to_head).transpose()?)
    }

    /// At most `limit` releases of a place that come after `after`, newest first.
    pub async fn releases(
        &self,
        client: &Client,
        place: &Place,
        after: Option<ReleaseCursor>,
        limit: usize,
    ) -> Result<Releases, Error> {
        let first = item::releases_sort(place);
        let last = match &after {
            None => format!("{first}{}", item::LAST),
            Some(ReleaseCursor { since, number, .. }) => item::release_sort(place, since, number - 1),
        };
        let query = self.range(client, first, last).scan_index_forward(false);
        let query = query.limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let found = send_query(only(query, &item::RELEASES)).await?;
        let mut until = after.as_ref().map(|after| after.since.clone());
        let mut entries = Vec::with_capacity(found.items().len());
        for item in found.items() {
            let release = item::to_release(item)?;
            let since = release.since.clone();
            entries.push((release, until.replace(since)));
        }
        // Nothing comes after a forged cursor.
        if entries.is_empty() && (after.is_none() || self.head(client, place).await?.is_none()) {
            return Err(Error::NoLiveFlow);
        }
        let last = entries.last().map(|(release, _)| release).filter(|release| release.number > 1);
        let next = last.map(|release| ReleaseCursor {
            place: place.clone(),
            since: release.since.clone(),
            number: release.number,
        });
        Ok(Releases { entries, next })
    }

    /// At most `limit` places of a client, or of one project, in which a flow is live, that come after `after`. The page
    /// ends early after `MAX_QUERIES`, and where an answer has no room for more.
    pub async fn live_flows(
        &self,
        client: &Client,
        project: Option<&ProjectId>,
        after: Option<PlaceCursor>,
        limit: usize,
    ) -> Result<LiveFlows, Error> {
        let all = item::places_sort(project);
        let last = format!("{all}{}", item::LAST);
        let mut next = after;
        let mut entries: Vec<(Summary, Release)> = Vec::new();
        let mut budget = Budget::of_answer();
        // One more than the page holds tells whether there is another.
        let mut read = limit + 1;
        for _ in 0..MAX_QUERIES {
            let first = next.as_ref().map_or_else(|| all.clone(), |cursor| item::after_place(&cursor.0));
            let query = self
                .range(client, first, last.clone())
                .filter_expression("attribute_type(#_id, :string)")
                .expression_attribute_values(":string", AttributeValue::S("S".to_owned()))
                .limit(i32::try_from(read).unwrap_or(i32::MAX));
            let found = send_query(only(query, &item::LIVE_FLOWS)).await?;
            for item in found.items() {
                let (summary, release) = (item::to_summary(item)?, item::to_release(item)?);
                let bytes = size::of_summary(&summary) + size::of_change(&release.change);
                let has_room = entries.len() < limit && budget.take(bytes);
                if let (false, Some((last, _))) = (has_room, entries.last()) {
                    let next = Some(PlaceCursor(Place::of(last)));
                    return Ok(LiveFlows { entries, next });
                }
                entries.push((summary, release));
            }
            let Some(key) = found.last_evaluated_key() else { return Ok(LiveFlows { entries, next: None }) };
            let place = item::text(key, item::SORT_KEY).and_then(item::to_place);
            next = Some(PlaceCursor(place.ok_or_else(|| Cause::new("Query: a last key that is no place's"))?));
            // The filter drops places in which nothing is live, so the next query reads more.
            read = MAX_READ.min(read * 4);
        }
        Ok(LiveFlows { entries, next })
    }
}
