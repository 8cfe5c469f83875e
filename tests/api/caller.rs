//! Who may call: valid and invalid tokens, and in `keys.rs` the keys that verify them.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use project_flows::caller::{self, Authenticator, Caller, Claims, Permission, Source};
use project_flows::error::{Cause, Error};
use project_flows::issuer;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use project_flows::store::Store;
use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, CLIENT, Engine, Issuer, JWKS, Published, Request, Signer, now, page_request, sdk};

/// An authenticator, and who signs the tokens that it accepts.
struct Setup {
    authenticator: Authenticator,
    signer: Signer,
}

/// Both ways to get keys: from the settings, and from the issuer.
async fn setups(issuer: Option<&str>, audience: Option<&str>, claims: Claims) -> [Setup; 2] {
    let keys = Keys::parse(JWKS, Origin::Setting(SharedSecrets::Allowed), issuer, audience).unwrap();
    let given = Authenticator::new(Source::Given(keys), claims.clone());
    let signer = Signer::new("development");
    let server = Issuer::start(Published::set(&[&signer.jwk])).await;
    let store = Store::new(&sdk(&Engine::start().await.url).await, engine::TABLE.to_owned(), None);
    let [issuer, audience] = [issuer, audience].map(|name| name.map(str::to_owned));
    let fetched = issuer::Issuer::new(server.url.clone(), issuer, audience, None, store);
    [
        Setup { authenticator: given, signer: Signer::development() },
        Setup { authenticator: Authenticator::new(Source::Issuer(Box::new(fetched)), claims), signer },
    ]
}

/// Who sent this `Authorization` header.
async fn authenticate(authenticator: &Authenticator, authorization: Option<&str>) -> Result<Caller, Error> {
    authenticator.authenticate(&caller::token(authorization)?).await
}

async fn expect_accepted(authenticator: &Authenticator, authorization: &str, client: &str, why: &str) {
    let found = authenticate(authenticator, Some(authorization)).await;
    assert_eq!(found.as_ref().map(|caller| caller.client.as_str()), Ok(client), "{why}");
}

async fn expect_refused(authenticator: &Authenticator, authorization: &str, why: &str) {
    let found = authenticate(authenticator, Some(authorization)).await;
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

impl Signer {
    /// An `Authorization` with these claims.
    fn authorization(&self, claims: &Value) -> String {
        format!("Bearer {}", self.sign(claims))
    }

    /// The same with these texts as header and claims. The header names HS256 in place of the algorithm.
    fn signed_texts(&self, header: &str, claims: &str) -> String {
        let own = format!("{:?}", self.algorithm);
        let header = header.replace("HS384", &own.replace("256", "384")).replace("HS256", &own);
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("Bearer {message}.{signature}")
    }
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

#[tokio::test]
async fn a_valid_token_names_its_client() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
        let authorization = signer.authorization(&json!({ "clientId": "client_1", "exp": now() + 60 }));
        let token = authorization.strip_prefix("Bearer ").unwrap();
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
            expect_accepted(&authenticator, &format!("{scheme} {token}"), "client_1", scheme).await;
        }
        assert_eq!(authenticate(&authenticator, None).await, Err(Error::MissingToken));
        expect_accepted(
            &authenticator,
            &signer.signed_texts(HEADER, &claims().to_string()),
            CLIENT,
            "header and claims as texts",
        )
        .await;
    }
}

#[tokio::test]
async fn a_malformed_authorization_or_a_wrong_signature_is_refused() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
        let authorization = signer.authorization(&claims());
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
            expect_refused(&authenticator, &authorization, why).await;
        }
    }
}

#[tokio::test]
async fn a_token_whose_header_does_not_fit_a_known_key_is_refused() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
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
            expect_refused(&authenticator, &signer.signed_texts(header, &claims().to_string()), why).await;
        }
        let without_kid = signer.signed_texts(r#"{"alg":"HS256"}"#, &claims().to_string());
        expect_accepted(&authenticator, &without_kid, CLIENT, "no kid, and only one key").await;
    }
}

/// The reader of the claims would quote them.
#[tokio::test]
async fn the_cause_of_unreadable_claims_quotes_none_of_them() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
        for claims in ["secret", "{\"exp\": secret}", "\u{7}"] {
            let found = authenticate(&authenticator, Some(&signer.signed_texts(HEADER, claims))).await;
            assert_eq!(found, Err(Error::InvalidToken(Cause::new("unreadable"))), "{claims}");
        }
    }
}

#[tokio::test]
async fn a_token_is_valid_from_nbf_to_exp_give_or_take_thirty_seconds() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
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
            let authorization = signer.authorization(&claims);
            if valid {
                expect_accepted(&authenticator, &authorization, CLIENT, why).await;
            } else {
                expect_refused(&authenticator, &authorization, why).await;
            }
        }
    }
}

#[tokio::test]
async fn a_token_without_a_usable_client_is_refused() {
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
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
            expect_refused(&authenticator, &signer.authorization(&claims), why).await;
        }
        expect_refused(&authenticator, &signer.authorization(&json!({ "exp": now() + 60 })), "no claim").await;
        let twice = format!(r#"{{"clientId":"client_1","exp":{},"clientId":"client_2"}}"#, now() + 60);
        expect_refused(&authenticator, &signer.signed_texts(HEADER, &twice), "the claim twice").await;
        let longest = "c".repeat(128);
        let of = |client: Value| signer.authorization(&json!({ "clientId": client, "exp": now() + 60 }));
        expect_accepted(&authenticator, &of(json!(longest)), &longest, "as long as it may be").await;
    }
}

