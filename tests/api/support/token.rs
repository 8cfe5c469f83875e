//! Tokens that the function accepts: their key is the development key.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The development key, which also verifies the tokens of `events/`.
pub const JWKS: &str = include_str!("../../../tools/jwks.json");

/// The client of the tokens of `events/`.
pub const CLIENT: &str = "client_123456789";

/// The seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// The `Authorization` of `client`, good for an hour.
pub fn bearer(client: &str) -> String {
    format!("Bearer {}", signed(&json!({ "clientId": client, "exp": now() + 3_600 })))
}

/// A token with these claims, signed with the development key.
pub fn signed(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("development".to_owned());
    jsonwebtoken::encode(&header, claims, &development_key()).unwrap()
}

pub fn development_key() -> EncodingKey {
    let jwks: Value = serde_json::from_str(JWKS).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["k"].as_str().unwrap());
    EncodingKey::from_secret(&secret.unwrap())
}
