//! `DELETE /v2/project-flows/{id}`

use serde_json::json;

use crate::support::{Api, Request, id, page_request, path, set};

#[tokio::test]
async fn a_deleted_flow_is_gone_but_for_its_history() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request()).key("a-key")).await;
    let path = path(&created);

    let answer = api.send(&Request::of("DELETE", &path)).await;

    let expected = json!({ "success": true, "data": { "_id": id(&created), "status": "deleted", "version": 2 } });
    assert_eq!((answer.status, answer.json()), (200, expected));
    answer.expect_headers();
    let gone = [
        Request::get(&path),
        Request::get(&path).header("if-none-match", "*"),
        Request::put(&path, json!({ "name": "Again" })),
        Request::put(&path, json!({ "name": "Again" })).query("dryRun=true"),
        Request::put(&path, json!({ "name": "Again" })).header("if-match", "\"1\""),
        Request::of("DELETE", &path),
        Request::of("DELETE", &path).header("if-match", "\"2\""),
    ];
    for request in gone {
        api.send(&request).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
    assert_eq!(api.send(&Request::get("/v2/project-flows")).await.json()["data"], json!([]));
    let versions = api.send(&Request::get(&format!("{path}/versions"))).await;
    assert_eq!((versions.status, &versions.json()["data"][0]["status"]), (200, &json!("deleted")));
    let first = api.send(&Request::get(&format!("{path}/versions/1"))).await;
    assert_eq!((first.status, first.text), (200, created.text.clone()));
    // Created once, for ever: the key does not create it again.
    let replayed = api.send(&Request::create(page_request()).key("a-key")).await;
    assert_eq!((replayed.status, replayed.text), (201, created.text));
    assert_eq!(api.send(&Request::get(&path)).await.status, 404);
}

#[tokio::test]
async fn an_active_flow_must_be_paused_first() {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    set(&api, &path, "status", json!("active")).await;

    api.send(&Request::of("DELETE", &path)).await.expect(409, "FLOW_IS_ACTIVE");

    assert_eq!(api.send(&Request::get(&path)).await.json()["data"]["version"], 2);
    set(&api, &path, "status", json!("paused")).await;
    assert_eq!(api.send(&Request::of("DELETE", &path)).await.json()["data"]["version"], 4);
}

#[tokio::test]
async fn a_delete_can_be_bound_to_a_version() {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    set(&api, &path, "status", json!("active")).await;
    let delete = |tags: &str| Request::of("DELETE", &path).header("if-match", tags);

    // Stale comes before active: the caller has not seen that it is.
    api.send(&delete("\"1\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&delete("1")).await.expect(400, "INVALID_ETAG");
    api.send(&delete("\"2\"")).await.expect(409, "FLOW_IS_ACTIVE");
    api.send(&Request::of("DELETE", &path).query("dryRun=true")).await.expect(400, "INVALID_PARAMETERS");
    let body = Request { method: "DELETE".to_owned(), path: path.clone(), ..Request::create(json!({ "version": 2 })) };
    api.send(&body).await.expect(400, "UNKNOWN_FIELD");
    set(&api, &path, "status", json!("draft")).await;
    assert_eq!(api.send(&delete("\"3\"")).await.status, 200);
}

#[tokio::test]
async fn a_flow_that_is_not_there_cannot_be_deleted() {
    let api = Api::start().await;
    let nowhere = "/v2/project-flows/project_flow_0123456789abcdefghjkmnpqrs";
    api.send(&Request::of("DELETE", nowhere)).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    assert!(api.engine.items().is_empty());
}
