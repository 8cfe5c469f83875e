//! Who may call: tokens, good and bad.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use project_flows::caller::{Authenticator, Caller};
use project_flows::error::Error;
use project_flows::flow::Client;
use project_flows::keys::SharedSecrets;
use serde_json::{Value, json};

use crate::support::{Api, CLIENT, JWKS, Request, development_key, now, page_request, signed, token};

fn authenticator(issuer: Option<&str>, audience: Option<&str>) -> Authenticator {
    Authenticator::new(JWKS, issuer, audience, "clientId", SharedSecrets::Allowed).unwrap()
}

/// The authenticator for these keys, none of them a secret.
fn with_keys(keys: &[Value]) -> Result<Authenticator, String> {
    let jwks = json!({ "keys": keys }).to_string();
    Authenticator::new(&jwks, None, None, "clientId", SharedSecrets::Refused)
}

/// A key with other members; those that are null are left out.
fn with(jwk: &Value, changes: Value) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(jwk.as_object_mut().unwrap().remove(name)),
            value => jwk[name] = value.clone(),
        }
    }
    jwk
}

#[track_caller]
fn refuses(authenticator: &Authenticator, authorization: &str, why: &str) {
    let found = authenticator.authenticate(Some(authorization));
    assert!(matches!(found, Err(Error::InvalidToken(_))), "{why}: {found:?}");
}

fn client(name: &str) -> Result<Caller, Error> {
    Ok(Caller { client: Client::parse(name).unwrap() })
}

/// A token of these parts, signed as HS256 with the development key.
fn raw_token(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &development_key(), Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256","kid":"development"}"#;

fn claims() -> String {
    json!({ "clientId": CLIENT, "exp": now() + 60 }).to_string()
}

#[tokio::test]
async fn a_request_without_token_is_challenged() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request()).without("authorization")).await;

    answer.expect(401, "MISSING_TOKEN");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_bad_token_is_refused_before_anything_else_is_looked_at() {
    let api = Api::start().await;
    let mut request = Request::create("not even JSON").header("authorization", "Bearer nonsense").query("%zz");
    request.path = "/nowhere".to_owned();

    let answer = api.send(&request).await;

    answer.expect(401, "INVALID_TOKEN");
    assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(answer.text, r#"{"error":"Invalid token","message":"INVALID_TOKEN"}"#);
}

#[test]
fn a_token_of_the_development_key_names_its_client() {
    let authenticator = authenticator(None, None);
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let found = authenticator.authenticate(Some(&format!("{scheme} {}", token("client_1"))));
        assert_eq!(found, client("client_1"), "{scheme}");
    }
    assert_eq!(authenticator.authenticate(None), Err(Error::MissingToken));
    assert_eq!(authenticator.authenticate(Some(&format!("Bearer {}", raw_token(HEADER, &claims())))), client(CLIENT));
}

#[test]
fn what_is_not_a_bearer_token_is_refused() {
    let authenticator = authenticator(None, None);
    let token = token(CLIENT);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let stranger = EncodingKey::from_secret(b"another secret, of more than thirty-two bytes");
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("development".to_owned());
    let claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
    let rows = [
        (String::new(), "nothing"),
        ("Bearer".to_owned(), "no token"),
        ("Bearer ".to_owned(), "an empty token"),
        (token.clone(), "no scheme"),
        (format!("Basic {token}"), "another scheme"),
        (format!("Bearer {token}, Bearer {token}"), "two tokens"),
        (format!("Bearer {token}x"), "a changed signature"),
        (format!("Bearer {message}."), "no signature"),
        (format!("Bearer {message}"), "two parts"),
        (format!("Bearer {token}.x"), "four parts"),
        (format!("Bearer x{message}.{signature}"), "a changed header"),
        (format!("Bearer \u{0}{token}"), "a NUL"),
        (format!("Bearer {}", "x".repeat(64 * 1024)), "64 KiB of nothing"),
        (format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &stranger).unwrap()), "a stranger's key"),
    ];
    for (authorization, why) in rows {
        refuses(&authenticator, &authorization, why);
    }
}

#[test]
fn a_header_that_says_anything_but_a_known_key_is_refused() {
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
        refuses(&authenticator, &format!("Bearer {}", raw_token(header, &claims())), why);
    }
    let without_kid = raw_token(r#"{"alg":"HS256"}"#, &claims());
    assert_eq!(authenticator.authenticate(Some(&format!("Bearer {without_kid}"))), client(CLIENT), "the only key");
}

