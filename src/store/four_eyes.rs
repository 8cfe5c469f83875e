//! Whether a release has four eyes: somebody else has written what it puts in force.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::transaction::Backoff;
use super::{Store, map_error, only};
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
            let (mut by_others, mut found) = (0, 0);
            let mut pages = query.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| map_error("Query", &error))?;
                by_others += u64::try_from(page.count()).unwrap_or_default();
                found += u64::try_from(page.scanned_count()).unwrap_or_default();
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
        let query: QueryFluentBuilder = self
            .range(&flow.summary.client, first, last)
            .scan_index_forward(false)
            .filter_expression("#_id = :id")
            .expression_attribute_values(":id", AttributeValue::S(flow.summary.id.as_str().to_owned()));
        let mut releases = only(query, &item::RELEASES).into_paginator().items().send();
        match releases.next().await {
            None => Ok(0),
            Some(Err(error)) => Err(map_error("Query", &error)),
            Some(Ok(item)) => {
                let version = item::to_release(&item)?.version;
                Ok(version.map_or(0, |ReleasedVersion { version, .. }| version))
            }
        }
    }
}
