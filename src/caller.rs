//! Station 1, authenticate: bearer token → [`Caller`].
//!
//! The same code guards every way in, so nothing in front of the function is trusted. Tokens are JSON Web Tokens
//! (RFC 7519), signed with a key of the issuer. `jsonwebtoken` verifies; what it accepts wrongly is refused here and in
//! `keys`: `crit`, a member named twice, a malformed client or author.

use crate::error::Error;
use crate::flow::{Author, Change, Client, Note};
use crate::issuer::Issuer;
use crate::json::{self, Members, Value};
use crate::keys::{Keys, Refusal, Token};

/// The sender of the request, proved by a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant that the token was issued for.
    pub client: Client,
    /// Who acts for the tenant, where the token says so.
    pub author: Option<Author>,
    /// What the token does not allow, each with the scope that would.
    pub missing: Vec<(Permission, String)>,
    /// Whether they release only what others have written.
    pub four_eyes: bool,
}

impl Caller {
    /// A change that they make, and why.
    pub fn change(&self, note: Option<Note>) -> Change {
        Change { by: self.author.clone(), note, restored: None }
    }

    /// # Errors
    ///
    /// [`Error::InsufficientScope`] if the token does not allow it.
    pub fn check(&self, permission: Permission) -> Result<(), Error> {
        match self.missing.iter().find(|(missing, _)| *missing == permission) {
            None => Ok(()),
            Some((_, scope)) => Err(Error::InsufficientScope { scope: scope.clone() }),
        }
    }
}

/// What an operation needs to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Read,
    Write,
    /// To change what is live.
    Release,
}

/// The claims of a token that the function reads, and the scopes that it asks for.
#[derive(Debug, Clone)]
pub struct Claims {
    /// The claim that names the client.
    pub client: String,
    /// The claim that names who acts.
    pub author: String,
    /// The claim that holds the scopes: a string of words, or an array of strings.
    pub scope: String,
    /// The scope that each permission needs. A permission that is not listed needs none.
    pub scopes: Vec<(Permission, String)>,
    /// Whether nobody releases what they have written.
    pub four_eyes: bool,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            client: "clientId".to_owned(),
            author: "sub".to_owned(),
            scope: "scope".to_owned(),
            scopes: Vec::new(),
            four_eyes: false,
        }
    }
}

/// What a token is checked against.
#[derive(Debug)]
pub struct Authenticator {
    keys: Source,
    claims: Claims,
}

/// Where the keys that verify tokens come from.
#[derive(Debug)]
pub enum Source {
    /// The setting `JWKS`.
    Given(Keys),
    /// The setting `JWKS_URL`.
    Issuer(Box<Issuer>),
}

impl Authenticator {
    /// The authenticator for tokens that are signed with one of these keys.
    pub const fn new(keys: Source, claims: Claims) -> Self {
        Self { keys, claims }
    }

    /// Who sent the token.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] if it proves nothing, [`Error::TemporarilyUnavailable`] when the key is to be fetched and
    /// cannot be.
    pub async fn authenticate(&self, token: &Token<'_>) -> Result<Caller, Error> {
        let claims = match &self.keys {
            Source::Given(keys) => keys.verify(token)?,
            Source::Issuer(issuer) => issuer.verify(token).await?,
        };
        let caller = json::read_object(claims.get().as_bytes())
            .map_err(|problem| format!("claims: {}", problem.error))
            .and_then(|claims| self.claims.read(&claims));
        Ok(caller.map_err(Refusal::Invalid)?)
    }
}

/// The token in an `Authorization` header (RFC 6750, 2.1), as far as it can be judged without a key.
///
/// # Errors
///
/// [`Error::MissingToken`] without a header, [`Error::InvalidToken`] with one that has no token that a key could verify.
pub fn token(authorization: Option<&str>) -> Result<Token<'_>, Error> {
    let invalid = |why: &str| Refusal::Invalid(why.to_owned());
    let (scheme, token) =
        authorization.ok_or(Error::MissingToken)?.split_once(' ').ok_or_else(|| invalid("no bearer token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(invalid("another scheme than bearer").into());
    }
    Ok(Token::parse(token.trim_matches(' '))?)
}

impl Claims {
    fn read(&self, claims: &Members<'_>) -> Result<Caller, String> {
        let client = match claims.value(&self.client) {
            Some(Value::String(client)) => Client::parse(client),
            _ => None,
        };
        let author = match claims.value(&self.author) {
            None => Ok(None),
            Some(Value::String(author)) => Author::parse(author).map(Some).ok_or(()),
            Some(_) => Err(()),
        };
        let scopes = claims.value(&self.scope);
        let missing = self.scopes.iter().filter(|(_, scope)| !scopes.is_some_and(|scopes| contains(scopes, scope)));
        Ok(Caller {
            client: client.ok_or("no or malformed client claim")?,
            author: author.map_err(|()| "malformed author claim")?,
            missing: missing.cloned().collect(),
            four_eyes: self.four_eyes,
        })
    }
}

/// Whether a claim lists this scope, as a string of words (RFC 8693, 4.2) or as an array of strings.
fn contains(claim: &Value<'_>, scope: &str) -> bool {
    match claim {
        Value::String(words) => words.split(' ').any(|word| word == scope),
        Value::Array(scopes) => scopes.iter().any(|one| matches!(&one.value, Value::String(word) if word == scope)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}
