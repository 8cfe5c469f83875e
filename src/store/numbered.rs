//! Writes the next item of a row, exactly once: the versions of a flow are a row, and so are the releases of a place.
//!
//! The newest item of a row stands under one key. Its number is one higher than that of the item before it. The next item is
//! one transaction: it takes the place of the newest, on condition that this is still the one that was read; a copy goes under
//! a key of its own, which must be absent; and what stands beside them are conditions on other items, and marks.
//!
//! Why it is exactly once: the condition is the number before, so each number is written at most once. All requests of a call
//! carry the token of the call. A request that had no answer may be carried out late, but only under its number. So the call
//! goes on with the same number, each time as a new request with the time of that request, until the number is there. Then
//! its token tells whether the call has written it. The answer is what is stored: of two requests, the first may have won.

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};

use super::attempts::{self, AnyUnanswered};
use super::transaction::{Backoff, Refusal, Transacted, incomplete};
use super::{ABSENT, Outcome, Run, Store, on_heap, send_query};
use crate::error::{Cause, Error};
use crate::flow::{Client, WriteToken};
use crate::item::{self, Item};

/// What differs between the rows.
pub(super) struct Row<'row, T> {
    pub(super) client: &'row Client,
    /// Where the newest item stands.
    pub(super) key: Item,
    /// The attribute with the number of an item.
    pub(super) number: &'static str,
    pub(super) read: fn(&Item) -> Result<T, Cause>,
    /// What it means that a condition on another item fails; `None` if the next item must be judged again.
    pub(super) guarded: Option<fn() -> Error>,
}

/// The decision about the next item of a row.
pub(super) enum Next<T> {
    /// There is none.
    Same(T),
    Write(T, Box<Write>),
}

/// The writes of the next item.
pub(super) struct Write {
    pub(super) number: u64,
    pub(super) newest: Item,
    pub(super) copy: Item,
    /// Conditions on other items, and marks.
    pub(super) beside: Vec<TransactWriteItem>,
    /// The range of sort keys in which this number comes first, once a later one is the newest.
    pub(super) range: (String, String),
}

/// A number that a request without an answer may have written, or may still write, and where it then stands.
type Open = Option<(u64, (String, String))>;

/// The outcome of one request.
enum Tried<T> {
    Done(T),
    /// It is not carried out. Another request may be.
    Again(Cause),
}

/// Who has written an open number.
enum Writer<T> {
    Nobody,
    ThisCall(T),
    /// No request of this call can be carried out any more.
    AnotherCall,
}

impl Store {
    /// Asks `next` for the item after the newest, and writes it unless this is a dry run.
    ///
    /// # Errors
    ///
    /// What `next` refuses; those of a write.
    pub(super) async fn next<T, F: Future<Output = Result<Next<T>, Error>>>(
        &self,
        row: Row<'_, T>,
        run: Run,
        next: impl Fn(Option<Item>, WriteToken) -> F,
    ) -> Result<Outcome<T>, Error> {
        match run {
            Run::Real => Ok(Outcome::Written(self.write_next(row, next).await?)),
            Run::Dry => {
                let newest = self.read(&self.table, row.key).await?;
                let stored = newest.as_ref().map(row.read).transpose()?;
                let (Next::Same(next) | Next::Write(next, _)) = next(newest, WriteToken::random()?).await?;
                Ok(Outcome::Judged { stored, next })
            }
        }
    }

    /// Asks `next` for the item after the newest, writes it and returns it. `next` is asked again for each new request, with
    /// what is the newest then. It sets the time, and the token that it gets.
    ///
    /// # Errors
    ///
    /// What `next` refuses; [`Error::TemporarilyUnavailable`] when nothing was written, [`Error::OutcomeUnknown`] when that
    /// cannot be proved, [`Error::Internal`] when the database refuses for good.
    async fn write_next<T, F: Future<Output = Result<Next<T>, Error>>>(
        &self,
        row: Row<'_, T>,
        next: impl Fn(Option<Item>, WriteToken) -> F,
    ) -> Result<T, Error> {
        let token = WriteToken::random()?;
        let (mut backoff, mut open) = (Backoff::of_contention(), None);
        loop {
            let error = match on_heap(self.try_next(&row, &next, &token, &mut open, &mut backoff)).await {
                Ok(Tried::Done(entry)) => return Ok(entry),
                Ok(Tried::Again(_)) if backoff.wait().await => continue,
                Ok(Tried::Again(cause)) => {
                    if open.is_some() {
                        Backoff::last_pause().await;
                    }
                    Error::TemporarilyUnavailable(cause)
                }
                Err(error) => error,
            };
            if open.is_none() {
                return Err(error);
            }
            let unknown = |found: &str| Err(Error::OutcomeUnknown(Cause::new(format!("{error}; then {found}"))));
            let newest = self.read(&self.table, row.key.clone()).await;
            let writer = match newest {
                Ok(newest) => self.writer(&row, newest.as_ref(), &token, &mut open).await,
                Err(error) => Err(error),
            };
            match writer {
                Ok(Writer::ThisCall(entry)) => return Ok(entry),
                Ok(Writer::AnotherCall) if backoff.wait().await => {}
                Ok(Writer::AnotherCall) => {
                    return Err(Error::TemporarilyUnavailable(Cause::new("overtaken every time")));
                }
                Ok(Writer::Nobody) => return unknown("GetItem: absent"),
                Err(error) => return unknown(&error.to_string()),
            }
        }
    }

