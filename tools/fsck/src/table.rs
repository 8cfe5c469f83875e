//! Reads the table: in pages, consistently (the index cannot), counted and at a limited rate.

use std::collections::{HashMap, VecDeque};
use std::error::Error as StdError;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use project_flows::flow::{FlowId, Place};
use project_flows::item::{self, Item};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::place::{self, Index};

/// The most items of a page, which limits memory: several pages are in memory at once, each up to a megabyte.
const PAGE: i32 = 250;
/// More than the SDK's three, so that throttling does not end the check.
const ATTEMPTS: u32 = 10;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The highest version that fits the ten digits of a sort key.
const LAST_VERSION: u64 = 9_999_999_999;
const TOTAL: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;

/// Why the check could not finish.
#[derive(Debug)]
pub struct Unfinished(pub String);

/// The table, and the cost of its reads.
pub struct Table {
    client: DynamoDb,
    name: String,
    read_units_per_second: f64,
    spent: Mutex<Spent>,
}

struct Spent {
    read_units: f64,
    /// When the next read may begin.
    ready: Instant,
}

impl Table {
    pub fn new(sdk: &SdkConfig, name: String, read_units_per_second: f64) -> Self {
        let config = config::Builder::from(sdk)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .build();
        let spent = Mutex::new(Spent { read_units: 0.0, ready: Instant::now() });
        Self { client: DynamoDb::from_conf(config), name, read_units_per_second, spent }
    }

    /// The read units of all reads so far.
    pub async fn read_units(&self) -> f64 {
        self.spent.lock().await.read_units
    }

    /// The partition after `previous`: the scan skips the rest of that one ("Generate a distinct set of
    /// partition keys for an Amazon DynamoDB table efficiently", AWS Database Blog).
    pub async fn next_partition(&self, previous: Option<&str>) -> Result<Option<String>, Unfinished> {
        let scan = self.client.scan().table_name(&self.name).consistent_read(true);
        self.jump("Scan", scan, item::PARTITION_KEY, previous, previous.map(place::behind_partition)).await
    }

    /// The same in an index: the next client that has entries.
    pub async fn next_indexed_client(
        &self,
        index: &Index,
        previous: Option<&str>,
    ) -> Result<Option<String>, Unfinished> {
        let scan = self.client.scan().table_name(&self.name).index_name(index.name);
        let behind = previous.map(|client| place::behind_client(index, client));
        self.jump(&format!("Scan of the index {}", index.name), scan, item::CLIENT, previous, behind).await
    }

    async fn jump(
        &self,
        call: &str,
        scan: ScanFluentBuilder,
        name: &str,
        previous: Option<&str>,
        mut behind: Option<Item>,
    ) -> Result<Option<String>, Unfinished> {
        let scan = scan.limit(1).return_consumed_capacity(TOTAL);
        loop {
            // On the heap, as every call: its state is large, and would be moved with that of whoever waits for it.
            let found = Box::pin(scan.clone().set_exclusive_start_key(behind).send()).await;
            let found = found.map_err(|error| unfinished(call, &error))?;
            self.pay(found.consumed_capacity()).await;
            let next = found.items().first().and_then(|item| item::text(item, name));
            if next.is_some() && next != previous {
                return Ok(next.map(str::to_owned));
            }
            // An item of another kind can sort after the skipped part and still belong to that partition.
            behind = found.last_evaluated_key;
            if behind.is_none() {
                return Ok(None);
            }
        }
    }

    /// One item, as it stands after every write that was answered.
    pub async fn item(&self, key: Item) -> Result<Option<Item>, Unfinished> {
        let read = self.client.get_item().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        let found = Box::pin(read.return_consumed_capacity(TOTAL).send()).await;
        let found = found.map_err(|error| unfinished("GetItem", &error))?;
        self.pay(found.consumed_capacity()).await;
        Ok(found.item)
    }

