//! The members of a flow, and the rule for each.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::{Status, text};
use crate::error::Cause;
use crate::json::{self, Members, Node, Value};
use crate::problem::{Code, Problem, ProblemList};

/// The longest `project`, in characters.
pub const MAX_PROJECT: usize = 64;
/// The longest `name`, in characters.
pub const MAX_NAME: usize = 120;
/// The longest `description`, in characters.
pub const MAX_DESCRIPTION: usize = 2_000;

/// A type whose values are read from the member `NAME` of a body.
pub(super) trait FromMember: Sized {
    const NAME: &'static str;
    /// What is wrong with any other value.
    const CODE: Code;

    /// Otherwise says what was expected and found.
    fn from_member(found: Found<'_, '_>) -> Result<Self, String>;
}

impl ProblemList {
    /// Reads the member of a type.
    pub(super) fn read<T: FromMember>(&mut self, members: &Members<'_>) -> Result<T, Problem> {
        let value = T::from_member(Found(members.value(T::NAME)));
        self.note(value.map_err(|error| Problem::new(format!("/{}", T::NAME), T::CODE, error)))
    }

    /// The same for a member that may be absent.
    pub(super) fn read_given<T: FromMember>(&mut self, members: &Members<'_>) -> Result<Option<T>, Problem> {
        members.get(T::NAME).map(|_| self.read(members)).transpose()
    }
}

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

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromMember for ProjectId {
    const NAME: &'static str = "project";
    const CODE: Code = Code::InvalidProjectId;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let parsed = found.string().and_then(|text| Self::parse(text));
        parsed.ok_or_else(|| format!("expected 1 to {MAX_PROJECT} letters, digits, \"_\" or \"-\", found {found}"))
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
}

impl FromMember for FlowType {
    const NAME: &'static str = "type";
    const CODE: Code = Code::InvalidFlowType;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
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

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromMember for Name {
    const NAME: &'static str = "name";
    const CODE: Code = Code::InvalidName;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
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
}

/// What a flow is for: up to 2,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromMember for Description {
    const NAME: &'static str = "description";
    const CODE: Code = Code::InvalidDescription;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected a string, found {found}"))?;
        match text.chars().count() {
            0..=MAX_DESCRIPTION => Ok(Self(text.as_ref().to_owned())),
            found => Err(format!("expected at most {MAX_DESCRIPTION} characters, found {found}")),
        }
    }
}

impl FromMember for Status {
    const NAME: &'static str = "status";
    const CODE: Code = Code::InvalidStatus;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let parsed = found.string().and_then(|text| Self::settable(text));
        parsed.ok_or_else(|| format!("expected {}, found {found}", Self::SETTABLE.map(Self::as_str).join(", ")))
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

    /// `None` if `text` is not JSON.
    pub fn parse(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// A stored text with a patch merged into it (RFC 7396).
    pub(super) fn patched(stored: &Node<'_>, patch: &Node<'_>) -> Result<Self, Cause> {
        let patched = json::merge_patch(stored, patch);
        Self::parse(&patched).ok_or_else(|| Cause::new("stored flow: cannot be patched"))
    }

    /// The tree of the text, which was stored as the member `name`.
    pub fn tree(&self, name: &str) -> Result<Node<'_>, Cause> {
        json::read(&self.0).map_err(|_| Cause::new(format!("stored item: unreadable {name}")))
    }
}

/// Compares values: white space and escapes do not matter.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() || json::read(&self.0) == json::read(&other.0)
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

    pub(super) fn positive(self) -> Option<u64> {
        self.0.and_then(Value::positive)
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
