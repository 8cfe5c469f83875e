//! What each operation asks of the database: no more than it needs, and never what may be out of date.

use serde_json::json;

use crate::proxy::Proxy;
use crate::support::{Api, Request, handler, page_request, path, send, set};

#[tokio::test]
async fn each_operation_makes_these_calls_and_its_reads_are_consistent() {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request()).key("k")).await);
    set(&api, &path, "name", json!("Second")).await;
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    let rows = [
        (Request::create(page_request()), "PutItem"),
        (Request::create(page_request()).query("dryRun=true"), ""),
        // The flow has moved on: its first version is in the history.
        (Request::create(page_request()).key("k"), "PutItem GetItem"),
        (Request::get(&path), "GetItem"),
        (Request::get(&format!("{path}?asOf=2099-01-01T00:00:00Z")), "GetItem"),
        (Request::get("/v2/project-flows"), "Query"),
        (Request::get(&format!("{path}/versions")), "GetItem Query"),
        (Request::get(&format!("{path}/versions?limit=1")), "GetItem"),
        (Request::get(&format!("{path}/versions/1")), "GetItem GetItem"),
        (Request::get(&format!("{path}/versions/2")), "GetItem"),
        (Request::get(&format!("{path}/versions/2/diff?from=1")), "GetItem GetItem"),
        (Request::put(&path, "{}"), "GetItem"),
        (Request::put(&path, r#"{"name": "x"}"#).query("dryRun=true"), "GetItem"),
        (Request::put(&path, r#"{"name": "x"}"#).header("if-match", "\"1\""), "GetItem"),
        (Request::put(&path, r#"{"name": "Third"}"#), "GetItem TransactWriteItems"),
        (Request::of("POST", &format!("{path}/versions/3/restore")), "GetItem GetItem TransactWriteItems"),
        (Request::of("POST", &format!("{path}/versions/1/restore")), "GetItem GetItem GetItem TransactWriteItems"),
        (Request::of("DELETE", &path), "GetItem TransactWriteItems"),
        (Request::get("/v2/project-flows/x"), ""),
        (Request::create("{}"), ""),
    ];
    for (request, expected) in rows {
        let answer = send(&handler, &request.event()).await;
        let calls = proxy.take_calls();
        let found: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
        assert_eq!(found.join(" "), expected, "{} {}: {answer:?}", request.method, request.path);
        for call in calls {
            // An index has no consistent reads.
            let can_be_old =
                ["GetItem", "Query"].contains(&call.operation.as_str()) && call.body.get("IndexName").is_none();
            assert_eq!(
                call.body.get("ConsistentRead").is_some_and(|consistent| consistent == true),
                can_be_old,
                "{call:?}"
            );
        }
    }
}
