//! Who may call: valid and invalid tokens, and in `keys.rs` the keys that verify them.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use project_flows::caller::{Authenticator, Caller};
use project_flows::error::Error;
use project_flows::flow::Client;
use project_flows::keys::SharedSecrets;
use serde_json::{Value, json};

use crate::support::{Api, CLIENT, JWKS, Request, bearer, development_key, now, page_request, signed};

fn authenticator(issuer: Option<&str>, audience: Option<&str>) -> Authenticator {
    Authenticator::new(JWKS, issuer, audience, "clientId", SharedSecrets::Allowed).unwrap()
}

#[track_caller]
fn expect_accepted(authenticator: &Authenticator, authorization: &str, client: &str, why: &str) {
    let expected = Caller { client: Client::parse(client).unwrap() };
    assert_eq!(authenticator.authenticate(Some(authorization)), Ok(expected), "{why}");
}

#[track_caller]
fn expect_refused(authenticator: &Authenticator, authorization: &str, why: &str) {
    let found = authenticator.authenticate(Some(authorization));
    assert!(matches!(found, Err(Error::InvalidToken(_))), "{why}: {found:?}");
}

/// Valid claims.
fn claims() -> Value {
    json!({ "clientId": CLIENT, "exp": now() + 60 })
}

/// An `Authorization` with valid claims.
fn signed_by(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    format!("Bearer {}", jsonwebtoken::encode(&header, &claims(), key).unwrap())
}

/// An `Authorization` with these texts as header and claims, signed as HS256 with the development key.
fn signed_texts(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &development_key(), Algorithm::HS256).unwrap();
    format!("Bearer {message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256","kid":"development"}"#;

#[tokio::test]
async fn a_request_without_a_token_is_told_to_send_one() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request()).without("authorization")).await;

    answer.expect(401, "MISSING_TOKEN");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn an_invalid_token_is_refused_before_anything_else_is_judged() {
    let api = Api::start().await;
    let mut request = Request::create("not even JSON").header("authorization", "Bearer nonsense").query("%zz");
    request.path = "/nowhere".to_owned();

    let answer = api.send(&request).await;

    answer.expect(401, "INVALID_TOKEN");
    assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(answer.text, r#"{"error":"Invalid token","message":"INVALID_TOKEN"}"#);
}

#[test]
fn a_valid_token_names_its_client() {
    let authenticator = authenticator(None, None);
    let authorization = bearer("client_1");
    let token = authorization.strip_prefix("Bearer ").unwrap();
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        expect_accepted(&authenticator, &format!("{scheme} {token}"), "client_1", scheme);
    }
    assert_eq!(authenticator.authenticate(None), Err(Error::MissingToken));
    expect_accepted(&authenticator, &signed_texts(HEADER, &claims().to_string()), CLIENT, "header and claims as texts");
}

#[test]
fn a_malformed_authorization_or_a_wrong_signature_is_refused() {
    let authenticator = authenticator(None, None);
    let authorization = bearer(CLIENT);
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let stranger = EncodingKey::from_secret(b"another secret, of more than thirty-two bytes");
    let rows = [
        (String::new(), "nothing"),
        ("Bearer".to_owned(), "no token"),
        ("Bearer ".to_owned(), "an empty token"),
        (token.to_owned(), "no scheme"),
        (format!("Basic {token}"), "another scheme"),
        (format!("Bearer {token}, Bearer {token}"), "two tokens"),
        (format!("Bearer {token}x"), "a changed signature"),
        (format!("Bearer {message}."), "no signature"),
        (format!("Bearer {message}"), "two parts"),
        (format!("Bearer {token}.x"), "four parts"),
        (format!("Bearer x{message}.{signature}"), "a changed header"),
        (format!("Bearer \u{0}{token}"), "a NUL"),
        (format!("Bearer {}", "x".repeat(64 * 1024)), "64 KiB of nothing"),
        (signed_by(&stranger, Algorithm::HS256, Some("development")), "a stranger's key"),
    ];
    for (authorization, why) in rows {
        expect_refused(&authenticator, &authorization, why);
    }
}

