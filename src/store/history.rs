//! Reads a flow: its newest version, and those before it.
//!
//! The newest is read first. Versions never change, so every version from 1 to the newest exists. But reads of two items
//! are no snapshot: the newest can be seen at version n + 1 while version n is not there yet ("Amazon DynamoDB
//! Transactions: How it works", isolation levels). So a version that is absent is read again.

use super::transaction::Backoff;
use super::{Store, only, send_query};
use crate::cursor::VersionCursor;
use crate::error::{Cause, Error};
use crate::flow::{Change, Client, Digest, Flow, FlowId, Summary, Timestamp};
use crate::item::{self, Item};
use crate::size::{self, Budget};

/// The most queries of a page of versions. They read 4 megabytes at most: 1,024 read units of the 3,000 that a partition has
/// for a second ("Burst and adaptive capacity" in the Developer Guide).
const MAX_QUERIES: usize = 4;

/// A page of a flow's versions, newest first.
#[derive(Debug, Clone)]
pub struct Versions {
    pub entries: Vec<Entry>,
    /// How many versions the flow has in all.
    pub total: u64,
}

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

    /// Its bytes in an answer, or more.
    fn size(&self) -> usize {
        size::of_summary(&self.summary) + size::of_change(&self.change)
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
    /// of versions. The page ends early after `MAX_QUERIES`, and where an answer has no room for more.
    pub async fn versions(
        &self,
        client: &Client,
        id: &FlowId,
        after: Option<VersionCursor>,
        limit: usize,
    ) -> Result<Versions, Error> {
        let newest = self.read(&self.table, item::flow_key(client, id)).await?.ok_or(Error::ProjectFlowNotFound)?;
        let newest = Entry::of(&newest)?;
        let total = newest.summary.version;
        let mut before = after.map_or(u64::MAX, |VersionCursor(version)| version);
        let mut entries = Vec::new();
        let mut budget = Budget::of_answer();
        if total < before {
            before = total;
            budget.take(newest.size());
            entries.push(newest);
        }
        let (mut queries, mut backoff) = (0, Backoff::of_window());
        while before > 1 && entries.len() < limit && queries < MAX_QUERIES {
            let query = self
                .range(client, item::version_sort(id, 1), item::version_sort(id, before - 1))
                .scan_index_forward(false)
                .limit(i32::try_from(limit - entries.len()).unwrap_or(i32::MAX));
            let found = send_query(only(query, &item::HISTORY)).await?;
            let mut is_whole = !found.items().is_empty();
            for item in found.items() {
                let entry = Entry::of(item)?;
                if entry.summary.version + 1 != before {
                    is_whole = false;
                    break;
                }
                if !budget.take(entry.size()) && !entries.is_empty() {
                    return Ok(Versions { entries, total });
                }
                before = entry.summary.version;
                entries.push(entry);
            }
            if is_whole {
                queries += 1;
            } else if !backoff.wait().await {
                return Err(absent(before - 1));
            }
        }
        Ok(Versions { entries, total })
    }
}

/// A version that must be there, and was not at any of several looks.
fn absent(version: u64) -> Error {
    Error::TemporarilyUnavailable(Cause::new(format!("history: version {version} is absent")))
}
