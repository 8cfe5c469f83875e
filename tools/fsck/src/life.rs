//! Judges the items of one flow: its history, version by version from the first, then its newest version. It reads nothing
//! itself, and keeps only what the next item is compared with.

use std::borrow::Cow;
use std::cell::Cell;

use project_flows::error::{Cause, Error};
use project_flows::flow::{Client, Content, Digest, Flow, FlowId, Moment, Status};
use project_flows::item::{self, Item};
use project_flows::json::{Node, Value};

use crate::place;
use crate::report::{difference, differences};

/// A flow. Its items are judged in the order of their versions.
pub struct Life<'flow> {
    client: &'flow Client,
    id: &'flow FlowId,
    newest: Option<&'flow Item>,
    /// The number in the newest version.
    number: Option<u64>,
    /// All versions must agree with this one: the newest, or the first of the history if there is no newest.
    pattern: Option<Item>,
    /// The next version that the history should have.
    next: u64,
    /// The first and the last version in the history that are not older than the newest.
    surplus: Option<(u64, u64)>,
    /// When the version before was written.
    written: Option<Moment>,
    /// The number and the digest of the version before, if that version is sound.
    chain: Option<(u64, Option<Digest>)>,
    /// How many versions have content that a new flow could not have.
    outdated: u64,
}

impl<'flow> Life<'flow> {
    pub fn new(client: &'flow Client, id: &'flow FlowId, newest: Option<&'flow Item>) -> Self {
        let number = newest.and_then(|item| item::text(item, item::VERSION)).and_then(|text| text.parse().ok());
        let pattern = newest.map(unchanging);
        Self { client, id, newest, number, pattern, next: 1, surplus: None, written: None, chain: None, outdated: 0 }
    }

    /// Judges the next item of the history; its key says version `number`.
    pub fn earlier(&mut self, number: u64, item: &Item, found: &mut impl FnMut(String)) {
        if self.number.is_some_and(|newest| newest <= number) {
            let first = self.surplus.map_or(number, |(first, _)| first);
            self.surplus = Some((first, number));
        } else {
            self.gap(number, found);
            self.next = number + 1;
        }
        let is_sound = Cell::new(true);
        let mut found = |says: String| {
            is_sound.set(false);
            found(format!("version {number}: {says}"));
        };
        let flow = self.judge(item, Some(number), &mut found);
        let pattern = self.pattern.get_or_insert_with(|| unchanging(item));
        for name in place::UNCHANGING {
            if pattern.get(name) != item.get(name) {
                let of = if self.newest.is_some() { "the newest version" } else { "an earlier version" };
                found(format!("{}, though it never changes and {of} has it so", difference(name, pattern, item)));
            }
        }
        let flow = flow.filter(|_| is_sound.get());
        self.link(flow.as_ref(), number, &mut found);
    }

    /// Judges the newest version, and whether the history is complete. Returns how many versions have content that a new flow
    /// could not have: rules change, and such a flow stays readable.
    pub fn end(mut self, found: &mut impl FnMut(String)) -> u64 {
        if let Some(number) = self.number {
            self.gap(number, found);
        }
        if let Some(newest) = self.newest {
            let name = self
                .number
                .map_or_else(|| "newest version".to_owned(), |number| format!("version {number}, the newest"));
            let is_sound = Cell::new(true);
            let mut found = |says: String| {
                is_sound.set(false);
                found(format!("{name}: {says}"));
            };
            let flow = self.judge(newest, None, &mut found);
            let flow = flow.filter(|_| is_sound.get());
            self.link(flow.as_ref(), self.number.unwrap_or_default(), &mut found);
        } else {
            let last = self.next - 1;
            found(format!(
                "expected a newest version besides the history, which ends at version {last}, found nothing"
            ));
        }
        if let (Some(newest), Some((first, last))) = (self.number, self.surplus) {
            let found_there = span(first, last);
            found(format!(
                "expected a history that ends before version {newest}, which is the newest, found {found_there} in it"
            ));
        }
        self.outdated
    }

    /// Reports the versions that are missing before `number`.
    fn gap(&mut self, number: u64, found: &mut impl FnMut(String)) {
        if self.next < number {
            found(format!("expected {} in the history, found nothing", span(self.next, number - 1)));
        }
    }

