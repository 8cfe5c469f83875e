//! Station 1, authenticate: bearer token → [`Caller`].
//!
//! The same code guards every way in, so nothing in front of the function is trusted. Tokens are JSON Web Tokens
//! (RFC 7519) signed with a key of the setting `JWKS`; no request leaves the function to check one. `jsonwebtoken`
//! verifies; what it accepts wrongly is refused here: `crit`, a member named twice, a malformed client.

use jsonwebtoken::errors::ErrorKind;
use serde_json::value::RawValue;

use crate::error::{Cause, Error};
use crate::flow::Client;
use crate::json::{self, Value};
use crate::keys::{Keys, SharedSecrets};

/// Whoever sent the request, proved by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that the token was issued for.
    pub client: Client,
}

/// What a token is checked against.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    client_claim: String,
}

impl Authenticator {
    /// The authenticator for tokens of these keys (see [`Keys::parse`]), whose claim of this name is the client.
    pub fn new(
        jwks: &str,
        issuer: Option<&str>,
        audience: Option<&str>,
        client_claim: &str,
        shared_secrets: SharedSecrets,
    ) -> Result<Self, String> {
        let keys = Keys::parse(jwks, issuer, audience, shared_secrets)?;
        Ok(Self { keys, client_claim: client_claim.to_owned() })
    }

    /// The keys that tokens are signed with.
    pub const fn keys(&self) -> &Keys {
        &self.keys
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
        let key = self.keys.find(token)?;
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
}

/// Why a token was refused, without what the token says.
fn reason(error: &jsonwebtoken::errors::Error) -> String {
    match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) | ErrorKind::Base64(_) => "unreadable".to_owned(),
        _ => error.to_string(),
    }
}
