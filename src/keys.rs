//! The keys that verify tokens: a JWK Set (RFC 7517) as issuers publish it → [`Keys`].

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{self, Value};

/// How far the clocks of issuer and function may be apart, in seconds.
pub const CLOCK_LEEWAY: u64 = 30;

/// Where a JWK Set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The setting `JWKS`. Whoever deploys can mend it, so every key must be readable.
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
pub struct Key {
    id: Option<String>,
    pub decoding: DecodingKey,
    pub validation: Validation,
}

impl Keys {
    /// Reads a JWK Set (RFC 7517, 5); its keys verify tokens of the issuer and the audience, where they are given.
    ///
    /// A key without `alg` takes the algorithm of its type and curve. Issuers publish keys for other purposes in the same
    /// set: those are left out, as RFC 7517 asks, and so are keys of an unknown type, curve or algorithm. A secret or a private
    /// key refuses the whole set, wherever it comes from.
    ///
    /// # Errors
    ///
    /// The first thing that makes the set unusable, in a sentence that carries no key.
    pub fn parse(jwks: &str, origin: Origin, issuer: Option<&str>, audience: Option<&str>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Box<RawValue>>,
        }

        let set: JwkSet = serde_json::from_str(jwks)
            .map_err(|_| "expected a JWK Set, an object with an array \"keys\", found something else".to_owned())?;
        let (mut keys, mut left_out): (Vec<Key>, _) = (Vec::new(), Vec::new());
        for (index, text) in set.keys.iter().enumerate() {
            let mut key = match (Key::parse(text.get(), origin), origin) {
                (Ok(key), _) => key,
                (Err(Flaw::Foreign(why)), _) | (Err(Flaw::Unusable(why)), Origin::Issuer) => {
                    left_out.push(format!("keys[{index}]: left out, {why}"));
                    continue;
                }
                (Err(Flaw::Unusable(why)), Origin::Setting(_)) | (Err(Flaw::Exposed(why)), _) => {
                    return Err(format!("keys[{index}]: {why}"));
                }
            };
            if keys.iter().any(|other| other.id == key.id) {
                return Err(format!("keys[{index}]: expected a \"kid\" of its own, found one again"));
            }
            let mut required = vec!["exp"];
            if let Some(issuer) = issuer {
                key.validation.set_issuer(&[issuer]);
                required.push("iss");
            }
            if let Some(audience) = audience {
                key.validation.set_audience(&[audience]);
                required.push("aud");
            }
            key.validation.validate_aud = audience.is_some();
            key.validation.set_required_spec_claims(&required);
            keys.push(key);
        }
        if keys.is_empty() {
            left_out.insert(0, "none".to_owned());
            return Err(format!("expected at least one key that verifies signatures, found {}", left_out.join("; ")));
        }
        Ok(Self { keys, left_out })
    }

    /// The keys of the set that are not used, each with the reason, in a line that carries no key material.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The key with this id, or the only key if the token names none.
    pub fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [key]) => Some(key),
            (None, _) => None,
        }
    }
}

/// The id of the key that a token says it is signed with (`kid`: RFC 7515, 4.1.4).
///
/// # Errors
///
/// What is wrong with the token's header: for the log, so without any part of the token.
pub fn key_id(token: &str) -> Result<Option<String>, String> {
    let (header, _) = token.split_once('.').ok_or("no header")?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "header: not base64url")?;
    let header = json::read_object(&header).map_err(|problem| format!("header: {}", problem.error))?;
    // Extensions that must be understood (RFC 7515, 4.1.11): none is.
    if header.get("crit").is_some() {
        return Err("header: crit".to_owned());
    }
    match header.value("kid") {
        None => Ok(None),
        Some(Value::String(id)) => Ok(Some(id.as_ref().to_owned())),
        Some(_) => Err("header: kid is no string".to_owned()),
    }
}

/// Why a key of a set does not verify tokens.
enum Flaw {
    /// It has another purpose, or is of a kind that is unknown here.
    Foreign(String),
    /// It is malformed, or too weak.
    Unusable(String),
    /// Whoever can read the set could sign tokens with it.
    Exposed(String),
}

impl From<String> for Flaw {
    fn from(why: String) -> Self {
        Self::Unusable(why)
    }
}

impl From<&str> for Flaw {
    fn from(why: &str) -> Self {
        Self::Unusable(why.to_owned())
    }
}

