//! The keys that verify tokens: which are used, which are left out, and which sets are refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use project_flows::caller::{Authenticator, Claims, Source};
use project_flows::keys::{Keys, Origin, SharedSecrets};
use serde_json::{Value, json};

use super::{expect_accepted, expect_refused, signed_by};
use crate::support::{CLIENT, JWKS, key_pair};

/// These keys, of which none may be a shared secret.
fn parse(keys: &[Value]) -> Result<Keys, String> {
    Keys::parse(&json!({ "keys": keys }).to_string(), Origin::Setting(SharedSecrets::Refused), None, None)
}

/// An authenticator with these keys.
fn with_keys(keys: &[Value]) -> Authenticator {
    Authenticator::new(Source::Given(parse(keys).unwrap()), Claims::default())
}

/// A key with some members changed. Null removes a member.
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

#[tokio::test]
async fn a_key_of_each_algorithm_verifies_its_own_tokens_and_no_others() {
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
    let authenticator = with_keys(&pairs.iter().map(|(_, _, jwk)| jwk.clone()).collect::<Vec<_>>());
    for (algorithm, key, _) in &pairs {
        for kid in algorithms {
            let authorization = signed_by(key, *algorithm, Some(&format!("{kid:?}")));
            if *algorithm == kid {
                expect_accepted(&authenticator, &authorization, CLIENT, &format!("{kid:?}")).await;
            } else {
                expect_refused(&authenticator, &authorization, &format!("{algorithm:?} as {kid:?}")).await;
            }
        }
        expect_refused(&authenticator, &signed_by(key, *algorithm, None), "no kid, and more than one key").await;
    }
}

#[tokio::test]
async fn a_public_key_is_not_accepted_as_the_secret_of_hs256() {
    let (_, jwk) = key_pair(Algorithm::RS256);
    let authenticator = with_keys(std::slice::from_ref(&jwk));
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        jwk.to_string().into_bytes(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
    ];
    for secret in secrets {
        let authorization = signed_by(&EncodingKey::from_secret(&secret), Algorithm::HS256, None);
        expect_refused(&authenticator, &authorization, "the public key as a secret").await;
    }
}

#[tokio::test]
async fn a_key_without_alg_has_the_algorithm_of_its_type_and_curve() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        let (key, jwk) = key_pair(algorithm);
        // Some issuers write null for an absent member.
        let null = json!({ "alg": null, "use": null, "key_ops": null, "kid": null, "d": null });
        let mut written_out = jwk.clone();
        written_out.as_object_mut().unwrap().extend(null.as_object().unwrap().clone());
        for jwk in [with(&jwk, json!({ "alg": null })), written_out] {
            let authenticator = with_keys(&[jwk]);
            let authorization = signed_by(&key, algorithm, None);
            expect_accepted(&authenticator, &authorization, CLIENT, &format!("{algorithm:?}")).await;
            if algorithm == Algorithm::RS256 {
                for other in [Algorithm::RS512, Algorithm::PS256] {
                    let authorization = signed_by(&key, other, None);
                    expect_refused(&authenticator, &authorization, "another algorithm of the same key").await;
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_for_other_purposes_are_left_out_and_the_reason_is_given() {
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
    let authorization = signed_by(&key, Algorithm::ES256, None);
    for (jwk, why) in rows {
        // A key that is left out does not count. The same "kid" is no conflict, and a token needs none.
        let named = with(&jwk, json!({ "kid": "a" }));
        let keys = [jwk.clone(), with(&ec, json!({ "kid": "a" })), named];
        let expected = [format!("keys[0]: left out, {why}"), format!("keys[2]: left out, {why} (\"kid\" \"a\")")];
        assert_eq!(parse(&keys).unwrap().left_out(), expected);
        expect_accepted(&with_keys(&keys), &authorization, CLIENT, why).await;

        let [first, _] = expected;
        let error = parse(&[jwk]).unwrap_err();
        assert_eq!(error, format!("expected at least one key that verifies signatures, found none; {first}"));
    }
    assert!(parse(&[ec]).unwrap().left_out().is_empty());
}

#[tokio::test]
async fn an_unusable_set_of_keys_is_refused_in_a_sentence_that_shows_no_key() {
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
        (
            json!({ "keys": [with(&rsa, json!({ "d": "AQAB" }))] }),
            "keys[0]: expected a public key, found a private one",
        ),
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
    let allowed = Origin::Setting(SharedSecrets::Allowed);
    let new = |jwks: &Value| Keys::parse(&jwks.to_string(), allowed, None, None);
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
        let refused = parse(jwks["keys"].as_array().unwrap()).unwrap_err();
        assert!(refused.starts_with("keys[0]: expected a public key, found a secret"), "{refused}");
        assert!(refused.contains("ALLOW_SHARED_SECRETS=true") && !refused.contains(&secret(bytes)), "{refused}");
    }
    for fits in [json!({ "use": "sig" }), json!({ "key_ops": ["verify"] }), json!({ "key_ops": ["sign", "verify"] })] {
        parse(&[with(&ec, fits)]).unwrap();
    }
}

#[tokio::test]
async fn debug_does_not_show_the_secret_of_a_key() {
    let shown = format!("{:?}", Keys::parse(JWKS, Origin::Setting(SharedSecrets::Allowed), None, None).unwrap());
    assert!(!shown.contains("dGhpcyBrZXk") && !shown.contains("this key is public"), "{shown}");
}
