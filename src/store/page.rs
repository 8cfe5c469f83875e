//! Pages of a list: one loop for every list, and one kind of cursor.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Store, only, send_query};
use crate::error::{Cause, Error};
use crate::flow::Client;
use crate::item::{self, Item, List};

/// The most queries of a page. They read 8 megabytes at most: 2,048 read units of the 3,000 that a partition has for a second
/// ("Burst and adaptive capacity" in the Developer Guide).
pub(super) const MAX_QUERIES: usize = 8;

/// The most entries that one query reads for a filter.
const MAX_READ: usize = 1_000;

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub entries: Vec<T>,
    /// Where the next page begins, unless this is the last one.
    pub next: Option<Cursor>,
    pub totals: Option<Totals>,
}

/// Where a page stands among all.
#[derive(Debug, Clone, Copy)]
pub struct Totals {
    /// The page, from 1, where it was asked for by number.
    pub page: Option<u32>,
    /// How many entries the list has.
    pub total: u64,
}

/// An opaque position in a list: the sort key that a page ends at.
///
/// It names a position only. The client comes from the caller's token, so a forged or foreign cursor can only reach what
/// belongs to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub(super) String);

impl Cursor {
    /// `None` if `text` is no position in `list`.
    pub fn parse(list: &List, text: &str) -> Option<Self> {
        let key = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        list.has(&key).then_some(Self(key))
    }

    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

/// The entries of a list: which of them, what is read of each, and what it becomes.
pub(super) struct Entries<'list, T> {
    pub(super) list: &'list List,
    /// Only those that meet all of these.
    pub(super) filter: Vec<Condition<'list>>,
    pub(super) attributes: &'static [&'static str],
    pub(super) read: fn(&Item) -> Result<T, Cause>,
    /// The sort key of an entry.
    pub(super) sort_key: &'list (dyn Fn(&T) -> String + Sync),
}

/// A condition on an attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'value> {
    Equals(&'static str, &'value str),
    Exists(&'static str),
}

impl<T> Entries<'_, T> {
    /// A query of the client's entries after a position.
    pub(super) fn query(&self, store: &Store, client: &Client, after: Option<&Cursor>) -> QueryFluentBuilder {
        let (first, last) = self.list.range(after.map(|Cursor(key)| key.as_str()));
        let mut query = match self.list.index() {
            None => store.range(client, first, last),
            Some(index) => store.index_range(index, client, (self.list.sort_attribute(), first, last)),
        };
        let mut conditions = Vec::with_capacity(self.filter.len());
        for condition in &self.filter {
            let (Condition::Equals(name, _) | Condition::Exists(name)) = condition;
            query = query.expression_attribute_names(format!("#{name}"), *name);
            match condition {
                Condition::Equals(_, value) => {
                    let value = AttributeValue::S((*value).to_owned());
                    query = query.expression_attribute_values(format!(":{name}"), value);
                    conditions.push(format!("#{name} = :{name}"));
                }
                Condition::Exists(_) => conditions.push(format!("attribute_exists(#{name})")),
            }
        }
        query
            .set_filter_expression((!conditions.is_empty()).then(|| conditions.join(" AND ")))
            .scan_index_forward(!self.list.is_newest_first())
    }

    /// At most `limit` entries after a position. The page ends early after so many queries.
    pub(super) async fn page(
        &self,
        store: &Store,
        client: &Client,
        mut after: Option<Cursor>,
        limit: usize,
        max_queries: usize,
    ) -> Result<Page<T>, Error> {
        let mut entries: Vec<T> = Vec::new();
        // The database refuses a range that ends before it begins.
        let (first, last) = self.list.range(after.as_ref().map(|Cursor(key)| key.as_str()));
        if last < first {
            return Ok(Page { entries, next: None, totals: None });
        }
        // The number of an entry tells whether there is another one. Elsewhere, one more than the page holds does.
        let wanted = limit + usize::from(!self.list.is_numbered());
        // A filter drops entries, so a query that is the only one reads as many as it may.
        let mut read = if max_queries == 1 && !self.filter.is_empty() { MAX_READ } else { wanted };
        for _ in 0..max_queries {
            let query = only(self.query(store, client, after.as_ref()), self.attributes);
            let found = send_query(query.limit(count_limit(read as u64))).await?;
            let is_full = entries.len() + found.items().len() >= wanted;
            for item in found.items().iter().take(limit - entries.len()) {
                entries.push((self.read)(item)?);
            }
            if let (true, Some(last)) = (is_full, entries.last()) {
                let key = Some((self.sort_key)(last)).filter(|key| !(self.list.is_numbered() && item::is_first(key)));
                return Ok(Page { entries, next: key.map(Cursor), totals: None });
            }
            after = self.last_key(&found)?;
            if after.is_none() {
                break;
            }
            // A filter drops entries, so the next query reads more.
            read = if self.filter.is_empty() { wanted - entries.len() } else { MAX_READ.min(read * 4) };
        }
        Ok(Page { entries, next: after, totals: None })
    }

    /// The position where a query has stopped, unless it has reached the end.
    pub(super) fn last_key(&self, found: &QueryOutput) -> Result<Option<Cursor>, Error> {
        let Some(key) = found.last_evaluated_key() else { return Ok(None) };
        let key = item::text(key, self.list.sort_attribute()).filter(|key| self.list.has(key));
        Ok(Some(Cursor(key.ok_or_else(|| Cause::new("Query: a last key of another list"))?.to_owned())))
    }
}

pub(super) fn count_limit(limit: u64) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}
