//! Tokens that the function accepts: their key is the development key.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
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

/// A key pair: the key that signs, and the JSON Web Key that verifies.
pub fn key_pair(algorithm: Algorithm) -> (EncodingKey, Value) {
    use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair};

    let random = aws_lc_rs::rand::SystemRandom::new();
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap().as_ref(),
        ),
        Algorithm::ES384 => EncodingKey::from_ec_der(
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap().as_ref(),
        ),
        Algorithm::EdDSA => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
        _ => {
            let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
            // PKCS #8 (RFC 5958, 2) around the PKCS #1 that the key is read from.
            EncodingKey::from_rsa_der(&der.as_ref()[26..])
        }
    };
    let jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
    (key, serde_json::to_value(jwk).unwrap())
}
