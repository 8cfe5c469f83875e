//! The domain: project flows and what they are made of. A wrong value cannot be built.
//!
//! What a client sends, and the rules for it, stand in [`content`]; what may be changed later in [`update`]. How a flow
//! becomes an item is left to [`crate::item`].

pub mod content;
pub mod update;

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

pub use content::Content;
pub use update::Update;

use self::content::{Description, FlowType, Json, Name, ProjectId};
use crate::error::{Cause, Error};
use crate::problem::{Code, Problem};

/// The longest client, in characters.
pub const MAX_CLIENT: usize = 128;
/// The longest idempotency key, in characters.
pub const MAX_KEY: usize = 255;

/// The tenant that a flow belongs to: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(String);

impl Client {
    /// The client of that name, or `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_CLIENT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
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

    /// The id of that text, or `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
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

/// 26 random characters of base32: 130 bits, so that nobody else has the same.
///
/// # Errors
///
/// The machine has no random bytes to give.
pub fn random_text() -> Result<String, Cause> {
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
        let well_formed = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
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
    /// In use.
    Active,
    /// Not in use for the time being.
    Paused,
    /// Gone, but for its history.
    Deleted,
}

impl Status {
    /// What a client can set.
    pub const SETTABLE: [Self; 3] = [Self::Draft, Self::Active, Self::Paused];

    /// The status as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that name, or `None` when a client cannot set it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::SETTABLE.into_iter().find(|one| one.as_str() == text)
    }

    fn stored(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| (text == Self::Deleted.as_str()).then_some(Self::Deleted))
    }
}

/// The most digits of a version.
pub const VERSION_DIGITS: usize = 10;

/// The version that `text` spells: 1 to 10 digits, the first of them not 0.
pub fn version(text: &str) -> Option<u64> {
    let version: u64 = text.parse().ok()?;
    (version > 0 && text.len() <= VERSION_DIGITS && version.to_string() == text).then_some(version)
}

/// A moment, to the second, in UTC; later ones are greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(String);

