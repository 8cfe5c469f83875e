//! The domain: project flows and what they are made of. A wrong value cannot be built.
//!
//! What a client sends, and the rules for it, stand in [`content`]. How a flow becomes an item is left to
//! [`crate::item`].

pub mod content;

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use content::Content;

use crate::error::Cause;

/// The longest client, in characters.
pub const CLIENT_LENGTH: usize = 128;
/// The longest idempotency key, in characters.
pub const KEY_LENGTH: usize = 255;

/// The tenant that a flow belongs to: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(String);

impl Client {
    /// The client of that name, or `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=CLIENT_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The client as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A flow's `_id`: `project_flow_` and 26 characters of lower-case Crockford base32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowId(String);

impl FlowId {
    const PREFIX: &str = "project_flow_";

    /// An id that nobody else holds.
    ///
    /// # Errors
    ///
    /// The machine has no random bytes to give.
    pub fn random() -> Result<Self, Cause> {
        random_text().map(|text| Self(format!("{}{text}", Self::PREFIX)))
    }

    /// The id of the flow that `client` creates with `key`: always the same one, and nobody else's.
    pub fn of_key(client: &Client, key: &IdempotencyKey) -> Self {
        // Neither has a control character, so the line feed tells where one ends.
        let digest = digest(&SHA256, format!("{}\n{}", client.as_str(), key.as_str()).as_bytes());
        Self(format!("{}{}", Self::PREFIX, base32(digest.as_ref())))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that a stored flow has.
    fn stored(text: &str) -> Option<Self> {
        let random = text.strip_prefix(Self::PREFIX)?;
        let well_formed = random.len() == TEXT_LENGTH && random.bytes().all(|byte| ALPHABET.contains(&byte));
        well_formed.then(|| Self(text.to_owned()))
    }
}

/// Crockford's base32, in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 26 characters of 5 bits: 130 bits.
const TEXT_LENGTH: usize = 26;

/// The first bytes in base32, 5 bits of each.
fn base32(bytes: &[u8]) -> String {
    let characters = bytes.iter().take(TEXT_LENGTH).filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    characters.map(|&character| char::from(character)).collect()
}

fn random_text() -> Result<String, Cause> {
    let mut bytes = [0; TEXT_LENGTH];
    rand::fill(&mut bytes).map_err(|_| Cause::new("no random bytes"))?;
    Ok(base32(&bytes))
}

/// What makes a create exactly-once: 1 to 255 visible ASCII characters of the client's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key of that text, or `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=KEY_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What was sent with a key: the same for the same content, in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The SHA-256 of the content in its canonical form.
    pub fn of(canonical: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What `Idempotency-Key` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The key.
    pub key: IdempotencyKey,
    /// What was sent with it.
    pub fingerprint: Fingerprint,
}

/// Which call wrote a version: random, so that a write can be told from everybody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteToken(String);

impl WriteToken {
    /// A token that nobody else has.
    ///
    /// # Errors
    ///
    /// The machine has no random bytes to give.
    pub fn random() -> Result<Self, Cause> {
        random_text().map(Self)
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a flow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Created, not yet in use.
    Draft,
}

impl Status {
    /// The status as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Draft].into_iter().find(|one| one.as_str() == text)
    }
}

/// A moment, to the second, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instant(String);

impl Instant {
    /// The moment in RFC 3339, as in `2024-01-15T10:30:00Z`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SystemTime> for Instant {
    fn from(time: SystemTime) -> Self {
        let moment = OffsetDateTime::from(time);
        let second = moment.replace_nanosecond(0).unwrap_or(moment);
        // Only years past 9999 have no RFC 3339 form.
        Self(second.format(&Rfc3339).unwrap_or_default())
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A flow as it stands in the table, at one of its versions.
#[derive(Debug, Clone)]
pub struct Flow {
    /// `_id`
    pub id: FlowId,
    /// `status`
    pub status: Status,
    /// `version`, from 1
    pub version: u64,
    /// `client`
    pub client: Client,
    /// `createdAt`
    pub created_at: Instant,
    /// `updatedAt`
    pub updated_at: Instant,
    /// What the client sent.
    pub content: Content,
    /// Which call wrote this version, where that may have to be proved.
    pub write_token: Option<WriteToken>,
    /// What was sent with the key that the flow was created with, where it was.
    pub fingerprint: Option<Fingerprint>,
}

impl Flow {
    /// A new flow: a draft at version 1.
    ///
    /// # Errors
    ///
    /// The machine has no random bytes to give.
    pub fn create(client: Client, now: SystemTime, content: Content, once: Option<Once>) -> Result<Self, Cause> {
        let (id, write_token, fingerprint) = match once {
            None => (FlowId::random()?, None, None),
            Some(Once { key, fingerprint }) => {
                (FlowId::of_key(&client, &key), Some(WriteToken::random()?), Some(fingerprint))
            }
        };
        let now = Instant::from(now);
        let (created_at, updated_at) = (now.clone(), now);
        Ok(Self {
            id,
            status: Status::Draft,
            version: 1,
            client,
            created_at,
            updated_at,
            content,
            write_token,
            fingerprint,
        })
    }

    /// The flow that an item holds.
    ///
    /// What was valid when it was written is not judged anew; only what cannot be a flow at all is refused.
    ///
    /// # Errors
    ///
    /// The attribute that is missing or unreadable.
    pub fn stored<'item>(attribute: impl Fn(&'static str) -> Option<&'item str>) -> Result<Self, Cause> {
        let text = |name| text(&attribute, name);
        Ok(Self {
            id: FlowId::stored(text("_id")?).ok_or_else(|| unreadable("_id"))?,
            status: Status::named(text("status")?).ok_or_else(|| unreadable("status"))?,
            version: text("version")?.parse().map_err(|_| unreadable("version"))?,
            client: Client::parse(text("client")?).ok_or_else(|| unreadable("client"))?,
            created_at: Instant(text("createdAt")?.to_owned()),
            updated_at: Instant(text("updatedAt")?.to_owned()),
            content: Content::stored(&attribute)?,
            write_token: attribute("writeToken").map(|text| WriteToken(text.to_owned())),
            fingerprint: attribute("fingerprint").map(|text| Fingerprint(text.to_owned())),
        })
    }
}

/// An attribute that every stored flow has.
fn text<'item>(
    attribute: &impl Fn(&'static str) -> Option<&'item str>,
    name: &'static str,
) -> Result<&'item str, Cause> {
    attribute(name).ok_or_else(|| unreadable(name))
}

fn unreadable(name: &str) -> Cause {
    Cause::new(format!("stored flow: unreadable {name}"))
}
