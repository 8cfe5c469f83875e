//! The output: a line for each finding, and the counts. Only identifying attributes are printed: never a configuration, a
//! name or a token.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use project_flows::flow::{Client, FlowId, Place};
use project_flows::item::{self, Item};

use crate::place;

/// Prints findings and counts them.
#[derive(Default)]
pub struct Report {
    findings: AtomicU64,
    counts: [AtomicU64; Count::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
pub enum Count {
    Clients,
    Flows,
    Versions,
    Releases,
    Items,
    /// Versions with content that the rules for new flows refuse today.
    Outdated,
    /// Flows that changed between all looks, so that their index entry could not be judged.
    Unsettled,
}

impl Count {
    const ALL: [Self; 7] =
        [Self::Clients, Self::Flows, Self::Versions, Self::Releases, Self::Items, Self::Outdated, Self::Unsettled];

    const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Flows => "flows",
            Self::Versions => "versions",
            Self::Releases => "releases",
            Self::Items => "items",
            Self::Outdated => "versions with content that a new flow could not have",
            Self::Unsettled => "flows too busy to compare with the index",
        }
    }
}

impl Report {
    /// Prints what was expected, what was found, and where.
    pub fn finding(&self, place: &str, says: &str) {
        self.findings.fetch_add(1, Ordering::Relaxed);
        println!("{place}: {says}");
    }

    /// Counts one.
    pub fn count(&self, count: Count) {
        self.add(count, 1);
    }

    /// Counts some.
    pub fn add(&self, count: Count, number: u64) {
        if let Some(counter) = self.counts.get(count as usize) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// How many findings there are.
    pub fn findings(&self) -> u64 {
        self.findings.load(Ordering::Relaxed)
    }

    /// All counts of the last line, in words. [`Count::Unsettled`] appears only if it is not zero.
    pub fn counts(&self) -> String {
        let said = self.counted().filter(|(count, number)| match count {
            Count::Clients | Count::Flows | Count::Versions | Count::Releases | Count::Items => true,
            Count::Outdated => false,
            Count::Unsettled => *number > 0,
        });
        said.map(|(count, number)| format!("{} {number}", count.name())).collect::<Vec<_>>().join(", ")
    }

    /// Prints a line for what is no damage but worth knowing, where there is any.
    pub fn remark(&self) {
        for (count, number) in self.counted().filter(|(count, number)| matches!(count, Count::Outdated) && *number > 0)
        {
            println!("{}: {number}", count.name());
        }
    }

    fn counted(&self) -> impl Iterator<Item = (Count, u64)> {
        Count::ALL.into_iter().zip(&self.counts).map(|(count, counter)| (count, counter.load(Ordering::Relaxed)))
    }
}

/// The location of a flow, as a finding names it.
pub fn flow(client: &Client, id: &FlowId) -> String {
    format!("client {:?}, flow {}", client.as_str(), id.as_str())
}

/// The location of a place, as a finding names it.
pub fn place(client: &Client, place: &Place) -> String {
    let (project, flow_type) = (place.project.as_str(), place.flow_type.as_str());
    format!("client {:?}, project {project:?}, type {flow_type:?}", client.as_str())
}

/// The location of any item.
pub fn key(item: &Item) -> String {
    let part = |name| item::text(item, name).unwrap_or_default();
    format!("partition {:?}, item {:?}", part(item::PARTITION_KEY), part(item::SORT_KEY))
}

/// An attribute as it is printed.
pub fn shown(item: &Item, name: &str) -> String {
    match item.get(name) {
        None => "nothing".to_owned(),
        Some(_) if !place::IDENTIFYING.contains(&name) => "something else".to_owned(),
        Some(AttributeValue::S(text)) => format!("{text:?}"),
        Some(AttributeValue::N(number)) => number.clone(),
        Some(_) => "neither a string nor a number".to_owned(),
    }
}

/// The difference between what an attribute should be and what it is.
pub fn difference(name: &str, expected: &Item, found: &Item) -> String {
    let expects = match expected.get(name) {
        Some(_) if !place::IDENTIFYING.contains(&name) => "another value".to_owned(),
        _ => shown(expected, name),
    };
    format!("{name}: expected {expects}, found {}", shown(found, name))
}

/// What to add to a difference that is one of type.
fn of_another_type(name: &str, expected: &Item, found: &Item) -> &'static str {
    match (expected.get(name), found.get(name)) {
        (Some(AttributeValue::N(_)), Some(AttributeValue::S(_))) => ", a string where a number belongs",
        (Some(AttributeValue::S(_)), Some(AttributeValue::N(_))) => ", a number where a string belongs",
        _ => "",
    }
}

/// Each difference between what an item should be and what it is.
pub fn differences<'item>(expected: &'item Item, found: &'item Item) -> impl Iterator<Item = String> + 'item {
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let names = names.into_iter().filter(|name| expected.get(*name) != found.get(*name));
    names.map(|name| format!("{}{}", difference(name, expected, found), of_another_type(name, expected, found)))
}
