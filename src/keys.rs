//! The keys that verify tokens: a JWK Set (RFC 7517) as issuers publish it → [`Keys`], and a token's claims by them.
//!
//! What makes one key usable is in `jwk`.

mod jwk;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Cause, Error};
use crate::json::{self, Value};

/// How far the clocks of issuer and function may be apart, in seconds.
pub const CLOCK_LEEWAY: u64 = 30;

/// The most keys that a token is tried with.
const MAX_TRIED: usize = 4;

/// Where a JWK Set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The setting `JWKS`. Whoever deploys can mend it, so every key must be usable.
    Setting(SharedSecrets),
    /// The issuer. Nobody here can mend it, so a key that is not usable is left out, as RFC 7517 (5) asks.
    Issuer,
}

/// Whether a JWK Set may hold secrets (`oct`), which sign tokens as well as verify them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedSecrets {
    /// It may: for development.
    Allowed,
    Refused,
}

/// The keys of a set that verify tokens: at least one.
#[derive(Debug)]
pub struct Keys {
    keys: Vec<Key>,
    left_out: Vec<String>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
    validation: Validation,
}

impl Keys {
    /// Reads a JWK Set (RFC 7517, 5); its keys verify tokens of the issuer and the audience, where they are given.
    ///
    /// In a set of an issuer, several keys may have the same id, or none, and what is wrong with one key takes no other away.
    ///
    /// # Errors
    ///
    /// Each problem that makes the set unusable, in a sentence that carries no key. The first says enough of an issuer's set.
    pub fn parse(
        jwks: &str,
        origin: Origin,
        issuer: Option<&str>,
        audience: Option<&str>,
    ) -> Result<Self, Vec<String>> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Box<RawValue>>,
        }

        let jwks = match (jwks.strip_prefix('\u{feff}'), origin) {
            (None, _) => jwks,
            (Some(rest), Origin::Issuer) => rest,
            (Some(_), Origin::Setting(_)) => return Err(vec!["expected JSON, found a byte order mark".to_owned()]),
        };
        let set: JwkSet = serde_json::from_str(jwks).map_err(|_| {
            vec!["expected a JWK Set, an object with an array \"keys\", found something else".to_owned()]
        })?;
        let mut validation = Validation {
            leeway: CLOCK_LEEWAY,
            validate_nbf: true,
            validate_aud: audience.is_some(),
            ..Validation::default()
        };
        let mut required = vec!["exp"];
        if let Some(issuer) = issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);

        let (mut keys, mut problems): (Vec<Key>, _) = (Vec::new(), Vec::new());
        for (index, text) in set.keys.iter().enumerate() {
            let is_ambiguous = |key: &Key| origin != Origin::Issuer && keys.iter().any(|other| other.id == key.id);
            match jwk::parse(index, text.get(), origin, &validation) {
                Ok(key) if is_ambiguous(&key) => {
                    problems.push(format!("keys[{index}]: expected a \"kid\" of its own, found one again"));
                }
                Ok(key) => keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        if origin != Origin::Issuer && !problems.is_empty() {
            return Err(problems);
        }
        if keys.is_empty() {
            problems.insert(0, "expected at least one key that verifies signatures, found none".to_owned());
            return Err(problems);
        }
        Ok(Self { keys, left_out: problems })
    }

    /// The keys of an issuer's set that are not used, each with the reason, in a line that carries no key material.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The claims of a token that one of the keys has signed, as JSON.
    pub fn verify(&self, token: &Token<'_>) -> Result<Box<RawValue>, Refusal> {
        let mut named = self.keys.iter().filter(|key| token.key_id.is_none() || key.id == token.key_id).peekable();
        if named.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        for key in named.filter(|key| key.algorithm == token.algorithm).take(MAX_TRIED) {
            match jsonwebtoken::decode(token.text, &key.decoding, &key.validation) {
                Ok(token) => return Ok(token.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => {
                        return Err(Refusal::Invalid("unreadable".to_owned()));
                    }
                    _ => return Err(Refusal::Invalid(error.to_string())),
                },
            }
        }
        Err(Refusal::Unsigned)
    }
}

/// Why a token is refused: for the log, so without any part of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its `kid` names no key of the set. A newer set may have the key.
    UnknownKey,
    /// No key that fits its `kid` and `alg` has signed it. A newer set may have another key of the same id.
    Unsigned,
    /// It is wrong, whatever the keys.
    Invalid(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidToken(Cause::new(match refusal {
            Refusal::UnknownKey => "header: kid names no key".to_owned(),
            Refusal::Unsigned => "no signature of a key that fits kid and alg".to_owned(),
            Refusal::Invalid(why) => why,
        }))
    }
}

/// A token, and what its header says of the key that has signed it (RFC 7515, 4.1).
#[derive(Debug)]
pub struct Token<'text> {
    text: &'text str,
    key_id: Option<String>,
    algorithm: Algorithm,
}

impl<'text> Token<'text> {
    /// Reads the header of a token, which needs no key.
    pub fn parse(text: &'text str) -> Result<Self, Refusal> {
        let invalid = |why: &str| Refusal::Invalid(format!("header: {why}"));
        let (header, _) = text.split_once('.').ok_or_else(|| invalid("none"))?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| invalid("not base64url"))?;
        let header = json::read_object(&header).map_err(|problem| invalid(&problem.error))?;
        // Extensions that must be understood (RFC 7515, 4.1.11): none is.
        if header.get("crit").is_some() {
            return Err(invalid("crit"));
        }
        let key_id = match header.value("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.as_ref().to_owned()),
            Some(_) => return Err(invalid("kid is no string")),
        };
        let algorithm = match header.value("alg") {
            Some(Value::String(name)) => name.parse().ok(),
            _ => None,
        };
        Ok(Self { text, key_id, algorithm: algorithm.ok_or_else(|| invalid("no or unknown alg"))? })
    }
}
