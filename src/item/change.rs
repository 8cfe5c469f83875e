//! The index of changes: what every version and every release did.

use super::CHANGE_KEY;
use super::{
    ACTION, BY, CLIENT, ID, Item, NOTE, PROJECT, RELEASE, STATUS, TYPE, VERSION, required, text, to_change, unreadable,
};
use crate::error::Cause;
use crate::flow::members::{FlowType, Name, ProjectId};
use crate::flow::{Action, Change, FlowId, MAX_VERSION_DIGITS, Moment, Status};

/// The index that has one entry for each version and each release.
pub const CHANGES_INDEX: &str = "changes";

/// The attributes of a change as the list shows it.
pub const CHANGES: [&str; 12] =
    [CHANGE_KEY, ACTION, ID, PROJECT, TYPE, STATUS, VERSION, "name", CLIENT, RELEASE, BY, NOTE];

/// What was numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    Version(u64),
    Release(u64),
}

/// An entry of the log of changes.
#[derive(Debug, Clone)]
pub struct Changed {
    pub at: Moment,
    pub action: Action,
    pub id: FlowId,
    pub project: ProjectId,
    pub flow_type: FlowType,
    pub name: Name,
    pub status: Status,
    pub version: u64,
    pub release: Option<u64>,
    pub change: Change,
}

/// The sort key of a change in its index. A version and a release of one flow differ at the same moment too.
pub fn change_key(at: &Moment, id: &FlowId, number: Number) -> String {
    let (kind, number) = match number {
        Number::Version(version) => ("", version),
        Number::Release(release) => ("r", release),
    };
    format!("{}#{}#{kind}{number:0MAX_VERSION_DIGITS$}", at.to_stored(), id.as_str())
}

impl Changed {
    /// Its sort key.
    pub fn key(&self) -> String {
        let number = self.release.map_or(Number::Version(self.version), Number::Release);
        change_key(&self.at, &self.id, number)
    }
}

/// The change that an entry of the index holds.
pub fn to_changed(item: &Item) -> Result<Changed, Cause> {
    let text_of = |name| required(item, name);
    let number = |name| text_of(name)?.parse().map_err(|_| unreadable(name));
    let at = text_of(CHANGE_KEY)?.split('#').next().map(Moment::from_stored);
    Ok(Changed {
        at: at.ok_or_else(|| unreadable(CHANGE_KEY))?,
        action: Action::parse(text_of(ACTION)?).ok_or_else(|| unreadable(ACTION))?,
        id: FlowId::parse(text_of(ID)?).ok_or_else(|| unreadable(ID))?,
        project: ProjectId::from_stored(text_of(PROJECT)?),
        flow_type: FlowType::parse(text_of(TYPE)?).ok_or_else(|| unreadable(TYPE))?,
        name: Name::from_stored(text_of("name")?),
        status: Status::parse(text_of(STATUS)?).ok_or_else(|| unreadable(STATUS))?,
        version: number(VERSION)?,
        release: text(item, RELEASE).is_some().then(|| number(RELEASE)).transpose()?,
        change: to_change(item)?,
    })
}
