//! Whose tokens the function accepts: those of the development key, or those of an issuer.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use network::issuer::{EDITOR, Issuer, READ_SCOPE, READER, SECRET, WRITE_SCOPE};
use serde_json::{Map, Value};

use crate::{Result, say};

const JWKS: &str = include_str!("../../../tools/jwks.json");
/// The issuer's tokens name the same client.
const PAGE_CLIENT: &str = "client_123456789";
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

pub enum Tokens {
    DevelopmentKey,
    Issuer(Box<Issuer>),
}

impl Tokens {
    /// Starts an issuer, which ends with this value.
    pub async fn of_an_issuer() -> Result<Self> {
        let issuer = Issuer::start(0).await?;
        say(&format!("issuer at {}", issuer.address));
        Ok(Self::Issuer(Box::new(issuer)))
    }

    /// The function's settings.
    pub fn settings(&self) -> Result<Vec<(&'static str, String)>> {
        match self {
            Self::DevelopmentKey => {
                Ok(vec![("JWKS", jwks()?.to_string()), ("ALLOW_SHARED_SECRETS", "true".to_owned())])
            }
            Self::Issuer(issuer) => Ok(issuer.settings().into()),
        }
    }

    /// A token for the client of the API page.
    pub async fn page_token(&self) -> Result<String> {
        match self {
            Self::DevelopmentKey => signed(PAGE_CLIENT, scopes()),
            Self::Issuer(issuer) => issuer.token(EDITOR, &[READ_SCOPE, WRITE_SCOPE]).await,
        }
    }

    /// A token for the console: the same, but it names somebody, whom the history then shows.
    pub async fn console_token(&self) -> Result<String> {
        match self {
            Self::DevelopmentKey => {
                let mut claims = scopes();
                claims.insert("sub".to_owned(), "developer".into());
                signed(PAGE_CLIENT, claims)
            }
            Self::Issuer(_) => self.page_token().await,
        }
    }

    /// What to try while the function serves on `port`.
    pub fn suggestions(&self, port: u16) -> String {
        match self {
            Self::DevelopmentKey => format!(
                "Send another, for any client:\n\n{}\n\nSee the life of a flow, from another terminal:\n\n  make demo",
                create(port, "$(make -s token CLIENT=client_2)")
            ),
            Self::Issuer(issuer) => {
                let address = &issuer.address;
                format!(
                    "Get a token, and send another:\n\n  \
                     TOKEN=$(curl -s {address}/token -d grant_type=client_credentials -d client_id={EDITOR} \\\n    \
                     -d client_secret={SECRET} -d scope={READ_SCOPE}+{WRITE_SCOPE} | cut -d '\"' -f 4)\n{}\n\n\
                     With client_id={READER} and scope={READ_SCOPE}, the token may only read.\n\
                     Let the issuer sign with new keys:\n\n  curl -X POST {address}/development/rotate",
                    create(port, "$TOKEN")
                )
            }
        }
    }
}

fn create(port: u16, token: &str) -> String {
    format!(
        "  curl -i http://127.0.0.1:{port}/v2/project-flows \\\n    \
         -H \"Authorization: Bearer {token}\" \\\n    \
         -H 'Content-Type: application/json' -d '{{\"project\": \"p1\", \"type\": \"login\", \"name\": \"Mine\",\n    \
         \"configuration\": {{}}, \"steps\": [{{\"stepType\": \"email\", \"order\": 1, \"required\": true}}]}}'"
    )
}

/// The claim that allows everything, where the function asks for scopes: `make run WRITE_SCOPE=flows:write`.
fn scopes() -> Map<String, Value> {
    let settings = ["READ_SCOPE", "WRITE_SCOPE", "RELEASE_SCOPE"];
    let scopes: Vec<_> = settings.into_iter().filter_map(|name| env::var(name).ok()).collect();
    Map::from_iter([("scope".to_owned(), scopes.join(" ").into())])
}

/// A token of the development key for `client`, with further claims, good for a day.
pub fn signed(client: &str, mut claims: Map<String, Value>) -> Result<String> {
    let jwks = jwks()?;
    let key = &jwks["keys"][0];
    let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    let mut header = Header::new(Algorithm::HS256);
    header.kid = key["kid"].as_str().map(str::to_owned);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    claims.insert("clientId".to_owned(), client.into());
    claims.insert("exp".to_owned(), (now + TOKEN_LIFETIME).as_secs().into());
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret)).map_err(|error| error.to_string())
}

fn jwks() -> Result<Value> {
    serde_json::from_str(JWKS).map_err(|error| error.to_string())
}
