//! The function and a certified issuer of tokens (tools/issuer), which publishes its keys and changes them.
//!
//! These tests need Node.js, so only `make issuer` runs them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use network::issuer::{EDITOR, Issuer, READ_SCOPE, READER, Settings, WRITE_SCOPE};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Answer, CLIENT, Engine, Process, Request, page_request};

/// The function asks the issuer at most every ten seconds; one more for clocks that count whole seconds.
const NEXT_FETCH: Duration = Duration::from_secs(11);

/// A function that accepts only the tokens of the issuer in `settings`.
async fn start(engine: &Engine, settings: &Settings) -> Process {
    let mut changes = vec![("JWKS", None), ("ALLOW_SHARED_SECRETS", None)];
    changes.extend(settings.iter().map(|(name, value)| (*name, Some(value.as_str()))));
    Process::start_with(&engine.url, &changes).await
}

async fn writing_token(issuer: &Issuer) -> String {
    issuer.token(EDITOR, &[READ_SCOPE, WRITE_SCOPE]).await.unwrap()
}

fn with(request: Request, token: &str) -> Request {
    request.header("authorization", &format!("Bearer {token}"))
}

/// The id of the key that signed a token.
#[track_caller]
fn key_id(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().expect("a key id").to_owned()
}

#[track_caller]
fn expect_status(answer: &Answer, status: i64, why: &str) {
    assert_eq!(answer.status, status, "{why}: {answer:?}");
}

/// Creates a flow, and returns its path.
async fn create(process: &mut Process, token: &str) -> String {
    let answer = process.send(&with(Request::create(page_request()), token)).await;
    expect_status(&answer, 201, "a create");
    answer.path()
}

/// Lists the flows until the token is accepted, for as long as the function may take to ask the issuer again.
async fn accepts_soon(process: &mut Process, token: &str) -> bool {
    let deadline = Instant::now() + NEXT_FETCH;
    loop {
        if process.send(&with(Request::get("/v2/project-flows"), token)).await.status == 200 {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
#[ignore = "needs Node.js: make issuer"]
async fn a_token_by_client_credentials_creates_updates_and_retrieves() {
    let (engine, issuer) = (Engine::start().await, Issuer::start(0).await.unwrap());
    let mut process = start(&engine, &issuer.settings()).await;
    let token = writing_token(&issuer).await;

    let path = create(&mut process, &token).await;
    let updated = process.send(&with(Request::put(&path, json!({ "name": "Other" })), &token)).await;
    expect_status(&updated, 200, "an update");
    let found = process.send(&with(Request::get(&path), &token)).await;
    expect_status(&found, 200, "a read");

    assert_eq!(found.json()["data"]["client"], CLIENT, "from the claim clientId");
    let version = process.send(&with(Request::get(&format!("{path}/versions/2")), &token)).await;
    assert_eq!(version.json()["change"]["by"], EDITOR, "from the claim sub: {version:?}");
}

#[tokio::test]
#[ignore = "needs Node.js: make issuer"]
async fn a_token_that_may_only_read_does_not_write() {
    let (engine, issuer) = (Engine::start().await, Issuer::start(0).await.unwrap());
    let mut process = start(&engine, &issuer.settings()).await;
    let path = create(&mut process, &writing_token(&issuer).await).await;
    let token = issuer.token(READER, &[READ_SCOPE]).await.unwrap();

    let found = process.send(&with(Request::get(&path), &token)).await;
    let refused = process.send(&with(Request::create(page_request()), &token)).await;

    expect_status(&found, 200, "a read, with a token of another algorithm");
    refused.expect(403, "INSUFFICIENT_SCOPE");
    assert_eq!(refused.headers["www-authenticate"], r#"Bearer error="insufficient_scope", scope="flows:write""#);
    let unasked = issuer.token(READER, &[READ_SCOPE, WRITE_SCOPE]).await;
    assert!(unasked.is_err_and(|error| error.contains("invalid_scope")), "the issuer refuses it to the reader");
}

#[tokio::test]
#[ignore = "needs Node.js: make issuer"]
async fn an_identity_token_is_no_access_token() {
    let (engine, issuer) = (Engine::start().await, Issuer::start(0).await.unwrap());
    let mut process = start(&engine, &issuer.settings()).await;
    let token = issuer.identity_token().await.unwrap();

    let refused = process.send(&with(Request::get("/v2/project-flows"), &token)).await;

    refused.expect(401, "INVALID_TOKEN");
    assert_eq!(key_id(&token), key_id(&writing_token(&issuer).await), "its key is known");
}

/// New keys are accepted without a restart. Known keys are accepted without the issuer, by new processes too.
#[tokio::test]
#[ignore = "needs Node.js: make issuer"]
async fn the_issuer_changes_its_keys_goes_away_and_comes_back() {
    let (engine, issuer) = (Engine::start().await, Issuer::start(0).await.unwrap());
    let mut process = start(&engine, &issuer.settings()).await;
    let first = writing_token(&issuer).await;
    let path = create(&mut process, &first).await;
    let read = |token: &str| with(Request::get(&path), token);

    tokio::time::sleep(NEXT_FETCH).await;
    issuer.rotate().await.unwrap();
    let second = writing_token(&issuer).await;
    assert_ne!(key_id(&first), key_id(&second));
    expect_status(&process.send(&read(&second)).await, 200, "the first token of the new keys");
    expect_status(&process.send(&read(&first)).await, 200, "the last keys are still published");

    let (port, settings) = (issuer.port(), issuer.settings());
    issuer.stop().await;
    let mut other = start(&engine, &settings).await;
    for token in [&first, &second] {
        expect_status(&process.send(&read(token)).await, 200, "the issuer is away");
        expect_status(&other.send(&read(token)).await, 200, "the table has the keys for a new process");
    }

    // A return with other keys, as after the loss of all keys.
    let issuer = Issuer::start(port).await.unwrap();
    let third = writing_token(&issuer).await;
    assert!(![key_id(&first), key_id(&second)].contains(&key_id(&third)));
    assert!(accepts_soon(&mut process, &third).await, "{}", process.output());
    assert!(accepts_soon(&mut other, &third).await, "{}", other.output());
    process.send(&read(&second)).await.expect(401, "INVALID_TOKEN");
}
