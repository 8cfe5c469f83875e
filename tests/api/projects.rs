//! `PROJECTS_TABLE`: the project of a flow must belong to the client.

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, OWN_PROJECT, Options, PROJECTS, Request, page_request, page_request_with};

#[tokio::test]
async fn a_flow_in_a_project_of_the_client_is_created() {
    let api = Api::with(Options { projects: OWN_PROJECT, ..Options::default() }).await;

    let answer = api.send(&Request::create(page_request())).await;

    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(api.engine.items().len(), 1);
}

#[tokio::test]
async fn an_unknown_project_and_one_of_another_client_are_refused_alike() {
    let projects = &[("theirs", "client_2"), ("nobodys", "")];
    let api = Api::with(Options { projects, ..Options::default() }).await;
    for query in ["", "dryRun=true"] {
        let request = |project| Request::create(page_request_with("project", json!(project))).query(query);
        let missing = api.send(&request("missing")).await;
        let theirs = api.send(&request("theirs")).await;
        let nobodys = api.send(&request("nobodys")).await;

        assert_eq!(missing.text, r#"{"error":"Invalid project ID","message":"INVALID_PROJECT_ID"}"#);
        assert_eq!((missing.status, &missing), (400, &theirs));
        assert_eq!(missing, nobodys);
    }
    assert_eq!(api.engine.items(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_dry_run_in_a_project_of_the_client_succeeds() {
    let api = Api::with(Options { projects: OWN_PROJECT, ..Options::default() }).await;
    assert_eq!(api.send(&Request::create(page_request()).query("dryRun=true")).await.status, 200);
}

#[tokio::test]
async fn a_create_is_replayed_although_its_project_now_belongs_to_another_client() {
    let api = Api::with(Options { projects: OWN_PROJECT, ..Options::default() }).await;
    let request = Request::create(page_request()).key("k");
    let first = api.send(&request).await;
    assert_eq!(first.status, 201);

    api.engine.put(PROJECTS, &json!({ "_id": { "S": "project_123456789" }, "client": { "S": "client_2" } }));

    let again = api.send(&request).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    api.send(&Request::create(page_request_with("name", json!("Other"))).key("k"))
        .await
        .expect(422, "IDEMPOTENCY_KEY_REUSED");
    api.send(&Request::create(page_request())).await.expect(400, "INVALID_PROJECT_ID");
}

#[tokio::test]
async fn a_missing_table_of_projects_is_an_internal_error() {
    let settings = &[("PROJECTS_TABLE", Some(PROJECTS))];
    let api = Api::with(Options { settings, ..Options::default() }).await;
    let answer = api.send(&Request::create(page_request())).await;
    answer.expect(500, "INTERNAL_ERROR");
    assert!(!answer.text.contains(engine::TABLE) && !answer.text.contains(PROJECTS));
}