    /// One request, unless an earlier one turns out to have been carried out.
    async fn try_next<T, F: Future<Output = Result<Next<T>, Error>>>(
        &self,
        row: &Row<'_, T>,
        next: impl Fn(Option<Item>, WriteToken) -> F,
        token: &WriteToken,
        open: &mut Open,
        backoff: &mut Backoff,
    ) -> Result<Tried<T>, Error> {
        let newest = self.read(&self.table, row.key.clone()).await?;
        if let Writer::ThisCall(entry) = self.writer(row, newest.as_ref(), token, open).await? {
            return Ok(Tried::Done(entry));
        }
        let (entry, write) = match next(newest, token.clone()).await? {
            Next::Same(entry) if open.is_none() => return Ok(Tried::Done(entry)),
            Next::Same(_) => return Ok(Tried::Again(Cause::new("a request had no answer"))),
            Next::Write(entry, write) => (entry, write),
        };
        let Write { number, newest, copy, beside, range } = *write;
        let writes = self.transaction(row.number, number, newest, copy, beside)?;
        let (transacted, AnyUnanswered(unanswered)) = attempts::watch(self.transact(writes, backoff)).await;
        if unanswered && open.is_none() {
            *open = Some((number, range));
        }
        match transacted? {
            Transacted::Done => Ok(Tried::Done(entry)),
            Transacted::Busy(cause) => Ok(Tried::Again(cause)),
            Transacted::Refused(Refusal { write: 0, .. }) => Ok(Tried::Again(Cause::new("overtaken every time"))),
            Transacted::Refused(Refusal { write: 1, .. }) => {
                Err(Error::Internal(Cause::new(format!("{} {number}: its copy is there before its time", row.number))))
            }
            Transacted::Refused(_) => match row.guarded {
                Some(error) => Err(error()),
                None => Ok(Tried::Again(Cause::new("refused for another item every time"))),
            },
        }
    }

    fn transaction(
        &self,
        attribute: &str,
        number: u64,
        newest: Item,
        copy: Item,
        beside: Vec<TransactWriteItem>,
    ) -> Result<Vec<TransactWriteItem>, Error> {
        let absent = |item| {
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression(ABSENT)
                .expression_attribute_names("#pk", item::PARTITION_KEY)
        };
        let newest = match number {
            1 => absent(newest),
            _ => Put::builder()
                .table_name(&self.table)
                .set_item(Some(newest))
                .condition_expression("#number = :previous")
                .expression_attribute_names("#number", attribute)
                .expression_attribute_values(":previous", AttributeValue::N((number - 1).to_string())),
        };
        let (Ok(newest), Ok(copy)) = (newest.build(), absent(copy).build()) else { return Err(incomplete()) };
        let puts = [newest, copy].map(|put| TransactWriteItem::builder().put(put).build());
        Ok(puts.into_iter().chain(beside).collect())
    }

    /// Who has written the open number, wherever it is by now. If that is known, the number is no longer open.
    ///
    /// That nobody has proves nothing, since a request may still be under way.
    async fn writer<T>(
        &self,
        row: &Row<'_, T>,
        newest: Option<&Item>,
        token: &WriteToken,
        open: &mut Open,
    ) -> Result<Writer<T>, Error> {
        let number = |item: &Item| item::text(item, row.number).and_then(|number| number.parse::<u64>().ok());
        let (Some(newest), Some((wanted, (first, last)))) = (newest, &*open) else { return Ok(Writer::Nobody) };
        let found;
        let written = match number(newest) {
            Some(number) if number > *wanted => {
                found = self.first(row.client, first, last).await?;
                &found
            }
            Some(number) if number == *wanted => newest,
            Some(_) | None => return Ok(Writer::Nobody),
        };
        if number(written) != Some(*wanted) {
            return Err(Cause::new(format!("{} {wanted}: expected it, found another", row.number)).into());
        }
        *open = None;
        match item::text(written, item::WRITE_TOKEN) {
            Some(found) if found == token.as_str() => Ok(Writer::ThisCall((row.read)(written)?)),
            Some(_) | None => Ok(Writer::AnotherCall),
        }
    }

    /// The first item of a range. It must be there, but may be seen late.
    async fn first(&self, client: &Client, first: &str, last: &str) -> Result<Item, Error> {
        let mut backoff = Backoff::of_window();
        loop {
            let query = self.range(client, first.to_owned(), last.to_owned()).limit(1);
            match send_query(query).await?.items.unwrap_or_default().pop() {
                Some(item) => return Ok(item),
                None if backoff.wait().await => {}
                None => return Err(Error::TemporarilyUnavailable(Cause::new(format!("Query: {first} is absent")))),
            }
        }
    }
}
