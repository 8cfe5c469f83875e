//! Lists a client's flows, or those that are deleted, latest first, from the index.
//!
//! A page by cursor reads the flows that it shows and those that its filter drops. A page by number also reads everything
//! before it, and everything after it for its totals: `DynamoDB` has no offsets and keeps no counts. A query reads at most a
//! megabyte of the index, some 2,500 flows ("Query" in the Amazon DynamoDB Developer Guide).

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::{Store, only, send_query};
use crate::cursor::{FlowCursor, TRASH};
use crate::error::{Cause, Error};
use crate::flow::members::{FlowType, ProjectId};
use crate::flow::{Client, List, Status, Summary};
use crate::item;
use crate::size::{self, Budget};

/// The flows of one list that meet every given condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub list: List,
    pub project: Option<ProjectId>,
    pub flow_type: Option<FlowType>,
    pub status: Option<Status>,
}

impl Filter {
    /// Whether every flow of its list meets it.
    const fn is_open(&self) -> bool {
        let Self { list: _, project, flow_type, status } = self;
        project.is_none() && flow_type.is_none() && status.is_none()
    }
}

/// Where a page of flows begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// At the page of this number, from 1.
    Page(u32),
    /// After the page before.
    After(FlowCursor),
}

/// A page of a client's flows, latest first.
#[derive(Debug, Clone)]
pub struct Page {
    pub summaries: Vec<Summary>,
    pub next: Option<FlowCursor>,
    /// Where the page stands among all, where it was asked for by number.
    pub totals: Option<Totals>,
}

/// Where a page stands among all.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// The page, from 1.
    pub page: u32,
    /// How many flows meet the filter.
    pub total: u64,
}

/// The most entries that one query reads for a filter.
const MAX_READ: usize = 1_000;

/// The most queries of a page by cursor, whose filter may drop all that they find. They read 16 megabytes at most: 2,048 read
/// units of the 3,000 that a partition has for a second ("Burst and adaptive capacity" in the Developer Guide).
const MAX_QUERIES: usize = 16;

/// A position in the index: after this key, or at the beginning.
type After = Option<String>;

impl Store {
    /// A page of at most `limit` flows of `client` that meet `filter`. It ends early when the answer has no room for more.
    /// By cursor, it also ends after `MAX_QUERIES`. Then `next` leads to the rest.
    ///
    /// A page by number starts as if all earlier pages were full, so `total` tells how many pages there are. To count them,
    /// it reads the whole list.
    ///
    /// The index is a moment behind the table ("Using Global Secondary Indexes in DynamoDB").
    pub async fn list(
        &self,
        client: &Client,
        filter: &Filter,
        position: &Position,
        limit: usize,
    ) -> Result<Page, Error> {
        match position {
            Position::After(cursor) => {
                let after = Some(cursor.to_stored());
                let (summaries, next) = self.page(client, filter, after, limit, MAX_QUERIES).await?;
                Ok(Page { summaries, next, totals: None })
            }
            Position::Page(page) => {
                let offset = u64::from(page - 1) * limit as u64;
                let (skipped, after) = self.skip(client, filter, offset).await?;
                if offset > 0 && after.is_none() {
                    let totals = Some(Totals { page: *page, total: skipped });
                    return Ok(Page { summaries: Vec::new(), next: None, totals });
                }
                let (summaries, next) = self.page(client, filter, after, limit, usize::MAX).await?;
                let mut total = skipped + summaries.len() as u64;
                if let Some(next) = &next {
                    total += self.count(client, filter, Some(next.to_stored())).await?;
                }
                Ok(Page { summaries, next, totals: Some(Totals { page: *page, total }) })
            }
        }
    }

    /// At most `limit` flows, found with so many `queries`, and the cursor of what comes after them.
    async fn page(
        &self,
        client: &Client,
        filter: &Filter,
        mut after: After,
        limit: usize,
        queries: usize,
    ) -> Result<(Vec<Summary>, Option<FlowCursor>), Error> {
        // One more than the page holds tells whether there is another.
        let wanted = limit + 1;
        let mut summaries: Vec<Summary> = Vec::new();
        let mut budget = Budget::of_answer();
        let mut read = wanted;
        for _ in 0..queries {
            let query = only(self.query(client, filter, after.as_deref()), &item::SUMMARY);
            let found = send_query(query.limit(count_limit(read as u64))).await?;
            for item in found.items() {
                let summary = item::to_summary(item)?;
                let has_room = summaries.len() < limit && budget.take(size::of_summary(&summary));
                if let (false, Some(last)) = (has_room, summaries.last()) {
                    let next = FlowCursor::after(last);
                    return Ok((summaries, Some(next)));
                }
                summaries.push(summary);
            }
            after = last_key(&found)?;
            if after.is_none() {
                return Ok((summaries, None));
            }
            // A filter drops entries, so the next query reads more.
            read = if filter.is_open() { wanted - summaries.len() } else { MAX_READ.min(read * 4) };
        }
        let next = after.as_deref().and_then(FlowCursor::from_stored);
        Ok((summaries, Some(next.ok_or_else(|| Cause::new("Query: a last key that is not a flow's"))?)))
    }

