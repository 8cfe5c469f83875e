//! Reads what is live in a place, now or at a moment, and the releases that led there.
//!
//! What is live now is one read of one item, strongly consistent: a login page asks for it at each login.

use super::page::{Condition, Entries, MAX_QUERIES};
use super::{Cursor, Page, Store, send_query};
use crate::error::Error;
use crate::flow::{Client, Head, Place, Release, Summary, Timestamp};
use crate::item::{self, List};

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

    /// At most `limit` releases of a place that come after `after`, newest first, each with the moment at which it ended.
    pub async fn releases(
        &self,
        client: &Client,
        place: &Place,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<(Release, Option<Timestamp>)>, Error> {
        let list = List::Releases(place.clone());
        let releases = Entries {
            list: &list,
            filter: Vec::new(),
            attributes: &item::RELEASES,
            read: |item| Ok((item::to_release(item)?, None)),
            sort_key: &|(release, _): &(Release, Option<Timestamp>)| {
                item::release_sort(place, &release.since, release.number)
            },
        };
        // A release ended when the one before it in the list began.
        let is_first = after.is_none();
        let mut until = after.as_ref().and_then(|Cursor(key)| item::since_of(key));
        let mut page = releases.page(self, client, after, limit, MAX_QUERIES).await?;
        for (release, ended) in &mut page.entries {
            *ended = until.replace(release.since.clone());
        }
        // Nothing comes after a forged cursor.
        if page.entries.is_empty() && (is_first || self.head(client, place).await?.is_none()) {
            return Err(Error::NoLiveFlow);
        }
        Ok(page)
    }

    /// At most `limit` places of `list`, the places of a client, in which a flow is live, that come after `after`.
    pub async fn live_flows(
        &self,
        client: &Client,
        list: &List,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<(Summary, Release)>, Error> {
        let places = Entries {
            list,
            filter: vec![Condition::Exists(item::ID)],
            attributes: &item::LIVE_FLOWS,
            read: |item| Ok((item::to_summary(item)?, item::to_release(item)?)),
            sort_key: &|(summary, _): &(Summary, Release)| item::live_sort(&Place::of(summary)),
        };
        places.page(self, client, after, limit, MAX_QUERIES).await
    }
}
