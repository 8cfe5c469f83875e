//! `Idempotency-Key`: a create happens once, however often it is sent.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Answer, Api, Request, newest_key, page_request, page_request_with};

#[track_caller]
fn assert_replays(first: &Answer, again: &Answer) {
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    for name in ["location", "etag"] {
        assert_eq!(again.headers[name], first.headers[name]);
    }
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_again() {
    let api = Api::start().await;
    let request = Request::create(page_request()).key("order-1");

    let first = api.send(&request).await;
    assert_eq!((first.status, first.headers.get("idempotency-replayed")), (201, None));
    for _ in 0..3 {
        assert_replays(&first, &api.send(&request).await);
    }

    assert_eq!(api.engine.items().len(), 1);
    assert_eq!(api.send(&Request::create(page_request())).await.status, 201);
    assert_eq!(api.engine.items().len(), 2, "without a key, a flow of its own");
}

#[tokio::test]
async fn another_spelling_of_the_same_content_is_a_replay() {
    let api = Api::start().await;
    let text = r#"{"project":"p","type":"login","name":"nä/me","configuration":{"a":[1,{"x":1.0,"y":null}],"b":{}},"steps":[{"stepType":"email","order":1,"required":true}]}"#;
    let other = " {\"steps\" : [ {\"required\":true,\"order\":1,\"stepType\":\"\\u0065mail\"} ], \"type\":\"login\",\n \"name\":\"n\\u00e4\\/me\",\"configuration\":{\"b\":{ },\"a\":[1 , {\"y\":null,\"x\":1.0}]},\"project\":\"p\"}";

    let first = api.send(&Request::create(text).key("k")).await;
    let again = api.send(&Request::create(other).key("k")).await;

    assert_eq!(first.status, 201, "{}", first.text);
    assert_replays(&first, &again);
}

#[tokio::test]
async fn other_content_under_the_same_key_is_refused() {
    let api = Api::start().await;
    let first = api.send(&Request::create(page_request()).key("k")).await;
    assert_eq!(first.status, 201);
    let configuration = |text: &str| -> Value { serde_json::from_str(&format!("{{\"n\": {text}}}")).unwrap() };
    let others = [
        page_request_with("name", json!("Another")),
        page_request_with("type", json!("login")),
        page_request_with("project", json!("project_2")),
        page_request_with("description", json!("")),
        page_request_with("configuration", configuration("1")),
    ];
    for other in others {
        let answer = api.send(&Request::create(other).key("k")).await;
        answer.expect(422, "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(api.engine.items().len(), 1);

    // Numbers that a double cannot tell apart, and other spellings of the same number.
    for (key, one, other) in [("a", "9007199254740992", "9007199254740993"), ("b", "1", "1.0"), ("c", "1e2", "100")] {
        let body = |number: &str| {
            page_request().to_string().replacen(
                "\"configuration\":{",
                &format!("\"configuration\":{{\"n\":{number},"),
                1,
            )
        };
        assert_eq!(api.send(&Request::create(body(one)).key(key)).await.status, 201);
        api.send(&Request::create(body(other)).key(key)).await.expect(422, "IDEMPOTENCY_KEY_REUSED");
    }
}

#[tokio::test]
async fn two_clients_may_use_the_same_key() {
    let api = Api::start().await;

    let one = api.send(&Request::create(page_request()).client("client_1").key("k")).await;
    let other = api.send(&Request::create(page_request_with("name", json!("Mine"))).client("client_2").key("k")).await;

    assert_eq!((one.status, other.status), (201, 201));
    assert_ne!(one.json()["data"]["_id"], other.json()["data"]["_id"]);
}

#[tokio::test]
async fn a_replay_shows_the_flow_as_it_was_created_even_after_an_update() {
    let api = Api::start().await;
    let request = Request::create(page_request()).key("k");
    let first = api.send(&request).await;
    api.set(&first.path(), "name", json!("Renamed")).await;

    assert_replays(&first, &api.send(&request).await);
    api.send(&Request::create(page_request_with("name", json!("Renamed"))).key("k"))
        .await
        .expect(422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn an_unreadable_stored_flow_is_an_internal_error() {
    let api = Api::start().await;
    let request = Request::create(page_request()).key("k");
    let whole = api.engine.item(&newest_key(&api.send(&request).await.id()));
    let damages = [
        ("_id", json!({ "S": "project_flow_1" })),
        ("status", json!({ "S": "gone" })),
        ("version", json!({ "N": "-1" })),
        ("client", json!({ "S": "a b" })),
        ("createdAt", json!({ "BOOL": true })),
        ("updatedAt", json!({ "NULL": true })),
        ("project", json!({ "NULL": true })),
        ("type", json!({ "S": "signup" })),
        ("name", json!({ "M": {} })),
        ("configuration", json!({ "S": "{" })),
        ("steps", json!({ "S": "" })),
    ];
    for (name, damage) in damages {
        let mut item = whole.clone();
        item[name] = damage;
        api.engine.put(engine::TABLE, &item);
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "INTERNAL_ERROR"), "{name}");
    }
    api.engine.put(engine::TABLE, &whole);
    assert_eq!(api.send(&request).await.status, 201);
}

#[tokio::test]
async fn a_dry_run_leaves_the_key_unused() {
    let api = Api::start().await;
    let request = Request::create(page_request()).key("k");

    assert_eq!(api.send(&request.clone().query("dryRun=true")).await.status, 200);

    assert_eq!(api.send(&request).await.headers.get("idempotency-replayed"), None);
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let api = Api::start().await;
    for key in ["", " ", "a b", "a\tb", "schlüssel", "a, b", &"k".repeat(256)] {
        let answer = api.send(&Request::create(page_request()).key(key)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_IDEMPOTENCY_KEY"), "{key:?}");
    }
    assert_eq!(api.engine.items(), Vec::<Value>::new());
    for key in ["k", "~!@#$%^&*()", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", &"k".repeat(255)] {
        let answer = api.send(&Request::create(page_request()).key(key)).await;
        assert_eq!((answer.status, answer.headers.get("idempotency-replayed")), (201, None), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_with_the_same_key_make_one_flow_and_get_one_answer() {
    send_at_once(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: `make soak`"]
async fn at_length_concurrent_requests_with_the_same_key_make_one_flow_and_get_one_answer() {
    send_at_once(1_000).await;
}

/// Sends the same request 2 to 50 times at once. Repeats this with another request and key for each trial.
async fn send_at_once(trials: usize) {
    let api = Arc::new(Api::start().await);
    for trial in 0..trials {
        let requests = 2 + trial % 49;
        let request = Request::create(page_request_with("name", json!(format!("Trial {trial}"))));
        let request = request.key(&format!("trial-{trial}"));
        let tasks: Vec<_> = (0..requests)
            .map(|_| {
                let (api, request) = (Arc::clone(&api), request.clone());
                tokio::spawn(async move { api.send(&request).await })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        let created = answers.iter().filter(|answer| !answer.headers.contains_key("idempotency-replayed")).count();
        assert_eq!(created, 1, "trial {trial}");
        for answer in &answers {
            assert_eq!((answer.status, &answer.text), (201, &answers[0].text), "trial {trial}");
        }
    }
    assert_eq!(api.engine.items().len(), trials);
}
