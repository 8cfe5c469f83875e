//! Reads a flow: its newest version, and those before it.
//!
//! The newest is read first. Versions never change, so every version from 1 to the newest exists. But reads of two items
//! are no snapshot: the newest can be seen at version n + 1 while version n is not there yet ("Amazon DynamoDB
//! Transactions: How it works", isolation levels). So a version that is absent is read again.

use super::page::{Entries, MAX_QUERIES};
use super::transaction::Backoff;
use super::{Cursor, Page, Store, Totals};
use crate::error::{Cause, Error};
use crate::flow::{Change, Client, Digest, Flow, FlowId, Summary, Timestamp};
use crate::item::{self, Item, List};

/// A version in a flow's history, with who wrote it and why.
#[derive(Debug, Clone)]
pub struct Entry {
    pub summary: Summary,
    pub change: Change,
    pub digest: Option<Digest>,
}

impl Entry {
    fn of(item: &Item) -> Result<Self, Cause> {
        Ok(Self { summary: item::to_summary(item)?, change: item::to_change(item)?, digest: item::to_digest(item) })
    }
}

impl Store {
    /// The newest version of a flow, deleted or not: one read.
    pub async fn newest(&self, client: &Client, id: &FlowId) -> Result<Flow, Error> {
        let item = self.read(&self.table, item::flow_key(client, id)).await?.ok_or(Error::ProjectFlowNotFound)?;
        Ok(item::to_flow(&item)?)
    }

    /// A version of the flow whose newest is given: one read, or none where it is the newest.
    pub async fn version(&self, newest: &Flow, version: u64) -> Result<Flow, Error> {
        if version == newest.summary.version {
            return Ok(newest.clone());
        }
        if version > newest.summary.version {
            return Err(Error::ProjectFlowNotFound);
        }
        let mut backoff = Backoff::of_window();
        loop {
            match self.read(&self.table, item::version_key(&newest.summary.client, &newest.summary.id, version)).await?
            {
                Some(item) => return Ok(item::to_flow(&item)?),
                None if backoff.wait().await => {}
                None => return Err(absent(version)),
            }
        }
    }

    /// The version of a flow that was in force at `moment`, found by a binary search: each version was in force from its
    /// `updatedAt` to that of the next. Not found if the flow did not exist then, was deleted then, or is deleted now.
    pub async fn version_as_of(&self, client: &Client, id: &FlowId, moment: &Timestamp) -> Result<Flow, Error> {
        let mut version = self.newest(client, id).await?;
        version.check_undeleted()?;
        if moment < version.summary.created_at.second() {
            return Err(Error::ProjectFlowNotFound);
        }
        if version.summary.updated_at.second() > moment {
            let newest = version;
            version = self.version(&newest, 1).await?;
            let mut later = newest.summary.version;
            while version.summary.version + 1 < later {
                let middle = self.version(&newest, u64::midpoint(version.summary.version, later)).await?;
                if middle.summary.updated_at.second() > moment {
                    later = middle.summary.version;
                } else {
                    version = middle;
                }
            }
        }
        version.check_undeleted()?;
        Ok(version)
    }

    /// At most `limit` versions of a flow that come after `after`, newest first: one read, and one query for each megabyte
    /// of versions.
    pub async fn versions(
        &self,
        client: &Client,
        id: FlowId,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Entry>, Error> {
        let newest = self.read(&self.table, item::flow_key(client, &id)).await?.ok_or(Error::ProjectFlowNotFound)?;
        let newest = Entry::of(&newest)?;
        let newest_key = item::version_sort_key(&id, newest.summary.version);
        let totals = Some(Totals { page: None, total: newest.summary.version });
        let list = List::Versions(id);
        let earlier = Entries {
            list: &list,
            filter: Vec::new(),
            attributes: &item::HISTORY,
            read: Entry::of,
            sort_key: &|entry: &Entry| item::version_sort_key(&entry.summary.id, entry.summary.version),
        };

        let (first, after) = match after {
            Some(Cursor(key)) if key <= newest_key => (None, Cursor(key)),
            Some(_) | None => (Some(newest), Cursor(newest_key)),
        };
        let (before, limit) = (item::number_of(&after.0), limit - usize::from(first.is_some()));
        if before == 1 || limit == 0 {
            let next = (before > 1).then_some(after);
            return Ok(Page { entries: first.into_iter().collect(), next, totals });
        }
        let mut backoff = Backoff::of_window();
        loop {
            let mut page = earlier.page(self, client, Some(after.clone()), limit, MAX_QUERIES).await?;
            let numbers = page.entries.iter().map(|entry| entry.summary.version);
            let is_whole = numbers.eq((1..before).rev().take(page.entries.len()));
            let is_last = page.next.is_none();
            let reaches = page.entries.last().is_some_and(|last| !is_last || last.summary.version == 1);
            if is_whole && reaches {
                page.entries.splice(0..0, first);
                return Ok(Page { totals, ..page });
            }
            if !backoff.wait().await {
                return Err(absent(before - 1));
            }
        }
    }
}

/// A version that must be there, and was not at any of several looks.
fn absent(version: u64) -> Error {
    Error::TemporarilyUnavailable(Cause::new(format!("history: version {version} is absent")))
}
