//! Station 1, authenticate: bearer token → [`Caller`].
//!
//! The same code guards every way in, so nothing in front of the function is trusted. Tokens are JSON Web Tokens
//! (RFC 7519) signed with a key of the setting `JWKS`; no request leaves the function to check one. `jsonwebtoken`
//! verifies; what it lets pass is refused here: `crit`, a member named twice, a client that is none.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Cause, Error};
use crate::flow::Client;
use crate::json::{self, Value};

/// How far the clocks of issuer and function may be apart, in seconds.
pub const CLOCK_LEEWAY: u64 = 30;

/// Whoever sent the request, proved by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that the token was issued for.
    pub client: Client,
}

/// What a token is checked against.
#[derive(Debug)]
pub struct Authenticator {
    keys: Vec<Key>,
    client_claim: String,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

impl Authenticator {
    /// The authenticator for a JWK Set (RFC 7517, 5), and for the issuer and the audience where they are given.
    ///
    /// Keys for encryption (`"use": "enc"`) are left out.
    ///
    /// # Errors
    ///
    /// The first thing that makes the set unusable, in a sentence that carries no key.
    pub fn new(jwks: &str, issuer: Option<&str>, audience: Option<&str>, client_claim: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct JwkSet {
            keys: Vec<Box<RawValue>>,
        }

        let set: JwkSet = serde_json::from_str(jwks)
            .map_err(|_| "expected a JWK Set, an object with an array \"keys\", found something else".to_owned())?;
        let mut keys: Vec<Key> = Vec::new();
        for (index, text) in set.keys.iter().enumerate() {
            let key = Key::parse(text.get()).map_err(|error| format!("keys[{index}]: {error}"))?;
            let Some(mut key) = key else { continue };
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
            return Err("expected at least one key that verifies signatures, found none".to_owned());
        }
        Ok(Self { keys, client_claim: client_claim.to_owned() })
    }

    /// Who sent the `Authorization` header (RFC 6750, 2.1).
    ///
    /// # Errors
    ///
    /// [`Error::MissingToken`] without a header, [`Error::InvalidToken`] with one that proves nothing.
    pub fn authenticate(&self, authorization: Option<&str>) -> Result<Caller, Error> {
        let authorization = authorization.ok_or(Error::MissingToken)?;
        self.verify(authorization).map_err(|why| Error::InvalidToken(Cause::new(why)))
    }

    /// The caller, or why there is none: for the log, so without any part of the token.
    fn verify(&self, authorization: &str) -> Result<Caller, String> {
        let (scheme, token) = authorization.split_once(' ').ok_or("no bearer token")?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err("another scheme than bearer".to_owned());
        }
        let token = token.trim_matches(' ');
        let key = self.key(token)?;
        let claims = jsonwebtoken::decode::<Box<RawValue>>(token, &key.decoding, &key.validation)
            .map_err(|error| reason(&error))?
            .claims;
        let claims =
            json::read_object(claims.get().as_bytes()).map_err(|problem| format!("claims: {}", problem.error))?;
        let claim = claims.iter().find(|claim| claim.name == self.client_claim);
        match claim.map(|claim| &claim.value) {
            Some(Value::String(client)) => Client::parse(client).map(|client| Caller { client }),
            _ => None,
        }
        .ok_or_else(|| "no or malformed client claim".to_owned())
    }

    /// The key that a token says it is signed with; the only key, when it says nothing.
    fn key(&self, token: &str) -> Result<&Key, String> {
        let (header, _) = token.split_once('.').ok_or("no header")?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| "header: not base64url")?;
        let header = json::read_object(&header).map_err(|problem| format!("header: {}", problem.error))?;
        let member = |name: &str| header.iter().find(|member| member.name == name).map(|member| &member.value);
        // Extensions that must be understood (RFC 7515, 4.1.11): none is.
        if member("crit").is_some() {
            return Err("header: crit".to_owned());
        }
        match (member("kid"), self.keys.as_slice()) {
            (Some(Value::String(id)), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [key]) => Some(key),
            (_, _) => None,
        }
        .ok_or_else(|| "header: kid names no key".to_owned())
    }
}

impl Key {
    /// A key of a set, or `None` for one that is not meant for signatures.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        let unusable = |_| "expected a JSON Web Key (RFC 7517, 4), found something else".to_owned();
        let members = json::read_object(text.as_bytes()).map_err(|problem| problem.error)?;
        let jwk: Jwk = serde_json::from_str(text).map_err(unusable)?;
        if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
            return Ok(None);
        }
        if members.iter().any(|member| member.name == "d") {
            return Err("expected a public or symmetric key, found a private one".to_owned());
        }
        let algorithm = jwk.common.key_algorithm.ok_or("expected an \"alg\", found none")?;
        let algorithm =
            Algorithm::try_from(algorithm).map_err(|_| "expected an \"alg\" that signs, found another".to_owned())?;
        let decoding = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
        if !fits(algorithm, &jwk, &decoding) {
            return Err(format!("expected key material for {algorithm:?}, found other material"));
        }
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_LEEWAY;
        validation.validate_nbf = true;
        Ok(Some(Self { id: jwk.common.key_id, decoding, validation }))
    }
}

/// Why a token was refused, without what the token says.
fn reason(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => "unreadable".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether the key can verify the algorithm at all, at the sizes of RFC 7518, 3.
fn fits(algorithm: Algorithm, jwk: &Jwk, key: &DecodingKey) -> bool {
    // 2048 to 8192 bits: what the verifier takes.
    const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

    if key.family() != algorithm.family() {
        return false;
    }
    if let AlgorithmParameters::RSA(parameters) = &jwk.algorithm {
        let [n, e] = [&parameters.n, &parameters.e].map(|text| URL_SAFE_NO_PAD.decode(text).unwrap_or_default());
        return MODULUS_BYTES.contains(&n.len()) && PublicKeyComponents { n, e }.as_der().is_ok();
    }
    let Ok(bytes) = key.try_get_as_bytes() else { return false };
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