    /// The items of a part, in the order of their sort keys.
    pub fn walk(&self, part: Part) -> Walk<'_> {
        Walk { table: self, part, page: VecDeque::new(), next: Next::First }
    }

    async fn query(&self, part: &Part, after: Option<Item>) -> Result<(Vec<Item>, Option<Item>), Unfinished> {
        let names = part.names.iter().map(|(name, attribute)| ((*name).to_owned(), (*attribute).to_owned()));
        let values = part.values.iter().map(|(name, text)| ((*name).to_owned(), AttributeValue::S(text.clone())));
        let query = self
            .client
            .query()
            .table_name(&self.name)
            .set_index_name(part.index.map(|index| index.name.to_owned()))
            .consistent_read(part.index.is_none())
            .key_condition_expression(part.condition)
            .set_expression_attribute_names(Some(names.collect()))
            .set_expression_attribute_values(Some(values.collect::<HashMap<_, _>>()))
            .scan_index_forward(!part.backwards)
            .limit(if part.one_alone { 1 } else { PAGE })
            .set_exclusive_start_key(after)
            .return_consumed_capacity(TOTAL);
        let call = part.index.map_or_else(|| "Query".to_owned(), |index| format!("Query of the index {}", index.name));
        let found = Box::pin(query.send()).await.map_err(|error| unfinished(&call, &error))?;
        self.pay(found.consumed_capacity()).await;
        let after = found.last_evaluated_key.filter(|_| !part.one_alone);
        Ok((found.items.unwrap_or_default(), after))
    }

    /// Counts the cost of a read, then waits to stay below the rate: the function uses the same table.
    async fn pay(&self, consumed: Option<&ConsumedCapacity>) {
        let read_units = consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default();
        let ready = {
            let mut spent = self.spent.lock().await;
            spent.read_units += read_units;
            let pause = Duration::from_secs_f64(read_units / self.read_units_per_second);
            spent.ready = spent.ready.max(Instant::now()) + pause;
            spent.ready
        };
        tokio::time::sleep_until(ready).await;
    }
}

/// A part of a partition, of the table or of the index.
pub struct Part {
    condition: &'static str,
    names: Vec<(&'static str, &'static str)>,
    values: Vec<(&'static str, String)>,
    index: Option<&'static Index>,
    backwards: bool,
    /// Read one item only.
    one_alone: bool,
}

impl Part {
    /// All of a partition.
    pub fn whole(partition: &str) -> Self {
        Self::of_table("#pk = :pk", partition, vec![])
    }

    /// The flows: everything before the releases in force.
    pub fn flows(partition: &str) -> Self {
        let bounds = vec![(":heads", item::HEAD_PREFIX.to_owned())];
        Self::of_table("#pk = :pk AND #sk <= :heads", partition, bounds)
    }

    /// The releases in force: everything behind the flows, before the releases.
    pub fn heads(partition: &str) -> Self {
        Self::between(partition, behind(item::HEAD_PREFIX), item::RELEASE_PREFIX.to_owned())
    }

    /// The releases: everything behind those in force, before the marks of reviews.
    pub fn releases(partition: &str) -> Self {
        Self::between(partition, behind(item::RELEASE_PREFIX), item::REVIEW_PREFIX.to_owned())
    }

    /// The marks of reviews: everything behind the releases, before the earlier versions.
    pub fn reviews(partition: &str) -> Self {
        Self::between(partition, behind(item::REVIEW_PREFIX), item::VERSION_PREFIX.to_owned())
    }

    /// The earlier versions: everything behind the releases.
    pub fn versions(partition: &str) -> Self {
        let bounds = vec![(":versions", item::VERSION_PREFIX.to_owned())];
        Self::of_table("#pk = :pk AND #sk > :versions", partition, bounds)
    }

    /// The releases of one place, up to the one with the sort key `last`.
    pub fn releases_of(partition: &str, place: &Place, last: String) -> Self {
        Self::between(partition, item::releases_prefix(place), last)
    }

    /// The marks of reviews in one place.
    pub fn reviews_in(partition: &str, place: &Place) -> Self {
        let first = format!("{}{place}#", item::REVIEW_PREFIX);
        let last = format!("{first}{}", item::LAST);
        Self::between(partition, first, last)
    }