    /// Skips `offset` flows. Returns how many there were, and the position after them, unless they were the last.
    async fn skip(&self, client: &Client, filter: &Filter, offset: u64) -> Result<(u64, After), Error> {
        let (mut skipped, mut after) = (0, None);
        while skipped < offset {
            let left = offset - skipped;
            let query = self.query(client, filter, after.as_deref());
            let found = if filter.is_open() {
                let found = send_query(query.select(Select::Count).limit(count_limit(left))).await?;
                skipped += count(&found);
                found
            } else {
                // Only the filter knows which of them count, so their keys are read.
                let found = send_query(only(query, &[item::LIST_KEY])).await?;
                let key = usize::try_from(left - 1).ok().and_then(|last| found.items().get(last));
                if let Some(key) = key.and_then(|item| item::text(item, item::LIST_KEY)) {
                    return Ok((offset, Some(key.to_owned())));
                }
                skipped += found.items().len() as u64;
                found
            };
            after = last_key(&found)?;
            if after.is_none() {
                break;
            }
        }
        Ok((skipped, after))
    }

    /// How many flows come after a position.
    async fn count(&self, client: &Client, filter: &Filter, mut after: After) -> Result<u64, Error> {
        let mut counted = 0;
        loop {
            let found = send_query(self.query(client, filter, after.as_deref()).select(Select::Count)).await?;
            counted += count(&found);
            after = last_key(&found)?;
            if after.is_none() {
                return Ok(counted);
            }
        }
    }

    /// A query of the client's flows after a position, latest first.
    fn query(&self, client: &Client, filter: &Filter, after: Option<&str>) -> QueryFluentBuilder {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(item::INDEX)
            .scan_index_forward(false)
            .expression_attribute_names("#client", item::CLIENT)
            .expression_attribute_names("#listKey", item::LIST_KEY)
            .expression_attribute_values(":client", AttributeValue::S(client.as_str().to_owned()));
        let Filter { list, project, flow_type, status } = filter;
        let key = |key: &str| AttributeValue::S(key.to_owned());
        query = match (list, after) {
            (List::Flows, after) => query
                .key_condition_expression("#client = :client AND #listKey < :after")
                .expression_attribute_values(":after", key(after.unwrap_or(TRASH))),
            (List::Trash, None) => query
                .key_condition_expression("#client = :client AND #listKey >= :trash")
                .expression_attribute_values(":trash", key(TRASH)),
            (List::Trash, Some(after)) => query
                .key_condition_expression("#client = :client AND #listKey BETWEEN :trash AND :last")
                .expression_attribute_values(":trash", key(TRASH))
                .expression_attribute_values(":last", key(&before(after))),
        };
        let conditions = [
            (item::PROJECT, project.as_ref().map(ProjectId::as_str)),
            (item::TYPE, flow_type.map(FlowType::as_str)),
            (item::STATUS, status.map(Status::as_str)),
        ];
        let mut filters = Vec::new();
        for (name, value) in conditions {
            let Some(value) = value else { continue };
            filters.push(format!("#{name} = :{name}"));
            query = query
                .expression_attribute_names(format!("#{name}"), name)
                .expression_attribute_values(format!(":{name}"), AttributeValue::S(value.to_owned()));
        }
        query.set_filter_expression((!filters.is_empty()).then(|| filters.join(" AND ")))
    }
}

/// The last text of the same length that sorts before `key`. As an upper bound it excludes `key`, although a range includes
/// its ends. All keys of the trash have the same length.
fn before(key: &str) -> String {
    let mut characters = key.chars();
    let last = characters.next_back().map_or(0, u32::from);
    let smaller = char::from_u32(last.saturating_sub(1)).unwrap_or_default();
    format!("{}{smaller}", characters.as_str())
}

/// The position where a query has stopped, unless it has reached the end.
fn last_key(found: &QueryOutput) -> Result<After, Error> {
    let Some(key) = found.last_evaluated_key() else { return Ok(None) };
    let key = item::text(key, item::LIST_KEY).ok_or_else(|| Cause::new("Query: a last key without listKey"))?;
    Ok(Some(key.to_owned()))
}

fn count(found: &QueryOutput) -> u64 {
    u64::try_from(found.count()).unwrap_or_default()
}

fn count_limit(limit: u64) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}
