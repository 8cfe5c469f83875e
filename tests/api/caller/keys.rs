//! The keys that verify tokens: which are used, which are left out, and which sets are refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use project_flows::caller::{Authenticator, Claims, Source};
use project_flows::keys::{Keys, Origin, SharedSecrets};
use serde_json::{Value, json};

use super::{expect_accepted, expect_refused, signed_by};
use crate::support::{CLIENT, JWKS, key_pair};

const SETTING: Origin = Origin::Setting(SharedSecrets::Refused);

fn parse(keys: &[Value], origin: Origin) -> Result<Keys, Vec<String>> {
    Keys::parse(&json!({ "keys": keys }).to_string(), origin, None, None)
}

/// An authenticator with these keys.
fn with_keys(keys: &[Value], origin: Origin) -> Authenticator {
    Authenticator::new(Source::Given(parse(keys, origin).unwrap()), Claims::default())
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
    let authenticator = with_keys(&pairs.iter().map(|(_, _, jwk)| jwk.clone()).collect::<Vec<_>>(), SETTING);
    for (algorithm, key, _) in &pairs {
        for kid in algorithms {
            let authorization = signed_by(key, *algorithm, Some(&format!("{kid:?}")));
            if *algorithm == kid {
                expect_accepted(&authenticator, &authorization, CLIENT, &format!("{kid:?}")).await;
            } else {
                expect_refused(&authenticator, &authorization, &format!("{algorithm:?} as {kid:?}")).await;
            }
        }
        let authorization = signed_by(key, *algorithm, None);
        expect_accepted(&authenticator, &authorization, CLIENT, "no kid, and one key that fits").await;
    }
}

