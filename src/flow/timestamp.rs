//! The times of a flow: what is shown is exact to the second, what is stored and sorted to the millisecond.

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

    pub(crate) fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
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

/// The moment of a write, to the millisecond, in UTC; later ones are greater.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use project_flows::flow::Moment;
/// let moment = Moment::from(SystemTime::UNIX_EPOCH + Duration::from_millis(1_705_314_600_042));
/// assert_eq!(moment.to_stored(), "2024-01-15T10:30:00.042Z");
/// assert_eq!(moment.second().as_str(), "2024-01-15T10:30:00Z");
/// assert_eq!(Moment::parse("2024-01-15T10:30:00.042Z"), Some(moment));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    second: Timestamp,
    /// `None` only for a text of the table that is malformed, which stays as it is.
    millisecond: Option<u16>,
}

impl Moment {
    /// Its second, which is all that the API shows.
    pub const fn second(&self) -> &Timestamp {
        &self.second
    }

    /// As it is stored. All moments have the same length, so that their texts sort as they do.
    pub fn to_stored(&self) -> String {
        let second = self.second.as_str();
        self.millisecond.map_or_else(
            || second.to_owned(),
            |millisecond| format!("{}.{millisecond:03}Z", second.trim_end_matches('Z')),
        )
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        let parts = text.strip_suffix('Z').and_then(|text| text.split_once('.'));
        let parts = parts.and_then(|(second, millisecond)| Some((format!("{second}Z"), millisecond.parse().ok()?)));
        let (second, millisecond) =
            parts.map_or_else(|| (text.to_owned(), None), |(second, millisecond)| (second, Some(millisecond)));
        Self { second: Timestamp::from_stored(second), millisecond }
    }

    /// The first moment after this one. A text of the table that is malformed has none.
    pub fn next(&self) -> Option<Self> {
        let moment = OffsetDateTime::parse(&self.to_stored(), &Rfc3339).ok()?;
        Some(SystemTime::from(moment.checked_add(time::Duration::MILLISECOND)?).into())
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = Self::from_stored(text);
        let is_second = Timestamp::parse(moment.second.as_str()).as_ref() == Some(&moment.second);
        (is_second && moment.millisecond.is_some() && moment.to_stored() == text).then_some(moment)
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self { second: time.into(), millisecond: Some(OffsetDateTime::from(time).millisecond()) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