#[test]
fn a_token_whose_header_does_not_fit_a_known_key_is_refused() {
    let authenticator = authenticator(None, None);
    let headers = [
        (r#"{"alg":"none","kid":"development"}"#, "no algorithm"),
        (r#"{"alg":"NONE","kid":"development"}"#, "no algorithm, loud"),
        (r#"{"alg":"HS384","kid":"development"}"#, "another algorithm than the key's"),
        (r#"{"alg":"RS256","kid":"development"}"#, "another family than the key's"),
        (r#"{"kid":"development"}"#, "no alg"),
        (r#"{"alg":"HS256","kid":"other"}"#, "an unknown key"),
        (r#"{"alg":"HS256","kid":""}"#, "an empty kid"),
        (r#"{"alg":"HS256","kid":null}"#, "a kid that is null"),
        (r#"{"alg":"HS256","kid":["development"]}"#, "a kid that is no string"),
        (r#"{"alg":"HS256","kid":"development","crit":["exp"]}"#, "crit"),
        (r#"{"alg":"HS256","kid":"development","crit":[]}"#, "an empty crit"),
        (r#"{"alg":"HS256","kid":"development","crit":null}"#, "a crit that is null"),
        (r#"{"alg":"HS256","kid":"development","b64":false,"crit":["b64"]}"#, "an unencoded payload"),
        (r#"{"alg":"HS256","kid":"other","kid":"development"}"#, "a member twice"),
        ("[]", "no object"),
        ("{", "no JSON"),
    ];
    for (header, why) in headers {
        expect_refused(&authenticator, &signed_texts(header, &claims().to_string()), why);
    }
    let without_kid = signed_texts(r#"{"alg":"HS256"}"#, &claims().to_string());
    expect_accepted(&authenticator, &without_kid, CLIENT, "no kid, and only one key");
}

#[test]
fn a_token_is_valid_from_nbf_to_exp_give_or_take_thirty_seconds() {
    let authenticator = authenticator(None, None);
    // Some seconds away from the bounds, because a busy machine checks a token late.
    let rows = [
        (json!({ "clientId": CLIENT, "exp": now() - 20 }), true, "just expired"),
        (json!({ "clientId": CLIENT, "exp": now() - 31 }), false, "expired"),
        (json!({ "clientId": CLIENT, "exp": now() + 60, "nbf": now() + 20 }), true, "nearly valid"),
        (json!({ "clientId": CLIENT, "exp": now() + 60, "nbf": now() + 40 }), false, "not yet valid"),
        (json!({ "clientId": CLIENT, "exp": now() + 60, "nbf": "soon" }), false, "nbf is no number"),
        (json!({ "clientId": CLIENT }), false, "no exp"),
        (json!({ "clientId": CLIENT, "exp": null }), false, "exp is null"),
        (json!({ "clientId": CLIENT, "exp": "4102444800" }), false, "exp is a string"),
        (json!({ "clientId": CLIENT, "exp": -1 }), false, "exp is negative"),
    ];
    for (claims, valid, why) in rows {
        let authorization = format!("Bearer {}", signed(&claims));
        if valid {
            expect_accepted(&authenticator, &authorization, CLIENT, why);
        } else {
            expect_refused(&authenticator, &authorization, why);
        }
    }
}

#[test]
fn a_token_without_a_usable_client_is_refused() {
    let authenticator = authenticator(None, None);
    let clients = [
        (Value::Null, "null"),
        (json!(""), "empty"),
        (json!(" "), "a space"),
        (json!("client 1"), "a space inside"),
        (json!("client\u{0}"), "a NUL"),
        (json!("cliënt"), "not ASCII"),
        (json!("c".repeat(129)), "too long"),
        (json!(17), "a number"),
        (json!(["client_1"]), "an array"),
        (json!({ "id": "client_1" }), "an object"),
    ];
    for (client, why) in clients {
        let claims = json!({ "clientId": client, "exp": now() + 60 });
        expect_refused(&authenticator, &format!("Bearer {}", signed(&claims)), why);
    }
    expect_refused(&authenticator, &format!("Bearer {}", signed(&json!({ "exp": now() + 60 }))), "no claim");
    let twice = format!(r#"{{"clientId":"client_1","exp":{},"clientId":"client_2"}}"#, now() + 60);
    expect_refused(&authenticator, &signed_texts(HEADER, &twice), "the claim twice");
    let longest = "c".repeat(128);
    expect_accepted(&authenticator, &bearer(&longest), &longest, "as long as it may be");
}

#[test]
fn issuer_and_audience_are_checked_if_the_settings_name_them() {
    let strict = authenticator(Some("https://issuer.example"), Some("flows"));
    let rows = [
        (json!({ "iss": "https://issuer.example", "aud": "flows" }), true, "both right"),
        (json!({ "iss": "https://issuer.example", "aud": ["other", "flows"] }), true, "one of two audiences"),
        (json!({ "iss": "https://other.example", "aud": "flows" }), false, "another issuer"),
        (json!({ "iss": "https://issuer.example", "aud": "other" }), false, "another audience"),
        (json!({ "iss": "https://issuer.example", "aud": [] }), false, "no audience at all"),
        (json!({ "iss": "https://issuer.example" }), false, "no audience"),
        (json!({ "aud": "flows" }), false, "no issuer"),
        (json!({ "iss": 5, "aud": "flows" }), false, "an issuer that is no string"),
    ];
    let open = authenticator(None, None);
    for (mut claims, valid, why) in rows {
        claims["clientId"] = json!(CLIENT);
        claims["exp"] = json!(now() + 60);
        let authorization = format!("Bearer {}", signed(&claims));
        if valid {
            expect_accepted(&strict, &authorization, CLIENT, why);
        } else {
            expect_refused(&strict, &authorization, why);
        }
        expect_accepted(&open, &authorization, CLIENT, why);
    }
}

#[test]
fn a_setting_names_the_claim_that_holds_the_client() {
    let authenticator = Authenticator::new(JWKS, None, None, "custom:client", SharedSecrets::Allowed).unwrap();
    let other = signed(&json!({ "custom:client": "client_1", "clientId": "client_2", "exp": now() + 60 }));
    expect_accepted(&authenticator, &format!("Bearer {other}"), "client_1", "the claim of the setting");
    expect_refused(&authenticator, &bearer(CLIENT), "only the claim of the default");
}
