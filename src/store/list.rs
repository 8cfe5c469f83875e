//! Lists a client's flows, or those that are deleted, latest first, from the index.
//!
//! A page by cursor reads the flows that it shows and those that its filter drops. A page by number also reads everything
//! before it, and everything after it for its totals: `DynamoDB` has no offsets and keeps no counts. A query reads at most a
//! megabyte of the index, some 2,500 flows ("Query" in the Amazon DynamoDB Developer Guide).

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::Select;

use super::page::{Condition, Entries, MAX_QUERIES, count_limit};
use super::{Cursor, Page, Store, Totals, only, send_query};
use crate::error::Error;
use crate::flow::members::{FlowType, ProjectId};
use crate::flow::{Client, Status, Summary};
use crate::item::{self, List};

/// The flows of one list that meet every given condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// [`List::Flows`] or [`List::Trash`].
    pub list: List,
    pub project: Option<ProjectId>,
    pub flow_type: Option<FlowType>,
    pub status: Option<Status>,
}

/// Where a page of flows begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// At the page of this number, from 1.
    Page(u32),
    /// After the page before.
    After(Cursor),
}

impl Store {
    /// A page of at most `limit` flows of `client` that meet `filter`. It is full wherever there are that many; by cursor, it
    /// also ends after some queries. Where it ends early, `next` leads on.
    ///
    /// The index is a moment behind the table ("Using Global Secondary Indexes in DynamoDB").
    pub async fn list(
        &self,
        client: &Client,
        filter: &Filter,
        begin: &Begin,
        limit: usize,
    ) -> Result<Page<Summary>, Error> {
        let Filter { list, project, flow_type, status } = filter;
        let conditions = [
            (item::PROJECT, project.as_ref().map(ProjectId::as_str)),
            (item::TYPE, flow_type.map(FlowType::as_str)),
            (item::STATUS, status.map(Status::as_str)),
        ];
        let conditions = conditions.into_iter().filter_map(|(name, value)| Some(Condition::Equals(name, value?)));
        let flows = Entries {
            list,
            filter: conditions.collect(),
            attributes: &item::SUMMARY,
            read: item::to_summary,
            sort_key: &item::list_key,
        };
        match begin {
            Begin::After(cursor) => flows.page(self, client, Some(cursor.clone()), limit, MAX_QUERIES).await,
            Begin::Page(page) => {
                let offset = u64::from(page - 1) * limit as u64;
                let (skipped, after) = self.skip(client, &flows, offset).await?;
                if offset > 0 && after.is_none() {
                    let totals = Some(Totals { page: Some(*page), total: skipped });
                    return Ok(Page { entries: Vec::new(), next: None, totals });
                }
                let found = flows.page(self, client, after, limit, usize::MAX).await?;
                let mut total = skipped + found.entries.len() as u64;
                if let Some(next) = &found.next {
                    total += self.count(client, &flows, next).await?;
                }
                Ok(Page { totals: Some(Totals { page: Some(*page), total }), ..found })
            }
        }
    }

    /// Skips `offset` flows. Returns how many there were, and the position after them, unless they were the last.
    async fn skip(
        &self,
        client: &Client,
        flows: &Entries<'_, Summary>,
        offset: u64,
    ) -> Result<(u64, Option<Cursor>), Error> {
        let (mut skipped, mut after) = (0, None);
        while skipped < offset {
            let left = offset - skipped;
            let query = flows.query(self, client, after.as_ref());
            let found = if flows.filter.is_empty() {
                let found = send_query(query.select(Select::Count).limit(count_limit(left))).await?;
                skipped += count(&found);
                found
            } else {
                // Only the filter knows which of them count, so their keys are read.
                let found = send_query(only(query, &[item::LIST_KEY])).await?;
                let key = usize::try_from(left - 1).ok().and_then(|last| found.items().get(last));
                if let Some(key) = key.and_then(|item| item::text(item, item::LIST_KEY)) {
                    return Ok((offset, Some(Cursor(key.to_owned()))));
                }
                skipped += found.items().len() as u64;
                found
            };
            after = flows.last_key(&found)?;
            if after.is_none() {
                break;
            }
        }
        Ok((skipped, after))
    }

    /// How many flows come after a position.
    async fn count(&self, client: &Client, flows: &Entries<'_, Summary>, after: &Cursor) -> Result<u64, Error> {
        let (mut counted, mut after) = (0, Some(after.clone()));
        while after.is_some() {
            let found = send_query(flows.query(self, client, after.as_ref()).select(Select::Count)).await?;
            counted += count(&found);
            after = flows.last_key(&found)?;
        }
        Ok(counted)
    }
}

fn count(found: &QueryOutput) -> u64 {
    u64::try_from(found.count()).unwrap_or_default()
}
