//! The timestamps of a flow.

use std::fmt;
use std::time::SystemTime;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment, to the second, in UTC; later ones are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(String);

impl Timestamp {
    /// The moment in `text` (RFC 3339), cut to the second and converted to UTC; `None` if `text` is malformed.
    ///
    /// ```
    /// # use project_flows::flow::Timestamp;
    /// let timestamp = Timestamp::parse("2024-01-15T12:30:00.9+02:00").expect("a moment");
    /// assert_eq!(timestamp.as_str(), "2024-01-15T10:30:00Z");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        // `time` accepts any character between date and time. The grammar of RFC 3339 (5.6) has only `T`.
        let separator = text.as_bytes().get("2024-01-15".len());
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| matches!(separator, Some(b'T' | b't')))?;
        Self::of(moment.checked_to_offset(UtcOffset::UTC)?)
    }

    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn of(moment: OffsetDateTime) -> Option<Self> {
        moment.replace_nanosecond(0).ok()?.format(&Rfc3339).ok().map(Self)
    }

    /// The moment in RFC 3339, as in `2024-01-15T10:30:00Z`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        // Only years past 9999 have no RFC 3339 form.
        Self::of(OffsetDateTime::from(time)).unwrap_or_else(|| Self(String::new()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