#[test]
fn a_token_is_good_from_nbf_to_exp_with_thirty_seconds_for_the_clocks() {
    let authenticator = authenticator(None, None);
    // A few seconds beside the bounds, for a machine that is busy between making and checking.
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
    for (claims, good, why) in rows {
        let authorization = format!("Bearer {}", signed(&claims));
        if good {
            assert_eq!(authenticator.authenticate(Some(&authorization)), client(CLIENT), "{why}");
        } else {
            refuses(&authenticator, &authorization, why);
        }
    }
}

#[test]
fn a_claim_that_names_no_client_is_refused() {
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
        refuses(&authenticator, &format!("Bearer {}", signed(&claims)), why);
    }
    refuses(&authenticator, &format!("Bearer {}", signed(&json!({ "exp": now() + 60 }))), "no claim");
    let twice = format!(r#"{{"clientId":"client_1","exp":{},"clientId":"client_2"}}"#, now() + 60);
    refuses(&authenticator, &format!("Bearer {}", raw_token(HEADER, &twice)), "the claim twice");
    let longest = "c".repeat(128);
    assert_eq!(authenticator.authenticate(Some(&format!("Bearer {}", token(&longest)))), client(&longest));
}

#[test]
fn issuer_and_audience_are_checked_where_they_are_set() {
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
    for (mut claims, good, why) in rows {
        claims["clientId"] = json!(CLIENT);
        claims["exp"] = json!(now() + 60);
        let authorization = format!("Bearer {}", signed(&claims));
        if good {
            assert_eq!(strict.authenticate(Some(&authorization)), client(CLIENT), "{why}");
        } else {
            refuses(&strict, &authorization, why);
        }
        assert_eq!(open.authenticate(Some(&authorization)), client(CLIENT), "not set, not checked: {why}");
    }
}

#[test]
fn the_client_claim_can_have_another_name() {
    let authenticator = Authenticator::new(JWKS, None, None, "custom:client", SharedSecrets::Allowed).unwrap();
    let other = signed(&json!({ "custom:client": "client_1", "clientId": "client_2", "exp": now() + 60 }));
    assert_eq!(authenticator.authenticate(Some(&format!("Bearer {other}"))), client("client_1"));
    refuses(&authenticator, &format!("Bearer {}", token(CLIENT)), "the claim of the other name");
}

/// A key pair, as the key that signs and the JSON Web Key that verifies.
fn key_pair(algorithm: Algorithm) -> (EncodingKey, Value) {
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

#[test]
fn keys_of_every_kind_verify_their_own_tokens_and_no_others() {
    let algorithms =
        [Algorithm::RS256, Algorithm::RS512, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    let pairs: Vec<_> = algorithms
        .into_iter()
        .map(|algorithm| {
            let (key, mut jwk) = key_pair(algorithm);
            jwk["kid"] = json!(format!("{algorithm:?}"));
            (algorithm, key, jwk)
        })
        .collect();
    let authenticator = with_keys(&pairs.iter().map(|(_, _, jwk)| jwk.clone()).collect::<Vec<_>>()).unwrap();
    let claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
    for (algorithm, key, _) in &pairs {
        for kid in algorithms {
            let mut header = Header::new(*algorithm);
            header.kid = Some(format!("{kid:?}"));
            let authorization = format!("Bearer {}", jsonwebtoken::encode(&header, &claims, key).unwrap());
            if *algorithm == kid {
                assert_eq!(authenticator.authenticate(Some(&authorization)), client(CLIENT), "{kid:?}");
            } else {
                refuses(&authenticator, &authorization, &format!("{algorithm:?} as {kid:?}"));
            }
        }
        let header = Header::new(*algorithm);
        let authorization = format!("Bearer {}", jsonwebtoken::encode(&header, &claims, key).unwrap());
        refuses(&authenticator, &authorization, "no kid, and more than one key");
    }
}

#[test]
fn hs256_signed_with_a_public_key_is_refused() {
    let (_, jwk) = key_pair(Algorithm::RS256);
    let authenticator = with_keys(std::slice::from_ref(&jwk)).unwrap();
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        jwk.to_string().into_bytes(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
    ];
    for secret in secrets {
        let claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
        let header = Header::new(Algorithm::HS256);
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret)).unwrap();
        refuses(&authenticator, &format!("Bearer {token}"), "the public key as a secret");
    }
}

#[test]
fn a_key_without_alg_takes_that_of_its_type_and_curve() {
    let claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        let (key, jwk) = key_pair(algorithm);
        // As null too, as some issuers write what is not there.
        let null = json!({ "alg": null, "use": null, "key_ops": null, "kid": null, "d": null });
        let mut written_out = jwk.clone();
        written_out.as_object_mut().unwrap().extend(null.as_object().unwrap().clone());
        for jwk in [with(&jwk, json!({ "alg": null })), written_out] {
            let authenticator = with_keys(&[jwk]).unwrap();
            let token = |algorithm| jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap();
            let found = authenticator.authenticate(Some(&format!("Bearer {}", token(algorithm))));
            assert_eq!(found, client(CLIENT), "{algorithm:?}");
            if algorithm == Algorithm::RS256 {
                for other in [Algorithm::RS512, Algorithm::PS256] {
                    refuses(&authenticator, &format!("Bearer {}", token(other)), "another algorithm of the same key");
                }
            }
        }
    }
}