    /// Checks that an item is readable, agrees with its key, and has the derived attributes. Returns its flow.
    fn judge(&mut self, item: &Item, number: Option<u64>, found: &mut impl FnMut(String)) -> Option<Flow> {
        let mut flow = match item::to_flow(item) {
            Ok(flow) => flow,
            Err(cause) => {
                found(format!("expected a flow that can be read, found: {cause}"));
                return None;
            }
        };
        let mut order = true;
        for (name, instant) in
            [(item::CREATED_AT, &flow.summary.created_at), (item::UPDATED_AT, &flow.summary.updated_at)]
        {
            let text = instant.to_stored();
            if Moment::parse(&text).is_none() {
                order = false;
                found(format!("{name}: expected an instant as in 2024-01-15T10:30:00.123Z, found {text:?}"));
            }
        }
        if order {
            self.order(&flow, found);
        }
        match check(&flow) {
            Ok(()) => {}
            Err(Error::Invalid(_)) => self.outdated += 1,
            Err(error) => {
                let cause = error.cause().map_or("", Cause::as_str);
                found(format!("expected content that can be read, found: {cause}"));
            }
        }

        // Client, id and version come from the key. All other attributes must follow from the flow.
        flow.summary.client = self.client.clone();
        flow.summary.id = self.id.clone();
        flow.summary.version = number.unwrap_or(flow.summary.version);
        let mut newest = item::from_flow(&flow);
        // A flow that was deleted before there was a trash is in no list, and stays readable.
        if flow.summary.status == Status::Deleted && !item.contains_key(item::LIST_KEY) {
            newest.remove(item::LIST_KEY);
        }
        let expected = if number.is_some() { item::into_version(newest, &flow) } else { newest };
        differences(&expected, item).for_each(found);
        Some(flow)
    }

    /// Checks the digest of a version in which nothing else is wrong. After a version that is missing or damaged, nobody can
    /// tell, so the chain begins anew.
    fn link(&mut self, sound: Option<&Flow>, number: u64, found: &mut impl FnMut(String)) {
        let before = match self.chain.take() {
            Some((before, digest)) if before + 1 == number => Some(digest),
            None if number == 1 => Some(None),
            Some(_) | None => None,
        };
        let Some(flow) = sound else { return };
        match (before, &flow.digest) {
            (Some(Some(_)), None) => {
                found("digest: expected one, as the version before has, found nothing".to_owned());
                return;
            }
            (Some(before), Some(digest))
                if flow.digest_after(before.as_ref()).is_ok_and(|expected| expected != *digest) =>
            {
                found("digest: expected that of this version after the one before it, found another".to_owned());
            }
            (Some(_) | None, _) => {}
        }
        self.chain = Some((number, flow.digest.clone()));
    }
}

impl Life<'_> {
    /// Checks that no version was written before the previous one, or the first before the flow was created.
    fn order(&mut self, flow: &Flow, found: &mut impl FnMut(String)) {
        let before =
            self.written.replace(flow.summary.updated_at.clone()).unwrap_or_else(|| flow.summary.created_at.clone());
        if flow.summary.updated_at < before {
            found(format!(
                "{}: expected {} or later, when the version before was written, found {}",
                item::UPDATED_AT,
                before.to_stored(),
                flow.summary.updated_at.to_stored()
            ));
        }
    }
}

fn unchanging(item: &Item) -> Item {
    let unchanging = item.iter().filter(|(name, _)| place::UNCHANGING.contains(&name.as_str()));
    unchanging.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn span(first: u64, last: u64) -> String {
    if first == last { format!("version {first}") } else { format!("versions {first} to {last}") }
}

/// Checks a stored flow against the rules for a new one. The function never does: a flow stays readable when rules change.
fn check(flow: &Flow) -> Result<(), Error> {
    let string = |text| Node { text, value: Value::String(Cow::Borrowed(text)) };
    let summary = &flow.summary;
    let mut members = vec![
        ("project", string(summary.project.as_str())),
        ("type", string(summary.flow_type.as_str())),
        ("name", string(summary.name.as_str())),
    ];
    members.extend(summary.description.as_ref().map(|description| ("description", string(description.as_str()))));
    members.push(("configuration", flow.configuration.tree("configuration")?));
    members.push(("steps", flow.steps.tree("steps")?));
    Content::parse(&members.into_iter().collect())?;
    Ok(())
}
