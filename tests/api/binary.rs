//! The real binary as Lambda runs it: its start, its events and its log.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine;
use crate::proxy::{Fault, Loss, Proxy, When};
use crate::support::{Answer, Engine, JWKS, Process, Request, dynamo_db, page_request, page_request_with};

#[tokio::test]
async fn the_binary_answers_each_event_and_writes_one_line_about_it() {
    let engine = Engine::start().await;
    let mut process = Process::start(&engine.url).await;
    let request = Request::create(page_request());

    let first = process.send(&request).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(engine.items().len(), 1);
    process.send(&request.clone().without("authorization")).await.expect(401, "MISSING_TOKEN");
    process.send(&request.clone().header("authorization", "Basic x")).await.expect(401, "INVALID_TOKEN");

    let lines = process.log(3).await;
    let [created, refused, invalid] = &lines[..] else { panic!("expected a line for each, found {lines:?}") };
    assert_eq!((created.get("cause"), refused.get("cause")), (None, None));
    assert_eq!(invalid["cause"], "another scheme than bearer");
    assert_eq!(created["request.id"], "gateway-request-id");
    assert_eq!(created["http.route"], "POST /v2/project-flows");
    assert_eq!(created["http.status"], 201);
    assert_eq!(created["client"], "client_123456789");
    assert_eq!(created["flow.id"], first.json()["data"]["_id"]);
    assert!(created["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&created["cold_start"], &refused["cold_start"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!((created.get("code"), &refused["code"]), (None, &Value::from("MISSING_TOKEN")));
    let token = request.headers["authorization"].strip_prefix("Bearer ").unwrap();
    for secret in [token, "Complete Onboarding Flow", "verificationCode", "dGhpcyBrZXk"] {
        assert!(!process.output().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn the_runtime_is_told_of_an_unreadable_event_and_the_next_one_is_answered() {
    let engine = Engine::start().await;
    let mut process = Process::start(&engine.url).await;

    for event in ["5", "null", r#"{"headers": 5}"#, r#"{"body": {}}"#, "not JSON", ""] {
        let (kind, body) = process.invoke(event).await;
        assert_eq!(kind, "error", "{event}: {body}");
    }
    let (kind, empty) = process.invoke("{}").await;
    assert_eq!(kind, "response");
    Answer::read(&empty, false).expect(401, "MISSING_TOKEN");
    assert_eq!(process.send(&Request::create(page_request())).await.status, 201);
}

#[tokio::test]
async fn the_connection_to_the_table_is_open_before_the_first_event() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut process = Process::start(&proxy.url).await;

    let answer = process.send(&Request::create(page_request())).await;

    assert_eq!(answer.status, 201);
    assert_eq!((proxy.calls("GetItem"), proxy.calls("PutItem")), (1, 1));
    assert_eq!(proxy.connections(), 1);
    // The table accepts the read that opens the connection, and it finds nothing.
    let dynamo_db = dynamo_db(&engine.url).await;
    let key = project_flows::item::impossible_key();
    let read = dynamo_db.get_item().table_name(engine::TABLE).set_key(Some(key)).send().await.unwrap();
    assert_eq!(read.item, None);
}

/// While one request waits for the database, the next one is answered, as on Lambda Managed Instances.
#[tokio::test]
async fn requests_run_concurrently_if_lambda_says_so() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut process = Process::start_with(&proxy.url, &[("AWS_LAMBDA_MAX_CONCURRENCY", Some("8"))]).await;
    let create = |name| Request::create(page_request_with("name", json!(name)));

    proxy.fail("PutItem", &[Fault::Lost(When::BeforeCommit, Loss::Hang)]);
    process.hand_out(&create("held up"));
    while proxy.calls("PutItem") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    process.hand_out(&create("in between"));

    for name in ["in between", "held up"] {
        let answer = process.answer().await;
        assert_eq!((answer.status, &answer.json()["data"]["name"]), (201, &json!(name)));
    }
}

/// `sam local` sets a variable that the template leaves out to an empty text.
#[tokio::test]
async fn an_empty_endpoint_counts_as_absent() {
    let engine = Engine::start().await;
    let mut process = Process::start_with("", &[("AWS_ENDPOINT_URL", Some(&engine.url))]).await;

    assert_eq!(process.send(&Request::create(page_request())).await.status, 201);
}

/// Without an endpoint, it trusts only the certificate authorities of AWS, and this region has no address to call.
#[tokio::test]
async fn the_binary_starts_with_the_certificate_authorities_of_aws() {
    let mut process = Process::start_with("", &[("AWS_REGION", Some("nowhere"))]).await;

    assert!(process.send(&Request::create(page_request())).await.status >= 500);
    let lines = process.log(1).await;
    let cause = lines[0]["cause"].as_str().unwrap();
    assert!(cause.starts_with("PutItem: "), "{cause}");
}

/// Whoever copies the set of an issuer copies its keys for other purposes too.
#[tokio::test]
async fn the_binary_does_not_start_with_a_key_that_it_cannot_use_and_names_each() {
    let engine = Engine::start().await;
    let mut jwks: Value = serde_json::from_str(JWKS).unwrap();
    let secret = "bm90IGZvciB0aGUgbG9n";
    jwks["keys"].as_array_mut().unwrap().extend([
        json!({ "kty": "oct", "kid": "b", "use": "enc", "k": secret }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": secret }),
    ]);
    let mut process = Process::start_with(&engine.url, &[("JWKS", Some(&jwks.to_string()))]).await;

    assert!(!process.succeeds());
    let lines = process.log(2).await;
    let messages: Vec<_> = lines.iter().map(|line| (&line["level"], &line["message"])).collect();
    let level = &json!("ERROR");
    let expected = [
        json!(r#"JWKS: keys[1] (kid "b"): use: expected sig, found "enc""#),
        json!(r#"JWKS: keys[2]: kty: expected RSA, EC or OKP, found "AKP""#),
    ];
    assert_eq!(messages, expected.iter().map(|message| (level, message)).collect::<Vec<_>>());
    assert!(!process.output().contains(secret));
}

#[tokio::test]
async fn the_binary_does_not_start_without_a_required_setting() {
    let engine = Engine::start().await;
    for (missing, sentence) in [
        ("TABLE_NAME", "TABLE_NAME: expected the name of a table, found nothing"),
        ("AWS_REGION", "AWS_REGION: expected a region, such as eu-central-1, found nothing"),
        ("JWKS", "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), or JWKS_URL, found nothing"),
        ("AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_RUNTIME_API: expected the address of the Lambda runtime, found nothing"),
    ] {
        let mut process = Process::start_with(&engine.url, &[(missing, None)]).await;
        let lines = process.log(1).await;
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&Value::from("ERROR"), &Value::from(sentence)));
        assert!(!process.succeeds());
    }
}
