//! Identifiers of clients, flows and writes.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Cause;

/// The longest client, in characters.
pub const MAX_CLIENT: usize = 128;
/// The longest idempotency key, in characters.
pub const MAX_KEY: usize = 255;

/// The tenant that a flow belongs to: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(String);

impl Client {
    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_CLIENT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A flow's `_id`: `project_flow_` and 26 characters of lower-case Crockford base32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowId(String);

impl FlowId {
    const PREFIX: &str = "project_flow_";

    /// A new id: 130 random bits, so nobody else has it.
    pub fn random() -> Result<Self, Cause> {
        random_text().map(|text| Self(format!("{}{text}", Self::PREFIX)))
    }

    /// The id of the flow that `client` creates with `key`: always the same one, and nobody else's.
    pub fn of_key(client: &Client, key: &IdempotencyKey) -> Self {
        // Neither has a control character, so the line feed tells where one ends.
        let digest = digest(&SHA256, format!("{}\n{}", client.as_str(), key.as_str()).as_bytes());
        Self(format!("{}{}", Self::PREFIX, base32(digest.as_ref())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(Self::PREFIX)?;
        let well_formed = random.len() == TEXT_LENGTH && random.bytes().all(is_base32);
        well_formed.then(|| Self(text.to_owned()))
    }
}

/// Crockford's base32, in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Whether the alphabet has this character. Ranges are faster than a search, and every id that is read is checked.
const fn is_base32(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'h' | b'j' | b'k' | b'm' | b'n' | b'p'..=b't' | b'v'..=b'z')
}

/// 26 characters of 5 bits: 130 bits.
const TEXT_LENGTH: usize = 26;

/// The first bytes in base32, 5 bits of each.
fn base32(bytes: &[u8]) -> String {
    let characters = bytes.iter().take(TEXT_LENGTH).filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    characters.map(|&character| char::from(character)).collect()
}

/// 26 random characters of base32: 130 bits.
pub fn random_text() -> Result<String, Cause> {
    let mut bytes = [0; TEXT_LENGTH];
    rand::fill(&mut bytes).map_err(|_| Cause::new("no random bytes"))?;
    Ok(base32(&bytes))
}

/// Makes a create exactly-once: 1 to 255 visible ASCII characters that the client chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `None` if `text` is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Identifies the content that was sent with an idempotency key, in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The SHA-256 of the content in its canonical form.
    pub fn of(canonical: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An idempotency key, and the content that it was sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    pub key: IdempotencyKey,
    pub fingerprint: Fingerprint,
}

/// A random token that identifies the call that wrote a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteToken(String);

impl WriteToken {
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn random() -> Result<Self, Cause> {
        random_text().map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