#[tokio::test]
async fn a_public_key_is_not_accepted_as_the_secret_of_hs256() {
    let (_, jwk) = key_pair(Algorithm::RS256);
    let authenticator = with_keys(std::slice::from_ref(&jwk), SETTING);
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
            let authenticator = with_keys(&[jwk], SETTING);
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

/// A number in base64url, with a zero octet before it.
fn with_zero(number: &Value) -> String {
    let octets = URL_SAFE_NO_PAD.decode(number.as_str().unwrap()).unwrap();
    URL_SAFE_NO_PAD.encode([&[0], octets.as_slice()].concat())
}

/// Each stops the start as a key of the setting, and is left out of an issuer's set.
#[tokio::test]
async fn an_unusable_key_is_named_with_the_reason_and_takes_no_other_away() {
    let (key, ec) = key_pair(Algorithm::ES256);
    let (_, ec384) = key_pair(Algorithm::ES384);
    let (_, rsa) = key_pair(Algorithm::RS256);
    let (_, ed) = key_pair(Algorithm::EdDSA);
    let x5c = json!({ "kty": "RSA", "use": "sig", "x5c": ["MIIC"], "x5t": "x" });
    let long = format!(r#"kty: expected RSA, EC or OKP, found "{}" and 24 more characters"#, "x".repeat(40));
    let rows = [
        (json!(null), "expected a JSON object, found null"),
        (json!("key"), "expected a JSON object, found a string"),
        (json!([]), "expected a JSON object, found an array"),
        (json!({}), r#"expected a "kty", found none"#),
        (json!({ "kty": 5 }), "kty: expected a string, found something else"),
        (json!({ "kty": "foo", "d": "AQAB", "n": 5 }), r#"kty: expected RSA, EC or OKP, found "foo""#),
        (json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AQAB" }), r#"kty: expected RSA, EC or OKP, found "AKP""#),
        (json!({ "kty": "x".repeat(64) }), &long),
        (with(&rsa, json!({ "use": "enc" })), r#"use: expected sig, found "enc""#),
        (with(&rsa, json!({ "use": "" })), r#"use: expected sig, found """#),
        (with(&rsa, json!({ "use": "SIG" })), r#"use: expected sig, found "SIG""#),
        (with(&rsa, json!({ "use": ["sig"] })), "use: expected a string, found something else"),
        (with(&rsa, json!({ "key_ops": ["encrypt"] })), r#"key_ops: expected "verify" among them, found others"#),
        (with(&rsa, json!({ "key_ops": [] })), r#"key_ops: expected "verify" among them, found others"#),
        (with(&rsa, json!({ "key_ops": "verify" })), "key_ops: expected an array, found something else"),
        (with(&rsa, json!({ "alg": "RSA-OAEP" })), "alg: expected RS256 or RS384 or RS512 or PS256 or PS384 or PS512"),
        (with(&rsa, json!({ "alg": "none" })), "alg: expected RS256 or RS384 or RS512 or PS256 or PS384 or PS512"),
        (with(&rsa, json!({ "alg": "HS256" })), "alg: expected RS256 or RS384 or RS512 or PS256 or PS384 or PS512"),
        (with(&rsa, json!({ "alg": 256 })), "alg: expected a string, found something else"),
        (with(&ec, json!({ "alg": "ES384" })), r#"alg: expected ES256 for this type and curve, found "ES384""#),
        // The point is of the curve of `alg`, but `crv` names another.
        (with(&ec, json!({ "crv": "P-384" })), r#"alg: expected ES384 for this type and curve, found "ES256""#),
        (with(&ec384, json!({ "crv": "P-256" })), r#"alg: expected ES256 for this type and curve, found "ES384""#),
        (with(&ec, json!({ "crv": "P-521", "alg": "ES512" })), r#"crv: expected P-256 or P-384, found "P-521""#),
        (with(&ec, json!({ "crv": "secp256k1" })), r#"crv: expected P-256 or P-384, found "secp256k1""#),
        (with(&ec, json!({ "crv": "Ed25519" })), r#"crv: expected P-256 or P-384, found "Ed25519""#),
        (with(&ec, json!({ "crv": null })), r#"expected a "crv", found none"#),
        (with(&ed, json!({ "crv": "X25519" })), r#"crv: expected Ed25519, found "X25519""#),
        (with(&ed, json!({ "alg": "ES256" })), r#"alg: expected EdDSA for this type and curve, found "ES256""#),
        (with(&rsa, json!({ "n": null })), r#"expected a "n", found none"#),
        (with(&rsa, json!({ "n": "AQAB" })), "n: expected 2048 to 8192 bits, found 17"),
        (with(&rsa, json!({ "n": "" })), "n: expected 2048 to 8192 bits, found 0"),
        (with(&rsa, json!({ "n": "???" })), "n: expected base64url, found something else"),
        (with(&rsa, json!({ "e": "" })), "expected key material for RS256, found other material"),
        (x5c, r#"expected a "n", found none"#),
        (with(&ec, json!({ "y": 5 })), "y: expected a string, found something else"),
        (with(&ec, json!({ "x": ec["y"] })), "expected key material for ES256, found other material"),
        (
            with(&ec384, json!({ "alg": null, "x": ec384["y"] })),
            "expected key material for ES384, found other material",
        ),
        (with(&ed, json!({ "x": "AQAB" })), "expected key material for EdDSA, found other material"),
        (with(&rsa, json!({ "d": "AQAB" })), "expected a public key, found a private one"),
        (with(&ec, json!({ "d": "AQAB" })), "expected a public key, found a private one"),
        (json!({ "kty": "oct", "alg": "HS256", "k": "a".repeat(43) }), "expected a public key, found a secret"),
    ];
    let authorization = signed_by(&key, Algorithm::ES256, Some("a"));
    for (jwk, why) in rows {
        let good = with(&ec, json!({ "kid": "a" }));
        let problems = parse(&[good.clone(), jwk.clone()], SETTING).unwrap_err();
        assert!(matches!(&problems[..], [one] if one.starts_with(&format!("keys[1]: {why}"))), "{why}: {problems:?}");

        let keys = [jwk.clone(), good];
        let fetched = parse(&keys, Origin::Issuer).unwrap();
        assert!(
            matches!(fetched.left_out(), [one] if one.starts_with(&format!("keys[0]: {why}"))),
            "{why}: {fetched:?}"
        );
        expect_accepted(&with_keys(&keys, Origin::Issuer), &authorization, CLIENT, why).await;

        let [none, reason] = &parse(&[jwk], Origin::Issuer).unwrap_err()[..] else { panic!("{why}") };
        assert_eq!(none, "expected at least one key that verifies signatures, found none");
        assert!(reason.starts_with(&format!("keys[0]: {why}")), "{reason}");
        for material in [&rsa["n"], &ec["x"], &ec["y"], &ed["x"]] {
            assert!(!reason.contains(material.as_str().unwrap()), "{reason}");
        }
    }
    let named = parse(&[with(&rsa, json!({ "kid": "b", "use": "enc" })), ec], Origin::Issuer).unwrap();
    assert_eq!(named.left_out(), [r#"keys[0] (kid "b"): use: expected sig, found "enc""#]);
}

#[tokio::test]
async fn a_key_whose_kid_is_no_string_takes_no_other_key_away() {
    let (key, ec) = key_pair(Algorithm::ES256);
    let (_, rsa) = key_pair(Algorithm::RS256);
    let keys = [with(&rsa, json!({ "kid": 5 })), ec];
    let why = "keys[0] (kid 5): kid: expected a string, found something else";
    assert_eq!(parse(&keys, SETTING).unwrap_err(), [why]);
    assert_eq!(parse(&keys, Origin::Issuer).unwrap().left_out(), [why]);
    let authorization = signed_by(&key, Algorithm::ES256, None);
    expect_accepted(&with_keys(&keys, Origin::Issuer), &authorization, CLIENT, "the other key").await;
}

#[tokio::test]
async fn a_member_that_is_twice_in_a_key_takes_no_other_key_away() {
    let (key, ec) = key_pair(Algorithm::ES256);
    let jwks = format!(r#"{{"keys":[{{"kty":"RSA","n":"AQAB","n":"AQAB"}},{ec}]}}"#);
    let keys = Keys::parse(&jwks, Origin::Issuer, None, None).unwrap();
    assert_eq!(keys.left_out(), ["keys[0]: expected each member once, found it twice"]);
    let authenticator = Authenticator::new(Source::Given(keys), Claims::default());
    expect_accepted(&authenticator, &signed_by(&key, Algorithm::ES256, None), CLIENT, "the other key").await;
}

/// Writers of big integers do both.
#[tokio::test]
async fn an_issuer_may_write_more_or_fewer_zeros_before_a_number() {
    let (rsa_key, rsa) = key_pair(Algorithm::RS256);
    let rsa = with(&rsa, json!({ "n": with_zero(&rsa["n"]), "e": with_zero(&rsa["e"]) }));
    let authorization = signed_by(&rsa_key, Algorithm::RS256, None);
    expect_accepted(&with_keys(std::slice::from_ref(&rsa), Origin::Issuer), &authorization, CLIENT, "a modulus").await;
    let problems = parse(&[rsa], SETTING).unwrap_err();
    assert_eq!(problems, ["keys[0]: n: expected 256 octets without a zero before them, found 257"]);

    // One key in 128 has a coordinate that begins with a zero.
    let (key, ec) = std::iter::repeat_with(|| key_pair(Algorithm::ES256))
        .find(|(_, jwk)| URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap()[0] == 0)
        .unwrap();
    let x = URL_SAFE_NO_PAD.decode(ec["x"].as_str().unwrap()).unwrap();
    let (short, long) = (with(&ec, json!({ "x": URL_SAFE_NO_PAD.encode(&x[1..]) })), with_zero(&ec["x"]));
    let authorization = signed_by(&key, Algorithm::ES256, None);
    for (jwk, octets) in [(short, 31), (with(&ec, json!({ "x": long })), 33)] {
        expect_accepted(&with_keys(std::slice::from_ref(&jwk), Origin::Issuer), &authorization, CLIENT, "a coordinate")
            .await;
        let problems = parse(&[jwk], SETTING).unwrap_err();
        assert_eq!(problems, [format!("keys[0]: x: expected 32 octets, found {octets}")]);
    }
    let too_long = with(&ec, json!({ "x": URL_SAFE_NO_PAD.encode([1; 33]) }));
    assert_eq!(parse(&[too_long], Origin::Issuer).unwrap_err()[1], "keys[0]: x: expected 32 octets, found 33");
}

#[tokio::test]
async fn a_token_is_tried_with_four_keys_that_fit_its_kid_and_alg() {
    let pairs: Vec<_> = (0..6).map(|_| key_pair(Algorithm::ES256)).collect();
    let (rsa_key, rsa) = key_pair(Algorithm::RS256);
    for kid in [None, Some("a")] {
        let named = |jwk: &Value| kid.map_or_else(|| jwk.clone(), |kid| with(jwk, json!({ "kid": kid })));
        let mut keys: Vec<_> = pairs.iter().map(|(_, jwk)| named(jwk)).collect();
        // Not in the way: another kid, another algorithm.
        keys.insert(0, named(&rsa));
        if kid.is_some() {
            keys.insert(0, with(&pairs[5].1, json!({ "kid": "b" })));
        }
        let authenticator = with_keys(&keys, Origin::Issuer);
        for (index, (key, _)) in pairs.iter().enumerate() {
            let authorization = signed_by(key, Algorithm::ES256, kid);
            let why = format!("{kid:?}, key {index}");
            if index < 4 {
                expect_accepted(&authenticator, &authorization, CLIENT, &why).await;
            } else {
                expect_refused(&authenticator, &authorization, &why).await;
            }
        }
        expect_accepted(&authenticator, &signed_by(&rsa_key, Algorithm::RS256, kid), CLIENT, "another type").await;
        expect_refused(&authenticator, &signed_by(&rsa_key, Algorithm::RS256, Some("c")), "an unknown kid").await;
    }
}

#[tokio::test]
async fn an_unusable_set_of_keys_is_refused_in_a_sentence_that_shows_no_key() {
    let (_, rsa) = key_pair(Algorithm::RS256);
    let (_, ec) = key_pair(Algorithm::ES256);
    let secret = |bytes: usize| URL_SAFE_NO_PAD.encode("x".repeat(bytes));
    let rows = [
        (json!(5), "expected a JWK Set"),
        (json!({}), "expected a JWK Set"),
        (json!({ "keys": 5 }), "expected a JWK Set"),
        (json!({ "keys": [] }), "expected at least one key that verifies signatures, found none"),
        (json!([ec]), "expected a JWK Set"),
        (ec.clone(), "expected a JWK Set"),
        (json!({ "jwks": { "keys": [ec] } }), "expected a JWK Set"),
        (json!({ "keys": [{ "kty": "oct", "k": secret(32) }] }), "keys[0]: expected a \"alg\", found none"),
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
        (json!({ "keys": [ec, rsa] }), "keys[1]: expected a \"kid\" of its own"),
        (
            json!({ "keys": [with(&ec, json!({ "kid": "a" })), with(&rsa, json!({ "kid": "a" }))] }),
            "keys[1]: expected a",
        ),
    ];
    let allowed = Origin::Setting(SharedSecrets::Allowed);
    let new = |jwks: &Value| Keys::parse(&jwks.to_string(), allowed, None, None);
    for (jwks, sentence) in rows {
        let problems = new(&jwks).unwrap_err();
        let [error] = &problems[..] else { panic!("{problems:?}") };
        assert!(error.starts_with(sentence), "expected {sentence}, found {error}");
        let secrets = [&json!("p4ss"), &json!(secret(31)), &rsa["n"], &ec["x"]];
        for material in secrets {
            assert!(!error.contains(material.as_str().unwrap()), "{error}");
        }
    }
    for (algorithm, bytes) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let jwks = json!({ "keys": [{ "kty": "oct", "alg": algorithm, "k": secret(bytes) }] });
        new(&jwks).unwrap();
        let refused = parse(jwks["keys"].as_array().unwrap(), SETTING).unwrap_err().join("\n");
        assert!(refused.starts_with("keys[0]: expected a public key, found a secret"), "{refused}");
        assert!(refused.contains("ALLOW_SHARED_SECRETS=true") && !refused.contains(&secret(bytes)), "{refused}");
    }
    for fits in [json!({ "use": "sig" }), json!({ "key_ops": ["verify"] }), json!({ "key_ops": ["sign", "verify"] })] {
        parse(&[with(&ec, fits)], SETTING).unwrap();
    }
    let marked = format!("\u{feff}{}", json!({ "keys": [ec] }));
    Keys::parse(&marked, Origin::Issuer, None, None).unwrap();
    let problems = Keys::parse(&marked, SETTING, None, None).unwrap_err();
    assert_eq!(problems, ["expected JSON, found a byte order mark"]);
    let two = [json!(5), ec, json!({})];
    let problems = parse(&two, SETTING).unwrap_err();
    assert_eq!(
        problems,
        ["keys[0]: expected a JSON object, found a number", "keys[2]: expected a \"kty\", found none"]
    );
}

#[tokio::test]
async fn debug_does_not_show_the_secret_of_a_key() {
    let shown = format!("{:?}", Keys::parse(JWKS, Origin::Setting(SharedSecrets::Allowed), None, None).unwrap());
    assert!(!shown.contains("dGhpcyBrZXk") && !shown.contains("this key is public"), "{shown}");
}
