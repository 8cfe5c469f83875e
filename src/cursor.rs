//! Opaque positions in a list: where the next page begins.
//!
//! A cursor names a position only. The client comes from the caller's token, so a forged or foreign cursor can only reach
//! the caller's own flows.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::flow::{FlowId, Timestamp};

/// The position after one flow in a client's list, newest first.
///
/// ```
/// # use project_flows::cursor::FlowCursor;
/// # use project_flows::flow::{FlowId, Timestamp};
/// let created_at = Timestamp::parse("2024-01-15T10:30:00Z").expect("a timestamp");
/// let id = FlowId::parse("project_flow_0123456789abcdefghjkmnpqrs").expect("an id");
/// let cursor = FlowCursor { created_at, id };
/// assert_eq!(FlowCursor::parse(&cursor.encode()), Some(cursor));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowCursor {
    pub created_at: Timestamp,
    pub id: FlowId,
}

impl FlowCursor {
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}#{}", self.created_at, self.id.as_str()))
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_stored(&decode(text)?)
    }

    /// The position after the flow with this key in the index; `None` if the key is malformed.
    pub fn from_stored(key: &str) -> Option<Self> {
        let (created_at, id) = key.split_once('#')?;
        let parsed = Timestamp::parse(created_at)?;
        // Only the form that is stored.
        (parsed.as_str() == created_at).then_some(())?;
        Some(Self { created_at: parsed, id: FlowId::parse(id)? })
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

fn decode(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