#[tokio::test]
async fn issuer_and_audience_are_checked_if_the_settings_name_them() {
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
    let with_claims = |claims: &Value| {
        let mut claims = claims.clone();
        claims["clientId"] = json!(CLIENT);
        claims["exp"] = json!(now() + 60);
        claims
    };
    for Setup { authenticator, signer } in
        setups(Some("https://issuer.example"), Some("flows"), Claims::default()).await
    {
        for (claims, valid, why) in &rows {
            let authorization = signer.authorization(&with_claims(claims));
            if *valid {
                expect_accepted(&authenticator, &authorization, CLIENT, why).await;
            } else {
                expect_refused(&authenticator, &authorization, why).await;
            }
        }
    }
    for Setup { authenticator, signer } in setups(None, None, Claims::default()).await {
        for (claims, _, why) in &rows {
            expect_accepted(&authenticator, &signer.authorization(&with_claims(claims)), CLIENT, why).await;
        }
    }
}

#[tokio::test]
async fn a_setting_names_the_claim_that_holds_the_client() {
    let claims = Claims { client: "custom:client".to_owned(), ..Claims::default() };
    for Setup { authenticator, signer } in setups(None, None, claims.clone()).await {
        let named = json!({ "custom:client": "client_1", "clientId": "client_2", "exp": now() + 60 });
        expect_accepted(&authenticator, &signer.authorization(&named), "client_1", "the claim of the setting").await;
        let default = json!({ "clientId": CLIENT, "exp": now() + 60 });
        expect_refused(&authenticator, &signer.authorization(&default), "only the claim of the default").await;
    }
}

#[tokio::test]
async fn the_author_is_absent_or_usable() {
    let longest = "ü".repeat(256);
    let rows = [
        (None, Some(None), "no author"),
        (Some(json!("auth0|5f7c8ec7c33c6c004bbafe82")), Some(Some("auth0|5f7c8ec7c33c6c004bbafe82")), "an author"),
        (Some(json!(longest)), Some(Some(longest.as_str())), "as long as it may be"),
        (Some(json!("ü".repeat(257))), None, "too long"),
        (Some(json!("")), None, "empty"),
        (Some(json!("a\u{7}")), None, "a control character"),
        (Some(json!("a\u{85}")), None, "a control character beyond ASCII"),
        (Some(json!(17)), None, "a number"),
        (Some(Value::Null), None, "null"),
    ];
    for (setting, claim) in [("sub", "sub"), ("email", "email")] {
        let claims = Claims { author: setting.to_owned(), ..Claims::default() };
        for Setup { authenticator, signer } in setups(None, None, claims.clone()).await {
            for (author, expected, why) in &rows {
                let mut claims = json!({ "clientId": CLIENT, "exp": now() + 60 });
                if let Some(author) = author {
                    claims[claim] = author.clone();
                }
                let found = authenticate(&authenticator, Some(&signer.authorization(&claims))).await;
                let found = found.map(|caller| caller.author.map(|author| author.as_str().to_owned()));
                match expected {
                    Some(author) => assert_eq!(found, Ok(author.map(str::to_owned)), "{why}"),
                    None => assert!(matches!(found, Err(Error::InvalidToken(_))), "{why}: {found:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_scope_is_a_word_of_the_claim_or_an_element_of_it() {
    let needed = vec![(Permission::Write, "flows:write".to_owned())];
    let rows = [
        (json!({ "scope": "flows:write" }), true, "the only word"),
        (json!({ "scope": "openid flows:write flows:read" }), true, "one word of three"),
        (json!({ "scope": ["openid", "flows:write"] }), true, "an element"),
        (json!({ "scope": "flows:writer flows:writ" }), false, "longer and shorter words"),
        (json!({ "scope": "flows:read,flows:write" }), false, "words with a comma between them"),
        (json!({ "scope": "FLOWS:WRITE" }), false, "upper case"),
        (json!({ "scope": ["openid flows:write"] }), false, "words in an element"),
        (json!({ "scope": [["flows:write"], { "flows:write": true }] }), false, "an element of an element"),
        (json!({ "scope": { "flows:write": true } }), false, "a member"),
        (json!({ "scope": true }), false, "a boolean"),
        (json!({ "scope": null }), false, "null"),
        (json!({ "scp": "flows:write" }), false, "another claim"),
        (json!({}), false, "no claim"),
    ];
    let claims = Claims { scopes: needed.clone(), ..Claims::default() };
    for Setup { authenticator, signer } in setups(None, None, claims.clone()).await {
        for (mut claims, granted, why) in rows.clone() {
            claims["clientId"] = json!(CLIENT);
            claims["exp"] = json!(now() + 60);
            let caller = authenticate(&authenticator, Some(&signer.authorization(&claims))).await.unwrap();
            assert_eq!(caller.missing, if granted { vec![] } else { needed.clone() }, "{why}");
            assert_eq!(caller.check(Permission::Read), Ok(()), "{why}");
            assert_eq!(caller.check(Permission::Write).is_ok(), granted, "{why}");
        }
    }
}