impl Key {
    fn parse(text: &str, origin: Origin) -> Result<Self, Flaw> {
        let members = json::read_object(text.as_bytes()).map_err(|problem| problem.error)?;
        // Some issuers write `null` for a member that is not there.
        let member = |name: &str| members.value(name).filter(|value| **value != Value::Null);
        let string = |name: &str| match member(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_ref())),
            Some(_) => Err(format!("{name}: expected a string, found something else")),
        };
        let needed = |name: &str| string(name)?.ok_or_else(|| format!("expected a {name:?}, found none"));
        let left_out = |why: &str| {
            let id = member("kid").map_or_else(String::new, |id| format!(" (\"kid\" {id})"));
            Err(Flaw::Foreign(format!("{why}{id}")))
        };
        let unknown = |name: &str| left_out(&format!("{name:?} is {}", member(name).unwrap_or(&Value::Null)));

        let (kind, default) = match needed("kty")? {
            "RSA" => (Kind::Rsa, Some(Algorithm::RS256)),
            "EC" => match needed("crv")? {
                "P-256" => (Kind::Ec, Some(Algorithm::ES256)),
                "P-384" => (Kind::Ec, Some(Algorithm::ES384)),
                _ => return unknown("crv"),
            },
            "OKP" => match needed("crv")? {
                "Ed25519" => (Kind::Ed, Some(Algorithm::EdDSA)),
                _ => return unknown("crv"),
            },
            "oct" => (Kind::Secret, None),
            _ => return unknown("kty"),
        };
        if string("use")?.is_some_and(|purpose| purpose != "sig") {
            return unknown("use");
        }
        match member("key_ops") {
            None => {}
            Some(Value::Array(operations))
                if operations.iter().any(|one| one.value == Value::String("verify".into())) => {}
            Some(Value::Array(_)) => return left_out("\"key_ops\" has no \"verify\""),
            Some(_) => return Err("key_ops: expected an array, found something else".into()),
        }
        let stated = string("alg")?.map(str::parse::<Algorithm>);
        let Ok(stated) = stated.transpose() else { return unknown("alg") };

        let exposed = match (kind, origin) {
            (_, _) if member("d").is_some() => Some("expected a public key, found a private one"),
            (Kind::Secret, Origin::Issuer) => Some("expected a public key, found a secret (\"oct\")"),
            (Kind::Secret, Origin::Setting(SharedSecrets::Refused)) => Some(
                "expected a public key, found a secret (\"oct\"): whoever may read the function's configuration \
                 could sign tokens with it; ALLOW_SHARED_SECRETS=true takes it, for development",
            ),
            (Kind::Secret, Origin::Setting(SharedSecrets::Allowed)) | (Kind::Rsa | Kind::Ec | Kind::Ed, _) => None,
        };
        if let Some(why) = exposed {
            return Err(Flaw::Exposed(why.to_owned()));
        }
        let algorithm = stated.or(default).ok_or("expected an \"alg\", found none")?;
        let bytes = |name: &str| {
            let text = needed(name)?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("{name}: expected base64url, found something else"))
        };
        let decoding = match kind {
            Kind::Rsa => DecodingKey::from_rsa_raw_components(&bytes("n")?, &bytes("e")?),
            // An uncompressed point ("SEC 1: Elliptic Curve Cryptography", 2.3.3).
            Kind::Ec => DecodingKey::from_ec_der(&[vec![4], bytes("x")?, bytes("y")?].concat()),
            Kind::Ed => DecodingKey::from_ed_der(&bytes("x")?),
            Kind::Secret => DecodingKey::from_secret(&bytes("k")?),
        };
        if !fits(algorithm, &decoding) {
            return Err(format!("expected key material for {algorithm:?}, found other material").into());
        }
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_LEEWAY;
        validation.validate_nbf = true;
        let id = string("kid")?.map(str::to_owned);
        Ok(Self { id, decoding, validation })
    }
}

/// How the material of a key is written (RFC 7518, 6; RFC 8037, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A modulus and an exponent.
    Rsa,
    /// A point of a curve, in two coordinates.
    Ec,
    /// A point of an Edwards curve, in one.
    Ed,
    /// Bytes that only issuer and function know.
    Secret,
}

/// Whether the key can verify the algorithm at all, at the sizes of RFC 7518, 3.
fn fits(algorithm: Algorithm, key: &DecodingKey) -> bool {
    // 2048 to 8192 bits: what the verifier takes.
    const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

    if key.family() != algorithm.family() {
        return false;
    }
    let bytes = match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            return MODULUS_BYTES.contains(&n.len()) && PublicKeyComponents { n, e }.as_der().is_ok();
        }
        DecodingKeyKind::SecretOrDer(bytes) => bytes,
    };
    match algorithm {
        Algorithm::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).is_ok(),
        Algorithm::ES384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, bytes).is_ok(),
        Algorithm::EdDSA => ParsedPublicKey::new(&ED25519, bytes).is_ok(),
        Algorithm::HS256 => bytes.len() >= 32,
        Algorithm::HS384 => bytes.len() >= 48,
        Algorithm::HS512 => bytes.len() >= 64,
        // RSA is settled above, and the enum is open: what is new there is not known to fit.
        _ => false,
    }
}