#[test]
fn keys_that_are_not_for_tokens_are_left_out_with_the_reason() {
    let (key, ec) = key_pair(Algorithm::ES256);
    let (_, rsa) = key_pair(Algorithm::RS256);
    let (_, ed) = key_pair(Algorithm::EdDSA);
    let rows = [
        (json!({ "kty": "foo" }), r#""kty" is "foo""#),
        (json!({ "kty": "foo", "d": "AQAB", "n": 5 }), r#""kty" is "foo""#),
        (json!({ "kty": "x".repeat(64) }), &format!(r#""kty" is "{}" and 24 more characters"#, "x".repeat(40))),
        (with(&rsa, json!({ "use": "enc" })), r#""use" is "enc""#),
        (with(&rsa, json!({ "use": "" })), r#""use" is """#),
        (with(&rsa, json!({ "use": "enc", "n": "AQAB" })), r#""use" is "enc""#),
        (json!({ "kty": "oct", "use": "enc", "k": "c2VjcmV0" }), r#""use" is "enc""#),
        (json!({ "kty": "oct", "alg": "A256GCM", "k": "c2VjcmV0" }), r#""alg" is "A256GCM""#),
        (with(&rsa, json!({ "key_ops": ["encrypt", "wrapKey"] })), r#""key_ops" has no "verify""#),
        (with(&rsa, json!({ "key_ops": [] })), r#""key_ops" has no "verify""#),
        (with(&rsa, json!({ "alg": "RSA-OAEP" })), r#""alg" is "RSA-OAEP""#),
        (with(&rsa, json!({ "alg": "ES512" })), r#""alg" is "ES512""#),
        (with(&rsa, json!({ "alg": "none" })), r#""alg" is "none""#),
        (json!({ "kty": "EC", "crv": "P-521", "alg": "ES512", "x": "AQAB", "y": "AQAB" }), r#""crv" is "P-521""#),
        (json!({ "kty": "EC", "crv": "secp256k1", "x": "AQAB", "y": "AQAB" }), r#""crv" is "secp256k1""#),
        (with(&ec, json!({ "crv": "Ed25519" })), r#""crv" is "Ed25519""#),
        (with(&ed, json!({ "crv": "X25519" })), r#""crv" is "X25519""#),
        (with(&ed, json!({ "crv": "P-256" })), r#""crv" is "P-256""#),
    ];
    let claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
    let authorization =
        format!("Bearer {}", jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap());
    for (jwk, why) in rows {
        // Of two keys of the same name, one that is left out is none.
        let named = with(&jwk, json!({ "kid": "a" }));
        let authenticator = with_keys(&[jwk.clone(), with(&ec, json!({ "kid": "a" })), named]).unwrap();
        let expected = [format!("keys[0]: left out, {why}"), format!("keys[2]: left out, {why} (\"kid\" \"a\")")];
        assert_eq!(authenticator.keys().left_out(), expected);
        assert_eq!(authenticator.authenticate(Some(&authorization)), client(CLIENT), "the only key: {why}");

        let [first, _] = expected;
        let error = with_keys(&[jwk]).unwrap_err();
        assert_eq!(error, format!("expected at least one key that verifies signatures, found none; {first}"));
    }
    assert!(authenticator(None, None).keys().left_out().is_empty());
}

#[test]
fn a_set_of_keys_that_cannot_be_used_is_refused_in_a_sentence() {
    let (_, rsa) = key_pair(Algorithm::RS256);
    let (_, ec) = key_pair(Algorithm::ES256);
    let (_, ed) = key_pair(Algorithm::EdDSA);
    let secret = |bytes: usize| URL_SAFE_NO_PAD.encode("x".repeat(bytes));
    let rows = [
        (json!(5), "expected a JWK Set"),
        (json!({}), "expected a JWK Set"),
        (json!({ "keys": 5 }), "expected a JWK Set"),
        (json!({ "keys": [] }), "expected at least one key that verifies signatures, found none"),
        (json!({ "keys": [5] }), "keys[0]: expected a JSON object, found a number"),
        (json!({ "keys": [{}] }), "keys[0]: expected a \"kty\", found none"),
        (json!({ "keys": [with(&rsa, json!({ "kty": 5 }))] }), "keys[0]: kty: expected a string"),
        (json!({ "keys": [with(&rsa, json!({ "kid": 5 }))] }), "keys[0]: kid: expected a string"),
        (json!({ "keys": [with(&rsa, json!({ "use": ["sig"] }))] }), "keys[0]: use: expected a string"),
        (json!({ "keys": [with(&rsa, json!({ "key_ops": "verify" }))] }), "keys[0]: key_ops: expected an array"),
        (json!({ "keys": [with(&rsa, json!({ "alg": 256 }))] }), "keys[0]: alg: expected a string"),
        (json!({ "keys": [with(&rsa, json!({ "alg": "HS256" }))] }), "keys[0]: expected key material for HS256"),
        (json!({ "keys": [with(&rsa, json!({ "n": null }))] }), "keys[0]: expected a \"n\", found none"),
        (json!({ "keys": [with(&rsa, json!({ "n": "AQAB" }))] }), "keys[0]: expected key material for RS256"),
        (json!({ "keys": [with(&rsa, json!({ "n": "???" }))] }), "keys[0]: n: expected base64url"),
        (json!({ "keys": [with(&rsa, json!({ "d": "AQAB" }))] }), "keys[0]: expected a public or symmetric key"),
        (json!({ "keys": [with(&ec, json!({ "crv": null }))] }), "keys[0]: expected a \"crv\", found none"),
        (json!({ "keys": [with(&ec, json!({ "y": 5 }))] }), "keys[0]: y: expected a string"),
        (json!({ "keys": [with(&ec, json!({ "alg": "ES384" }))] }), "keys[0]: expected key material for ES384"),
        (json!({ "keys": [with(&ec, json!({ "x": ec["y"] }))] }), "keys[0]: expected key material for ES256"),
        (
            json!({ "keys": [with(&ec, json!({ "alg": null, "crv": "P-384" }))] }),
            "keys[0]: expected key material for ES384",
        ),
        (json!({ "keys": [with(&ed, json!({ "x": "AQAB" }))] }), "keys[0]: expected key material for EdDSA"),
        (json!({ "keys": [with(&ed, json!({ "alg": "ES256" }))] }), "keys[0]: expected key material for ES256"),
        (json!({ "keys": [{ "kty": "oct", "k": secret(32) }] }), "keys[0]: expected an \"alg\", found none"),
        (
            json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": "p4ss" }] }),
            "keys[0]: expected key material for HS256",
        ),
        (json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": "p?ss" }] }), "keys[0]: k: expected base64url"),
        (
            json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": secret(31) }] }),
            "keys[0]: expected key material for HS256",
        ),
        (
            json!({ "keys": [{ "kty": "oct", "alg": "HS384", "k": secret(47) }] }),
            "keys[0]: expected key material for HS384",
        ),
        (
            json!({ "keys": [{ "kty": "oct", "alg": "HS512", "k": secret(63) }] }),
            "keys[0]: expected key material for HS512",
        ),
        (json!({ "keys": [ec, ec] }), "keys[1]: expected a \"kid\" of its own"),
        (json!({ "keys": [{ "kty": "foo" }, ec, rsa] }), "keys[2]: expected a \"kid\" of its own"),
    ];
    let new = |jwks: &Value| Authenticator::new(&jwks.to_string(), None, None, "clientId", SharedSecrets::Allowed);
    for (jwks, sentence) in rows {
        let error = new(&jwks).unwrap_err();
        assert!(error.starts_with(sentence), "expected {sentence}, found {error}");
        let secrets = [&json!("p4ss"), &json!(secret(31)), &rsa["n"], &ec["x"], &ed["x"]];
        for material in secrets {
            assert!(!error.contains(material.as_str().unwrap()), "{error}");
        }
    }
    for (algorithm, bytes) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let jwks = json!({ "keys": [{ "kty": "oct", "alg": algorithm, "k": secret(bytes) }] });
        new(&jwks).unwrap();
        let refused = with_keys(jwks["keys"].as_array().unwrap()).unwrap_err();
        assert!(refused.starts_with("keys[0]: expected a public key, found a secret"), "{refused}");
        assert!(refused.contains("ALLOW_SHARED_SECRETS=true") && !refused.contains(&secret(bytes)), "{refused}");
    }
    for fits in [json!({ "use": "sig" }), json!({ "key_ops": ["verify"] }), json!({ "key_ops": ["sign", "verify"] })] {
        with_keys(&[with(&ec, fits)]).unwrap();
    }
}

#[test]
fn the_secret_of_a_key_is_not_shown_by_debug() {
    let shown = format!("{:?}", authenticator(None, None));
    assert!(!shown.contains("dGhpcyBrZXk") && !shown.contains("this key is public"), "{shown}");
}
