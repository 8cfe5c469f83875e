//! An issuer of tokens that behaves as it is told: it publishes a set of keys, or fails to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::get;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{CLIENT, development_key, key_pair, now};

/// What the issuer answers to a request for its keys.
#[derive(Debug, Clone)]
pub struct Published {
    pub status: u16,
    pub body: String,
    pub delay: Duration,
    /// Where a redirect leads.
    pub location: String,
    /// The only media type that it serves.
    pub media_type: &'static str,
}

impl Published {
    /// A set of keys.
    pub fn set(keys: &[&Value]) -> Self {
        Self::text(&json!({ "keys": keys }).to_string())
    }

    pub fn text(body: &str) -> Self {
        let (body, location, media_type) = (body.to_owned(), String::new(), "application/json");
        Self { status: 200, body, delay: Duration::ZERO, location, media_type }
    }
}

pub struct Issuer {
    /// Where its keys are.
    pub url: String,
    published: Arc<Mutex<Published>>,
    requests: Arc<AtomicU32>,
}

impl Issuer {
    pub async fn start(published: Published) -> Self {
        let (published, requests) = (Arc::new(Mutex::new(published)), Arc::new(AtomicU32::new(0)));
        let routes =
            Router::new().route("/keys", get(keys)).with_state((Arc::clone(&published), Arc::clone(&requests)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, published, requests }
    }

    pub fn publish(&self, published: Published) {
        *self.published.lock().unwrap() = published;
    }

    /// How often it was asked for its keys.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn keys(
    State((published, requests)): State<(Arc<Mutex<Published>>, Arc<AtomicU32>)>,
    headers: HeaderMap,
) -> Response<Body> {
    requests.fetch_add(1, Ordering::SeqCst);
    let Published { status, body, delay, location, media_type } = published.lock().unwrap().clone();
    tokio::time::sleep(delay).await;
    let mut accepted = headers["accept"].to_str().unwrap().split(", ");
    let (status, body) = if accepted.any(|one| one == media_type) { (status, body) } else { (406, String::new()) };
    Response::builder().status(status).header("location", location).body(Body::from(body)).unwrap()
}

/// A key of an issuer.
pub struct Signer {
    pub key: EncodingKey,
    pub algorithm: Algorithm,
    pub kid: String,
    /// The JSON Web Key that verifies its tokens.
    pub jwk: Value,
}

impl Signer {
    /// A new key for ES256.
    pub fn new(kid: &str) -> Self {
        let (key, mut jwk) = key_pair(Algorithm::ES256);
        jwk["kid"] = json!(kid);
        Self { key, algorithm: Algorithm::ES256, kid: kid.to_owned(), jwk }
    }

    /// The development key.
    pub fn development() -> Self {
        let (kid, jwk) = ("development".to_owned(), Value::Null);
        Self { key: development_key(), algorithm: Algorithm::HS256, kid, jwk }
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    /// The `Authorization` of [`CLIENT`], good for an hour.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.sign(&json!({ "clientId": CLIENT, "exp": now() + 3_600, "iss": ISSUER })))
    }
}

/// The name of the issuer.
pub const ISSUER: &str = "https://issuer.example";
