//! Whether a release has four eyes: all that it puts in force was written by others, or reviewed before.
//!
//! The base of a review is the highest version that passed one before, not above the one to release. A release that passes
//! leaves a mark for its version, so the base is one small read, however many releases a place has. A review holds for
//! ever: versions never change, and a base only rises.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::transaction::Backoff;
use super::{Store, only, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Author, Flow, Head, Place, Summary};
use crate::item;
use crate::problem::{Code, Problem};

/// The most queries of a review. They read 8 megabytes at most: 2,048 read units of the 3,000 that a partition has for a
/// second ("Burst and adaptive capacity" in the Developer Guide).
const MAX_QUERIES: u32 = 8;

/// The versions that the first query of a review reads. An own change is usually among the latest.
const FIRST_READ: i32 = 64;

/// The time of a review. The write after it still ends within the function's time.
const REVIEW_TIME: Duration = Duration::from_secs(4);

impl Store {
    /// Checks that others than `author` wrote every version after the base, up to `flow`. A version without an author counts
    /// as `author`'s.
    ///
    /// # Errors
    ///
    /// [`Code::OwnChange`]; [`Code::TooManyChanges`] where a review would read too much.
    pub async fn review(&self, head: Option<&Head>, flow: &Flow, author: &Author) -> Result<(), Error> {
        let late = |_| Error::TemporarilyUnavailable(Cause::new("a review took too long"));
        tokio::time::timeout(REVIEW_TIME, self.review_in_time(head, flow, author)).await.map_err(late)?
    }

    async fn review_in_time(&self, head: Option<&Head>, flow: &Flow, author: &Author) -> Result<(), Error> {
        let Summary { client, id, version, .. } = &flow.summary;
        let own = || {
            let error =
                "expected only versions by others since the last review, found one by the caller or without an author";
            Err(Problem::new("/version", Code::OwnChange, error).into())
        };
        let base = self.last_reviewed(head, &flow.summary).await?;
        if base == *version {
            return Ok(());
        }
        if flow.change.by.as_ref().is_none_or(|by| by == author) {
            return own();
        }
        let expected = version - base - 1;
        if expected == 0 {
            return Ok(());
        }
        let query = self
            .range(client, item::version_sort_key(id, base + 1), item::version_sort_key(id, version - 1))
            .scan_index_forward(false)
            .filter_expression("attribute_not_exists(#by) OR #by = :author")
            .expression_attribute_names("#by", item::BY)
            .expression_attribute_values(":author", AttributeValue::S(author.as_str().to_owned()))
            .select(Select::Count);
        let mut backoff = Backoff::of_window();
        loop {
            let (mut queries, mut limit, mut found, mut start) = (0, FIRST_READ, 0, None);
            loop {
                if queries == MAX_QUERIES {
                    let error = format!(
                        "expected changes that {MAX_QUERIES} queries of at most 1 MB can review, found more: release an \
                         earlier version first"
                    );
                    return Err(Problem::new("/version", Code::TooManyChanges, error).into());
                }
                queries += 1;
                let page = send_query(query.clone().limit(limit).set_exclusive_start_key(start)).await?;
                if page.count() > 0 {
                    return own();
                }
                found += u64::try_from(page.scanned_count()).unwrap_or_default();
                // A page that is shorter is full: it has reached its megabyte.
                if page.scanned_count() == limit {
                    limit = limit.saturating_mul(4);
                }
                start = page.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
            if found >= expected {
                return Ok(());
            }
            // A version that was just replaced is perhaps not in the history yet.
            if !backoff.wait().await {
                let cause = format!("history: expected {expected} versions since a review, found {found}");
                return Err(Error::TemporarilyUnavailable(Cause::new(cause)));
            }
        }
    }

    /// The highest version of a flow, not above this one, that was released in its place and reviewed; 0 if none was.
    async fn last_reviewed(&self, head: Option<&Head>, summary: &Summary) -> Result<u64, Error> {
        let Summary { client, id, version, .. } = summary;
        let place = Place::of(summary);
        let query = self
            .range(client, item::review_sort_key(&place, id, 1), item::review_sort_key(&place, id, *version))
            .scan_index_forward(false)
            .limit(1);
        let found = send_query(only(query, &[item::SORT_KEY])).await?;
        let marked = found.items().first().map(item::to_reviewed).transpose()?.unwrap_or(0);
        // A release may be seen before its mark.
        let live = head.filter(|head| head.release.reviewed).and_then(|head| head.release.version.as_ref());
        let live = live.filter(|live| live.id == *id && live.version <= *version);
        Ok(live.map_or(marked, |live| marked.max(live.version)))
    }
}
