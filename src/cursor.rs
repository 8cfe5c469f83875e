//! Opaque positions in a list: where the next page begins.
//!
//! A cursor names a position only. The client comes from the caller's token, so a forged or foreign cursor can only reach
//! what belongs to the caller.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::flow::{FlowId, List, Moment, Place, Summary, Timestamp};

/// What the keys of the trash begin with in the index. It sorts after the digits that other keys begin with, so the trash is
/// a range of its own, behind all other flows.
pub const TRASH: &str = "~";

/// The position after one flow in one of a client's lists.
///
/// ```
/// # use project_flows::cursor::FlowCursor;
/// # use project_flows::flow::{FlowId, List, Moment};
/// let moment = Moment::parse("2024-01-15T10:30:00.042Z").expect("a moment");
/// let id = FlowId::parse("project_flow_0123456789abcdefghjkmnpqrs").expect("an id");
/// let cursor = FlowCursor { list: List::Trash, moment, id };
/// assert_eq!(cursor.to_stored(), "~2024-01-15T10:30:00.042Z#project_flow_0123456789abcdefghjkmnpqrs");
/// assert_eq!(FlowCursor::parse(&cursor.encode()), Some(cursor));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowCursor {
    pub list: List,
    /// When the flow was created, or deleted if it is in the trash.
    pub moment: Moment,
    pub id: FlowId,
}

impl FlowCursor {
    /// The position after this flow, in the list that shows it.
    pub fn after(summary: &Summary) -> Self {
        let list = summary.status.list();
        let moment = match list {
            List::Flows => &summary.created_at,
            List::Trash => &summary.updated_at,
        };
        Self { list, moment: moment.clone(), id: summary.id.clone() }
    }

    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_stored())
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_stored(&decode(text)?)
    }

    /// The key of the flow in the index.
    pub fn to_stored(&self) -> String {
        let prefix = match self.list {
            List::Flows => "",
            List::Trash => TRASH,
        };
        format!("{prefix}{}#{}", self.moment.to_stored(), self.id.as_str())
    }

    /// The position after the flow with this key in the index; `None` if the key is malformed.
    pub fn from_stored(key: &str) -> Option<Self> {
        let (list, key) = match key.strip_prefix(TRASH) {
            Some(key) => (List::Trash, key),
            None => (List::Flows, key),
        };
        let (moment, id) = key.split_once('#')?;
        Some(Self { list, moment: Moment::parse(moment)?, id: FlowId::parse(id)? })
    }
}

/// The position after one version in the list of a flow's versions, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionCursor(pub u64);

impl VersionCursor {
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        crate::flow::parse_version(&decode(text)?).map(Self)
    }
}

/// The position after one release in the list of a place's releases, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseCursor {
    pub place: Place,
    /// When the release began, and so when the next one in the list ended.
    pub since: Timestamp,
    /// From 1.
    pub number: u64,
}

impl ReleaseCursor {
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}#{}#{}", self.place, self.since, self.number))
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let text = decode(text)?;
        let (text, number) = text.rsplit_once('#')?;
        let (place, since) = text.rsplit_once('#')?;
        // As it is stored, and not in another form.
        let since = Timestamp::parse(since).filter(|second| second.as_str() == since)?;
        let place = Place::parse(place)?;
        Some(Self { place, since, number: crate::flow::parse_version(number)? })
    }
}

/// The position after one place in the list of what is live, by project and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceCursor(pub Place);

impl PlaceCursor {
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        Place::parse(&decode(text)?).map(Self)
    }
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
