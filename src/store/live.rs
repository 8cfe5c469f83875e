//! Reads what is live in a place, now or at a moment, and the releases that led there.
//!
//! What is live now is one read of one small item, strongly consistent: a login page asks for it at each login. A flow that
//! has no room there is read from the release's own item, once for each release and process.

use super::page::{Condition, Entries, MAX_QUERIES};
use super::transaction::Backoff;
use super::{Cursor, Page, Store, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Change, Client, Definition, Flow, Head, Place, Release, Released, Summary, Timestamp};
use crate::item::{self, List};

impl Store {
    /// The newest release of a place, which may have withdrawn what was live; `None` before the first.
    pub async fn head(&self, client: &Client, place: &Place) -> Result<Option<Head>, Error> {
        let item = self.read(&self.table, item::head_key(client, place)).await?;
        Ok(item.as_ref().map(item::to_head).transpose()?)
    }

    /// The whole of a flow that a release put in force: no read where the item of the release has it, or this process; else
    /// one. It is without what only its own item says: who wrote it, and its digest.
    pub async fn released(&self, release: &Release, flow: Released) -> Result<Flow, Error> {
        let Released { summary, definition } = flow;
        let kept = || self.kept.get(release.digest.as_ref()?);
        let Definition { configuration, steps } = match definition.or_else(kept) {
            Some(definition) => definition,
            None => self.definition(&summary, release).await?,
        };
        let change = Change::default();
        Ok(Flow { summary, configuration, steps, write_token: None, fingerprint: None, change, digest: None })
    }

    /// Reads a flow from the item of a release, and keeps it. It is there, but may be seen after the head that names it.
    async fn definition(&self, summary: &Summary, release: &Release) -> Result<Definition, Error> {
        let key = item::release_key(&summary.client, &Place::of(summary), release);
        let mut backoff = Backoff::of_window();
        loop {
            match self.read(&self.table, key.clone()).await? {
                Some(item) => {
                    let definition = item::to_definition(&item)?;
                    if let Some(digest) = &release.digest {
                        self.kept.put(digest, &definition);
                    }
                    return Ok(definition);
                }
                None if backoff.wait().await => {}
                None => {
                    let cause = Cause::new(format!("release {} is absent", release.number));
                    return Err(Error::TemporarilyUnavailable(cause));
                }
            }
        }
    }

    /// The release that was in force at `moment`: one query. `None` before the first.
    pub async fn head_as_of(&self, client: &Client, place: &Place, moment: &Timestamp) -> Result<Option<Head>, Error> {
        let first = item::releases_prefix(place);
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
                item::release_sort_key(place, &release.since, release.number)
            },
        };
        // A release ended when the one before it in the list began.
        let is_first = after.is_none();
        let mut until = after.as_ref().and_then(|Cursor(key)| item::since_of(key));
        let mut page = releases.page(self, client, after, limit, MAX_QUERIES).await?;
        for (release, ended) in &mut page.entries {
            *ended = until.replace(release.since.second().clone());
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
            sort_key: &|(summary, _): &(Summary, Release)| item::head_sort_key(&Place::of(summary)),
        };
        places.page(self, client, after, limit, MAX_QUERIES).await
    }
}
