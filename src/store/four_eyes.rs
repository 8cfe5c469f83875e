//! Whether a release has four eyes: somebody else has written what it puts in force.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::transaction::Backoff;
use super::{Store, only, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Author, Flow, Head, Place, Summary};
use crate::item;

impl Store {
    /// Whether others than `author` wrote every version after the last released one, up to `version`. A version without an
    /// author counts as `author`'s. To go back to a version that was released in the flow's place before needs nobody else.
    pub async fn is_work_of_others(
        &self,
        head: Option<&Head>,
        newest: &Flow,
        version: u64,
        author: &Author,
    ) -> Result<bool, Error> {
        let id = &newest.summary.id;
        let mut released = match head.and_then(|head| head.release.version.as_ref()) {
            Some(live) if live.id == *id => live.version,
            Some(_) | None => self.last_released(newest).await?,
        };
        // A version that was skipped is not reviewed because a later one is.
        if version < released {
            released = self.highest_released(newest, version).await?;
        }
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
        let query = self.releases_of(flow).filter_expression("#_id = :id");
        let mut start = None;
        loop {
            let page = send_query(query.clone().set_exclusive_start_key(start)).await?;
            if let Some(version) = versions(&page).next() {
                return version;
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(0);
            }
        }
    }

    /// The highest version of a flow, up to `version`, that was ever released in its place; 0 if none was.
    async fn highest_released(&self, flow: &Flow, version: u64) -> Result<u64, Error> {
        let query = self
            .releases_of(flow)
            .filter_expression("#_id = :id AND #version <= :version")
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()));
        let (mut highest, mut start) = (0, None);
        loop {
            let page = send_query(query.clone().set_exclusive_start_key(start)).await?;
            for version in versions(&page) {
                highest = highest.max(version?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(highest);
            }
        }
    }

    /// A query of the releases of a flow's place since the flow was created, newest first, for a filter by `:id`.
    fn releases_of(&self, flow: &Flow) -> QueryFluentBuilder {
        let Summary { client, id, created_at, .. } = &flow.summary;
        let prefix = item::releases_sort(&Place::of(&flow.summary));
        let (first, last) = (format!("{prefix}{created_at}"), format!("{prefix}{}", item::LAST));
        let query = self.range(client, first, last).scan_index_forward(false);
        only(query, &item::RELEASES).expression_attribute_values(":id", AttributeValue::S(id.as_str().to_owned()))
    }
}

/// The versions that the releases of a page name.
fn versions(page: &QueryOutput) -> impl Iterator<Item = Result<u64, Error>> {
    page.items().iter().map(|item| Ok(item::to_release(item)?.version.map_or(0, |released| released.version)))
}
