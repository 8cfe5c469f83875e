//! Lists: the ranges of sort keys that are listed, in the table and in its index.

use super::{
    CHANGE_KEY, CHANGES_INDEX, INDEX, LAST, LIST_KEY, SORT_KEY, VERSION_PREFIX, places_prefix, releases_prefix,
    to_place,
};
use crate::flow::members::ProjectId;
use crate::flow::{FlowId, MAX_VERSION_DIGITS, Moment, Place, Status, Summary, Timestamp, parse_version};

/// What the keys of deleted flows begin with in the index. It sorts after the digits that other keys begin with.
const TRASH: &str = "~";

/// A list of what a client has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum List {
    /// Flows that are not deleted, the latest created first.
    #[default]
    Flows,
    /// Deleted flows, the latest deleted first.
    Trash,
    /// Earlier versions of a flow, newest first.
    Versions(FlowId),
    /// Releases of a place, newest first.
    Releases(Place),
    /// The places of a client, or of one project, by project and type.
    Places(Option<ProjectId>),
    /// Changes of all flows from one moment to another, both included, the latest first.
    Changes { since: Option<Timestamp>, until: Option<Timestamp> },
}

impl List {
    /// The index that has the list, unless the table itself has it.
    pub const fn index(&self) -> Option<&'static str> {
        match self {
            Self::Flows | Self::Trash => Some(INDEX),
            Self::Changes { .. } => Some(CHANGES_INDEX),
            Self::Versions(_) | Self::Releases(_) | Self::Places(_) => None,
        }
    }

    /// Whether its entries are numbered, down to 1.
    pub const fn is_numbered(&self) -> bool {
        match self {
            Self::Versions(_) | Self::Releases(_) => true,
            Self::Flows | Self::Trash | Self::Places(_) | Self::Changes { .. } => false,
        }
    }

    /// The attribute that has its sort keys.
    pub const fn sort_attribute(&self) -> &'static str {
        match self {
            Self::Flows | Self::Trash => LIST_KEY,
            Self::Changes { .. } => CHANGE_KEY,
            Self::Versions(_) | Self::Releases(_) | Self::Places(_) => SORT_KEY,
        }
    }

    pub const fn is_newest_first(&self) -> bool {
        match self {
            Self::Flows | Self::Trash | Self::Versions(_) | Self::Releases(_) | Self::Changes { .. } => true,
            Self::Places(_) => false,
        }
    }

    /// What all its sort keys begin with.
    fn prefix(&self) -> String {
        match self {
            Self::Flows | Self::Changes { .. } => String::new(),
            Self::Trash => TRASH.to_owned(),
            Self::Versions(id) => format!("{VERSION_PREFIX}{}#", id.as_str()),
            Self::Releases(place) => releases_prefix(place),
            Self::Places(project) => places_prefix(project.as_ref()),
        }
    }

    /// The first and the last sort key that may come after the one of an entry, or after none.
    pub fn range(&self, after: Option<&str>) -> (String, String) {
        // The keys of flows and changes begin with a year. That of a moment ends in `Z`, that of one within it in `.042Z`.
        let year = ("0".to_owned(), format!("9{LAST}"));
        let (first, last) = match (self, self.prefix()) {
            (Self::Flows, _) => year,
            (Self::Changes { since, until }, _) => (
                since.as_ref().map_or(year.0, |since| since.as_str().trim_end_matches('Z').to_owned()),
                until.as_ref().map_or(year.1, |until| format!("{until}{LAST}")),
            ),
            (_, prefix) => (prefix.clone(), format!("{prefix}{LAST}")),
        };
        match after {
            None => (first, last),
            Some(key) if self.is_newest_first() => (first, last.min(before(key))),
            Some(key) => (first.max(behind(key)), last),
        }
    }

    /// Whether an entry of the list can have this sort key.
    pub fn has(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&self.prefix()) else { return false };
        let is_moment = |text: &str| Moment::parse(text).is_some();
        let is_number =
            |text: &str| text.len() == MAX_VERSION_DIGITS && parse_version(text.trim_start_matches('0')).is_some();
        match (self, rest.split_once('#')) {
            (Self::Flows | Self::Trash, Some((moment, id))) => is_moment(moment) && FlowId::parse(id).is_some(),
            (Self::Releases(_), Some((since, number))) => is_moment(since) && is_number(number),
            (Self::Changes { .. }, Some((moment, rest))) => {
                let is_change = |(id, number): (&str, &str)| {
                    FlowId::parse(id).is_some() && is_number(number.strip_prefix('r').unwrap_or(number))
                };
                is_moment(moment) && rest.split_once('#').is_some_and(is_change)
            }
            (Self::Flows | Self::Trash | Self::Releases(_) | Self::Changes { .. }, None) => false,
            (Self::Versions(_), _) => is_number(rest),
            (Self::Places(_), _) => to_place(key).is_some(),
        }
    }
}

/// The number of a version or a release with this sort key.
pub fn number_of(key: &str) -> u64 {
    key.rsplit('#').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Since when a release with this sort key is in force.
pub fn since_of(key: &str) -> Option<Timestamp> {
    key.rsplit('#').nth(1).and_then(Timestamp::parse)
}

/// Whether a version or a release with this sort key is the first one.
pub fn is_first(key: &str) -> bool {
    key.ends_with("#0000000001")
}

/// The sort key of a flow in the index: among all others by its creation, or in the trash by its deletion.
pub fn list_key(summary: &Summary) -> String {
    let Summary { id, status, created_at, updated_at, .. } = summary;
    match status {
        Status::Draft | Status::Active | Status::Paused => format!("{}#{}", created_at.to_stored(), id.as_str()),
        Status::Deleted => format!("{TRASH}{}#{}", updated_at.to_stored(), id.as_str()),
    }
}

/// A text between `key` and all keys of the same length that sort before it, because a range includes both its ends.
fn before(key: &str) -> String {
    let mut characters = key.chars();
    let last = characters.next_back().map_or(0, u32::from);
    let smaller = char::from_u32(last.saturating_sub(1)).unwrap_or_default();
    format!("{}{smaller}", characters.as_str())
}

/// A text between `key` and all keys that sort behind it.
fn behind(key: &str) -> String {
    format!("{key}!")
}
