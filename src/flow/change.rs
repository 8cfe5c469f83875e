//! Who wrote a version of a flow, why, and the digest that proves it.
//!
//! Each digest contains the one before it. So whoever keeps the digest of version n can prove later that no version up to
//! n was rewritten.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::text;

/// The longest author, in characters.
pub const MAX_AUTHOR: usize = 256;
/// The longest note, in characters.
pub const MAX_NOTE: usize = 200;

/// Who acts: 1 to 256 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author(String);

impl Author {
    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_AUTHOR).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        well_formed.then(|| Self(text.to_owned()))
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why something was changed: 1 to 200 characters, all of them as [`text`] allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(String);

impl Note {
    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_NOTE).contains(&text.chars().count()) && text::check_characters(text).is_ok();
        well_formed.then(|| Self(text.to_owned()))
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a version or a release did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Created,
    Updated,
    Deleted,
    Restored,
    Released,
    Withdrawn,
}

impl Action {
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Updated, Self::Deleted, Self::Restored, Self::Released, Self::Withdrawn];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::Released => "released",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The action of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// Who wrote a version, and why, as far as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub by: Option<Author>,
    pub note: Option<Note>,
    /// The version whose content was restored.
    pub restored: Option<u64>,
}

impl Change {
    /// The change as the API shows it.
    pub fn document<'change>(&'change self, digest: Option<&'change Digest>) -> ChangeDocument<'change> {
        ChangeDocument {
            by: self.by.as_ref().map(Author::as_str),
            note: self.note.as_ref().map(Note::as_str),
            restored: self.restored,
            digest: digest.map(Digest::as_str),
        }
    }
}

/// A change as the API shows it, its members always in this order.
#[derive(Debug, Serialize)]
pub struct ChangeDocument<'change> {
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'change str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'change str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'change str>,
}

/// Proves a version and all versions before it: a SHA-256 in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

impl Digest {
    /// The digest of a version: of its flow and its change as the API shows them, the change without a digest. That of a
    /// release is made of the digest of what it puts in force and of itself.
    pub fn of(previous: Option<&Self>, flow: &str, change: &str) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [previous.map_or("", Self::as_str), "\n", flow, "\n", change] {
            context.update(part.as_bytes());
        }
        Self(URL_SAFE_NO_PAD.encode(context.finish()))
    }

    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