    /// The last of the releases of one place.
    pub fn end_of_releases(partition: &str, place: &Place) -> Self {
        let last = format!("{}{}", item::releases_prefix(place), item::LAST);
        Self { backwards: true, one_alone: true, ..Self::releases_of(partition, place, last) }
    }

    /// The earlier versions of one flow, up to `last`.
    pub fn history(partition: &str, id: &FlowId, last: u64) -> Self {
        Self::history_from(partition, id, 1, last)
    }

    /// The earlier versions of one flow from `first` to `last`.
    pub fn history_from(partition: &str, id: &FlowId, first: u64, last: u64) -> Self {
        Self::between(partition, item::version_sort_key(id, first), item::version_sort_key(id, last))
    }

    /// The last of the earlier versions of one flow.
    pub fn end_of_history(partition: &str, id: &FlowId) -> Self {
        Self { backwards: true, one_alone: true, ..Self::history(partition, id, LAST_VERSION) }
    }

    /// The entries of a client in an index.
    pub fn entries(index: &'static Index, client: &str) -> Self {
        let names = vec![("#client", item::CLIENT)];
        let values = vec![(":client", client.to_owned())];
        let condition = "#client = :client";
        Self { condition, names, values, index: Some(index), backwards: false, one_alone: false }
    }

    /// The entries with one key: at most one in a sound table.
    pub fn entries_at(index: &'static Index, client: &str, sort: &str) -> Self {
        let mut part = Self::entries(index, client);
        part.condition = "#client = :client AND #sort = :sort";
        part.names.push(("#sort", index.sort));
        part.values.push((":sort", sort.to_owned()));
        part
    }

    /// From one sort key to another, both included.
    fn between(partition: &str, first: String, last: String) -> Self {
        let bounds = vec![(":first", first), (":last", last)];
        Self::of_table("#pk = :pk AND #sk BETWEEN :first AND :last", partition, bounds)
    }

    fn of_table(condition: &'static str, partition: &str, mut values: Vec<(&'static str, String)>) -> Self {
        let mut names = vec![("#pk", item::PARTITION_KEY)];
        if condition.contains("#sk") {
            names.push(("#sk", item::SORT_KEY));
        }
        values.push((":pk", partition.to_owned()));
        Self { condition, names, values, index: None, backwards: false, one_alone: false }
    }
}

/// The first sort key behind this one: ranges include both their ends, and no item may be in two of them.
fn behind(sort: &str) -> String {
    format!("{sort}\0")
}

/// The items of a part, a page in memory at a time.
pub struct Walk<'table> {
    table: &'table Table,
    part: Part,
    page: VecDeque<Item>,
    next: Next,
}

enum Next {
    First,
    After(Item),
    End,
}

impl Walk<'_> {
    /// Whether there is any item: one read.
    pub async fn any(mut self) -> Result<bool, Unfinished> {
        self.part.one_alone = true;
        Ok(self.next().await?.is_some())
    }

    /// The next item, or `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<Item>, Unfinished> {
        while self.page.is_empty() {
            let after = match std::mem::replace(&mut self.next, Next::End) {
                Next::First => None,
                Next::After(key) => Some(key),
                Next::End => return Ok(None),
            };
            let (items, after) = self.table.query(&self.part, after).await?;
            self.page = items.into();
            self.next = after.map_or(Next::End, Next::After);
        }
        Ok(self.page.pop_front())
    }
}

/// Why a call failed, with the root cause. It never contains stored data.
fn unfinished<E>(call: &str, error: &SdkError<E>) -> Unfinished
where
    E: StdError + ProvideErrorMetadata + 'static,
{
    let reason = match error {
        SdkError::ServiceError(service) => {
            let (code, message) = (service.err().code(), service.err().message());
            format!("{}: {}", code.unwrap_or("no code"), message.unwrap_or("no message"))
        }
        other => {
            let root = std::iter::successors(Some(other as &(dyn StdError + 'static)), |&error| error.source()).last();
            format!("{other}: {}", root.map_or_else(String::new, ToString::to_string))
        }
    };
    Unfinished(format!("{call}: {reason}"))
}
