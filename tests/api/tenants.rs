//! No client sees another one: to every operation, another client's flow does not exist.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{Api, CLIENT, NOWHERE, Operation, Request, page_request};

/// A cursor for the versions of the flow at `path`.
fn cursor_of(path: &str) -> String {
    let id = path.strip_prefix("/v2/project-flows/").unwrap();
    URL_SAFE_NO_PAD.encode(format!("VERSION#{id}#0000000002"))
}

#[tokio::test]
async fn another_clients_flow_has_the_answers_of_a_flow_that_does_not_exist_byte_for_byte() {
    let api = Api::start().await;
    let theirs = api.create_from(&Request::create(page_request()).client("client_2")).await;
    let update = Request::put(&theirs, json!({ "name": "Second" })).client("client_2");
    assert_eq!(api.send(&update).await.status, 200);
    let before = api.engine.items();

    let requests = |path: &str| {
        [
            Request::get(path),
            Request::get(path).header("if-none-match", "\"2\""),
            Request::get(&format!("{path}?asOf=2030-01-01T00:00:00Z")),
            Request::put(path, json!({ "name": "Mine" })),
            Request::put(path, json!({ "name": "" })),
            Request::put(path, json!({ "version": 1 })),
            Request::put(path, json!({ "client": CLIENT })),
            Request::put(path, json!({ "name": "Mine" })).header("if-match", "\"2\""),
            Request::put(&format!("{path}?dryRun=true"), json!({ "name": "Mine" })),
            Request::patch(path, json!({ "name": "Mine" })),
            Request::patch(path, json!({ "configuration": null })),
            Request::patch(path, json!({ "configuration": { "mine": 1 } })).header("if-match", "\"2\""),
            Request::patch(&format!("{path}?dryRun=true"), json!({ "name": "Mine" })),
            Request::delete(path),
            Request::delete(path).header("if-match", "\"1\""),
            Request::get(&format!("{path}/versions")),
            Request::get(&format!("{path}/versions?cursor={}", cursor_of(path))),
            Request::get(&format!("{path}/versions/1")),
            Request::get(&format!("{path}/versions/2")),
            Request::get(&format!("{path}/versions/2/diff?from=1")),
            Request::restore(path, 1),
            Request::restore(path, 1).header("if-match", "\"1\""),
            Request::get(&format!("{path}/versions/2/diff?from=live")),
            Request::release(path, 2),
            Request::release(path, 2).header("if-none-match", "*"),
        ]
    };
    for (other, none) in requests(&theirs).iter().zip(&requests(NOWHERE)) {
        let (other, none) = (api.send(other).await, api.send(none).await);
        assert_eq!(other, none);
        other.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
    assert_eq!(api.get("/v2/project-flows").await.json()["pagination"]["total"], 0);
    assert_eq!(api.get("/v2/project-flows?status=deleted").await.json()["pagination"]["total"], 0);
    assert_eq!(api.engine.items(), before);
    // The other client still reads its flow.
    assert_eq!(api.send(&Request::get(&theirs).client("client_2")).await.json()["data"]["version"], 2);
}

#[tokio::test]
async fn to_another_client_every_operation_finds_nothing() {
    let api = Api::start().await;
    let life = Operation::all();
    let (end, life) = life.split_last().expect("a life that ends with a delete");
    for operation in life {
        let answer = api.send(&operation.request()).await;
        assert!((200..300).contains(&answer.status), "{}: {answer:?}", operation.event);
    }
    let before = api.engine.items();
    for operation in life.iter().chain([end]) {
        if operation.route == "POST /v2/project-flows" {
            continue;
        }
        let answer = api.send(&operation.request().client("client_2")).await;
        if operation.route.contains('{') {
            assert_eq!(answer.status, 404, "{}: {answer:?}", operation.event);
        } else {
            assert_eq!(answer.json()["data"], json!([]), "{}", operation.event);
        }
        assert_eq!(api.engine.items(), before, "{}", operation.event);
    }
}

#[tokio::test]
async fn the_same_key_of_two_clients_makes_two_flows() {
    let api = Api::start().await;
    let create = Request::create(page_request()).key("shared");
    let (mine, theirs) = (api.send(&create).await, api.send(&create.client("client_2")).await);
    api.set(&mine.path(), "name", json!("Mine")).await;
    assert_ne!(mine.path(), theirs.path());
    let theirs_now = api.send(&Request::get(&theirs.path()).client("client_2")).await;
    assert_eq!(theirs_now.text, theirs.text);
}
