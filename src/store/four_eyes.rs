//! Whether a release has four eyes: somebody else has written what it puts in force.

use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::transaction::Backoff;
use super::{Store, only, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Author, Flow, Head, Place, ReleasedVersion};
use crate::item;

impl Store {
    /// Whether somebody other than `author` has written all that a release of `version` is the first to put in force: the
    /// versions since the one that was released last in the flow's place. A version without an author counts as `author`'s.
    pub async fn is_work_of_others(
        &self,
        head: Option<&Head>,
        newest: &Flow,
        version: u64,
        author: &Author,
    ) -> Result<bool, Error> {
        let id = &newest.summary.id;
        let released = match head.and_then(|head| head.release.version.as_ref()) {
            Some(live) if live.id == *id => live.version,
            Some(_) | None => self.last_released(newest).await?,
        };
        let mut last = version;
        if last == newest.summary.version && last > released {
            if newest.change.by.as_ref().is_none_or(|by| by == author) {
                return Ok(false);
            }
            last -= 1;
        }
        if last <= released {
            return Ok(true);
        }
        let expected = last - released;
        let mut backoff = Backoff::of_window();
        loop {
            let (first, last) = (item::version_sort(id, released + 1), item::version_sort(id, last));
            let query = self
                .range(&newest.summary.client, first, last)
                .filter_expression("attribute_exists(#by) AND #by <> :author")
                .expression_attribute_names("#by", item::BY)
                .expression_attribute_values(":author", AttributeValue::S(author.as_str().to_owned()))
                .select(Select::Count);
            let (mut by_others, mut found, mut start) = (0, 0, None);
            loop {
                let page = send_query(query.clone().set_exclusive_start_key(start)).await?;
                by_others += u64::try_from(page.count()).unwrap_or_default();
                found += u64::try_from(page.scanned_count()).unwrap_or_default();
                start = page.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
            if by_others == expected {
                return Ok(true);
            }
            if found >= expected {
                return Ok(false);
            }
            // A version that was just replaced is perhaps not in the history yet.
            if !backoff.wait().await {
                let cause = format!("history: expected {expected} versions since a release, found {found}");
                return Err(Error::TemporarilyUnavailable(Cause::new(cause)));
            }
        }
    }

    /// The version of a flow that was released last in its place; 0 if none was.
    async fn last_released(&self, flow: &Flow) -> Result<u64, Error> {
        let first = item::releases_sort(&Place::of(&flow.summary));
        let last = format!("{first}{}", item::LAST);
        let query = self
            .range(&flow.summary.client, first, last)
            .scan_index_forward(false)
            .filter_expression("#_id = :id")
            .expression_attribute_values(":id", AttributeValue::S(flow.summary.id.as_str().to_owned()));
        let query = only(query, &item::RELEASES);
        let mut start = None;
        loop {
            let page = send_query(query.clone().set_exclusive_start_key(start)).await?;
            if let Some(item) = page.items().first() {
                let version = item::to_release(item)?.version;
                return Ok(version.map_or(0, |ReleasedVersion { version, .. }| version));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(0);
            }
        }
    }
}