impl Instant {
    /// The second of the moment that `text` spells (RFC 3339), or `None` when it spells none.
    ///
    /// ```
    /// # use project_flows::flow::Instant;
    /// let instant = Instant::parse("2024-01-15T12:30:00.9+02:00").expect("an instant");
    /// assert_eq!(instant.as_str(), "2024-01-15T10:30:00Z");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        // `time` takes any letter between date and time, as ISO 8601 does.
        let separator = text.as_bytes().get("2024-01-15".len());
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| matches!(separator, Some(b'T' | b't')))?;
        Self::of(moment.checked_to_offset(UtcOffset::UTC)?)
    }

    fn of(moment: OffsetDateTime) -> Option<Self> {
        moment.replace_nanosecond(0).ok()?.format(&Rfc3339).ok().map(Self)
    }

    /// The moment in RFC 3339, as in `2024-01-15T10:30:00Z`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<SystemTime> for Instant {
    fn from(time: SystemTime) -> Self {
        // Only years past 9999 have no RFC 3339 form.
        Self::of(OffsetDateTime::from(time)).unwrap_or_else(|| Self(String::new()))
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

    /// This flow at its next version.
    ///
    /// `updatedAt` never goes back, whatever the clock says, so that one version is in force at each moment.
    ///
    /// # Errors
    ///
    /// The machine has no random bytes to give.
    fn next(&self, now: SystemTime, status: Status, content: Content) -> Result<Self, Cause> {
        Ok(Self {
            id: self.id.clone(),
            status,
            version: self.version + 1,
            client: self.client.clone(),
            created_at: self.created_at.clone(),
            updated_at: self.updated_at.clone().max(now.into()),
            content,
            write_token: Some(WriteToken::random()?),
            fingerprint: self.fingerprint.clone(),
        })
    }

    /// This flow, unless it is deleted.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectFlowNotFound`].
    pub fn undeleted(&self) -> Result<&Self, Error> {
        match self.status {
            Status::Draft | Status::Active | Status::Paused => Ok(self),
            Status::Deleted => Err(Error::ProjectFlowNotFound),
        }
    }

    /// The version that deletes this flow. Its content stays, to be read in its history.
    ///
    /// # Errors
    ///
    /// [`Code::FlowIsActive`], or the machine has no random bytes to give.
    pub fn deleted(&self, now: SystemTime) -> Result<Self, Error> {
        match self.status {
            Status::Draft | Status::Paused | Status::Deleted => {
                Ok(self.next(now, Status::Deleted, self.content.clone())?)
            }
            Status::Active => {
                let error = "expected a flow that is not active, found it active: pause it first";
                Err(Problem::new("/status", Code::FlowIsActive, error).into())
            }
        }
    }

    /// The version that brings earlier content back. It never switches the flow on or off: the status stays, and a
    /// deleted flow comes back as a draft.
    ///
    /// # Errors
    ///
    /// The machine has no random bytes to give.
    pub fn restored(&self, now: SystemTime, content: Content) -> Result<Self, Cause> {
        let status = match self.status {
            Status::Draft | Status::Active | Status::Paused => self.status,
            Status::Deleted => Status::Draft,
        };
        self.next(now, status, content)
    }

    /// The flow that an item holds.
    ///
    /// What was valid when it was written is not judged anew; only what cannot be a flow at all is refused.
    ///
    /// # Errors
    ///
    /// The attribute that is missing or unreadable.
    pub fn stored<'item>(attribute: impl Fn(&'static str) -> Option<&'item str>) -> Result<Self, Cause> {
        let Summary { id, project, flow_type, status, version, name, description, client, created_at, updated_at } =
            Summary::stored(&attribute)?;
        let json = |name| Json::stored(text(&attribute, name)?).ok_or_else(|| unreadable(name));
        let (configuration, steps) = (json("configuration")?, json("steps")?);
        Ok(Self {
            id,
            status,
            version,
            client,
            created_at,
            updated_at,
            content: Content { project, flow_type, name, description, configuration, steps },
            write_token: attribute("writeToken").map(|text| WriteToken(text.to_owned())),
            fingerprint: attribute("fingerprint").map(|text| Fingerprint(text.to_owned())),
        })
    }
}

/// A flow without `configuration` and `steps`, as lists show it.
#[derive(Debug, Clone)]
pub struct Summary {
    /// `_id`
    pub id: FlowId,
    /// `project`
    pub project: ProjectId,
    /// `type`
    pub flow_type: FlowType,
    /// `status`
    pub status: Status,
    /// `version`, from 1
    pub version: u64,
    /// `name`
    pub name: Name,
    /// `description`
    pub description: Option<Description>,
    /// `client`
    pub client: Client,
    /// `createdAt`
    pub created_at: Instant,
    /// `updatedAt`
    pub updated_at: Instant,
}

impl Summary {
    /// The summary of the flow that an item holds.
    ///
    /// # Errors
    ///
    /// The attribute that is missing or unreadable.
    pub fn stored<'item>(attribute: &impl Fn(&'static str) -> Option<&'item str>) -> Result<Self, Cause> {
        let text = |name| text(attribute, name);
        Ok(Self {
            id: FlowId::parse(text("_id")?).ok_or_else(|| unreadable("_id"))?,
            project: ProjectId::stored(text("project")?),
            flow_type: FlowType::named(text("type")?).ok_or_else(|| unreadable("type"))?,
            status: Status::stored(text("status")?).ok_or_else(|| unreadable("status"))?,
            version: text("version")?.parse().map_err(|_| unreadable("version"))?,
            name: Name::stored(text("name")?),
            description: attribute("description").map(Description::stored),
            client: Client::parse(text("client")?).ok_or_else(|| unreadable("client"))?,
            created_at: Instant(text("createdAt")?.to_owned()),
            updated_at: Instant(text("updatedAt")?.to_owned()),
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
