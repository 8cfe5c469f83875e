//! The members of a flow, and the rule for each.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::text;
use crate::error::Cause;
use crate::json::{self, Member, Order, Value};

/// The longest `project`, in characters.
pub const MAX_PROJECT: usize = 64;
/// The longest `name`, in characters.
pub const MAX_NAME: usize = 120;
/// The longest `description`, in characters.
pub const MAX_DESCRIPTION: usize = 2_000;

/// The project that a flow belongs to: 1 to 64 letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectId(String);

impl ProjectId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_PROJECT).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        well_formed.then(|| Self(text.to_owned()))
    }

    pub(super) fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let parsed = found.string().and_then(|text| Self::parse(text));
        parsed.ok_or_else(|| format!("expected 1 to {MAX_PROJECT} letters, digits, \"_\" or \"-\", found {found}"))
    }

    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// When a flow is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowType {
    Login,
    Onboarding,
}

impl FlowType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Onboarding => "onboarding",
        }
    }

    /// `None` if no type has this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Login, Self::Onboarding].into_iter().find(|one| one.as_str() == text)
    }

    pub(super) fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let parsed = found.string().and_then(|text| Self::parse(text));
        parsed.ok_or_else(|| format!("expected \"login\" or \"onboarding\", found {found}"))
    }
}

/// A flow's name: 1 to 120 characters, at least one of them visible, all of them as [`text`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected a string, found {found}"))?;
        text::check_characters(text)?;
        match (text.chars().count(), text.chars().next()) {
            (1..=MAX_NAME, Some(invisible)) if !text.chars().any(text::is_visible) => {
                Err(format!("expected at least one visible character, found {}", text::code_point(invisible)))
            }
            (1..=MAX_NAME, _) => Ok(Self(text.as_ref().to_owned())),
            (found, _) => Err(format!("expected 1 to {MAX_NAME} characters, found {found}")),
        }
    }

    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What a flow is for: up to 2,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected a string, found {found}"))?;
        match text.chars().count() {
            0..=MAX_DESCRIPTION => Ok(Self(text.as_ref().to_owned())),
            found => Err(format!("expected at most {MAX_DESCRIPTION} characters, found {found}")),
        }
    }

    pub fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Checked JSON, kept as the text that was sent.
#[derive(Debug, Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The text, for embedding in a larger document without parsing it again.
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }

    pub fn from_stored(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The text of a member that the strict reader has read already.
    pub(super) fn from_member(member: &Member<'_>) -> Option<Self> {
        RawValue::from_string(member.text.to_owned()).ok().map(Self)
    }

    /// The stored text with a patch merged into it (RFC 7396). The patch has been read already.
    pub(super) fn patched(&self, patch: &str) -> Result<Self, Cause> {
        let patched = json::merge_patch(self.as_str(), patch).ok();
        let patched = patched.and_then(|text| RawValue::from_string(text).ok());
        patched.map(Self).ok_or_else(|| Cause::new("stored flow: cannot be patched"))
    }

    /// Parses the stored text as the member `name`.
    pub fn member(&self, name: &'static str) -> Result<Member<'_>, Cause> {
        Member::read(name, self.as_str()).map_err(|_| Cause::new(format!("stored item: unreadable {name}")))
    }
}

/// Compares values: white space and escapes do not matter.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let canonical = |json: &Self| json::canonical(json.as_str(), Order::AsSent).ok();
        self.as_str() == other.as_str() || canonical(self) == canonical(other)
    }
}

/// The value found where one was expected; `Display` names it in a message.
#[derive(Clone, Copy)]
pub(super) struct Found<'value, 'text>(pub(super) Option<&'value Value<'text>>);

impl<'value, 'text> Found<'value, 'text> {
    pub(super) const fn string(self) -> Option<&'value Cow<'text, str>> {
        match self.0 {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Found<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("nothing"),
        }
    }
}
