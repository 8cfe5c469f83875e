//! `DELETE /v2/project-flows/{id}`

use serde_json::json;

use crate::support::{Api, NOWHERE, Request, page_request};

#[tokio::test]
async fn only_the_history_of_a_deleted_flow_can_be_read() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request()).key("a-key")).await;
    let path = created.path();

    let answer = api.send(&Request::delete(&path)).await;

    let expected = json!({ "success": true, "data": { "_id": created.id(), "status": "deleted", "version": 2 } });
    assert_eq!((answer.status, answer.json()), (200, expected));
    answer.expect_headers();
    let gone = [
        Request::get(&path),
        Request::get(&path).header("if-none-match", "*"),
        Request::put(&path, json!({ "name": "Again" })),
        Request::put(&path, json!({ "name": "Again" })).query("dryRun=true"),
        Request::put(&path, json!({ "name": "Again" })).header("if-match", "\"1\""),
        Request::patch(&path, json!({ "configuration": { "again": 1 } })),
        Request::delete(&path),
        Request::delete(&path).header("if-match", "\"2\""),
    ];
    for request in gone {
        api.send(&request).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
    assert_eq!(api.get("/v2/project-flows").await.json()["data"], json!([]));
    let versions = api.get(&format!("{path}/versions")).await;
    assert_eq!((versions.status, &versions.json()["data"][0]["status"]), (200, &json!("deleted")));
    let first = api.get(&format!("{path}/versions/1")).await;
    assert_eq!((first.status, &first.json()["data"]), (200, &created.json()["data"]));
    // A key creates one flow, for ever: it does not create the deleted one again.
    let replayed = api.send(&Request::create(page_request()).key("a-key")).await;
    assert_eq!((replayed.status, replayed.text), (201, created.text));
    assert_eq!(api.get(&path).await.status, 404);
}

#[tokio::test]
async fn an_active_flow_must_be_paused_first() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "status", json!("active")).await;

    api.send(&Request::delete(&path)).await.expect(409, "FLOW_IS_ACTIVE");

    assert_eq!(api.get(&path).await.json()["data"]["version"], 2);
    api.set(&path, "status", json!("paused")).await;
    assert_eq!(api.send(&Request::delete(&path)).await.json()["data"]["version"], 4);
}

#[tokio::test]
async fn a_delete_with_a_precondition_deletes_only_that_version() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "status", json!("active")).await;
    let delete = |tags: &str| Request::delete(&path).header("if-match", tags);

    // A stale precondition is reported first: its caller has not seen that the flow is active.
    api.send(&delete("\"1\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&delete("W/\"2\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&delete("1")).await.expect(400, "INVALID_ETAG");
    api.send(&delete("\"2\"")).await.expect(409, "FLOW_IS_ACTIVE");
    api.send(&Request::delete(&path).query("dryRun=1")).await.expect(400, "INVALID_PARAMETERS");
    let with_body = Request::with_body("DELETE", &path, json!({ "version": 2 }));
    api.send(&with_body).await.expect(400, "UNKNOWN_FIELD");
    api.set(&path, "status", json!("draft")).await;
    assert_eq!(api.send(&delete("\"3\"")).await.status, 200);
}

#[tokio::test]
async fn a_flow_that_does_not_exist_cannot_be_deleted() {
    let api = Api::start().await;
    api.send(&Request::delete(NOWHERE)).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    assert!(api.engine.items().is_empty());
}
