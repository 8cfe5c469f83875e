//! The calls to the database of each operation: no more than it needs, and no reads that may be out of date.

use serde_json::json;

use crate::proxy::Proxy;
use crate::support::{Answer, Api, Operation, PLACE, Request, page_request};

/// Checks the calls since the last check. A read of the table is consistent; an index has no consistent reads.
#[track_caller]
fn expect_calls(proxy: &Proxy, expected: &str, request: &Request, answer: &Answer) {
    let calls = proxy.take_calls();
    let found: Vec<_> = calls.iter().map(|call| call.operation.as_str()).collect();
    assert_eq!(found.join(" "), expected, "{} {}: {answer:?}", request.method, request.path);
    for call in calls {
        let is_read_of_table =
            ["GetItem", "Query"].contains(&call.operation.as_str()) && call.body.get("IndexName").is_none();
        assert_eq!(call.body["ConsistentRead"] == true, is_read_of_table, "{call:?}");
    }
}

#[tokio::test]
async fn each_operation_makes_only_its_calls() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    for operation in Operation::all() {
        let request = operation.request();
        let answer = api.send(&request).await;
        assert!((200..300).contains(&answer.status), "{}: {answer:?}", operation.event);
        expect_calls(&proxy, &operation.calls, &request, &answer);
    }
}

#[tokio::test]
async fn what_a_request_says_changes_the_calls_only_so() {
    let api = Api::start().await;
    let path = api.create_from(&Request::create(page_request()).key("k")).await;
    api.set(&path, "name", json!("Second")).await;
    let active = api.create_active().await;
    let (api, proxy) = api.behind_proxy().await;
    let rows = [
        (Request::create(page_request()), "PutItem"),
        (Request::create(page_request()).query("dryRun=true"), ""),
        // The flow has a second version, so the first one is read from the history.
        (Request::create(page_request()).key("k"), "PutItem GetItem"),
        (Request::get(&path), "GetItem"),
        (Request::get(&format!("{path}?asOf=2099-01-01T00:00:00Z")), "GetItem"),
        (Request::get("/v2/project-flows"), "Query"),
        (Request::get("/v2/project-flows?status=deleted"), "Query"),
        (Request::get(&format!("{path}/versions")), "GetItem Query"),
        (Request::get(&format!("{path}/versions?limit=1")), "GetItem"),
        (Request::get(&format!("{path}/versions/1")), "GetItem GetItem"),
        (Request::get(&format!("{path}/versions/2")), "GetItem"),
        (Request::get(&format!("{path}/versions/2/diff?from=1")), "GetItem GetItem"),
        (Request::put(&path, "{}"), "GetItem"),
        (Request::put(&path, r#"{"name": "x"}"#).query("dryRun=true"), "GetItem"),
        (Request::put(&path, r#"{"name": "x"}"#).header("if-match", "\"1\""), "GetItem"),
        (Request::put(&path, r#"{"name": "Third"}"#), "GetItem TransactWriteItems"),
        (Request::patch(&path, "{}"), "GetItem"),
        (Request::patch(&path, r#"{"configuration": {"mine": 1}}"#).query("dryRun=true"), "GetItem"),
        (Request::patch(&path, r#"{"configuration": {"mine": 1}}"#), "GetItem TransactWriteItems"),
        (Request::patch(&path, r#"{"configuration": {"mine": 1}}"#), "GetItem"),
        (Request::restore(&path, 1).query("dryRun=true"), "GetItem GetItem GetItem"),
        (Request::restore(&path, 4), "GetItem GetItem TransactWriteItems"),
        (Request::restore(&path, 1), "GetItem GetItem GetItem TransactWriteItems"),
        (Request::delete(&path).query("dryRun=true"), "GetItem"),
        (Request::delete(&path), "GetItem TransactWriteItems"),
        (Request::release(&active, 2).query("dryRun=true"), "GetItem GetItem"),
        (Request::release(&active, 2), "GetItem GetItem TransactWriteItems"),
        (Request::release(&active, 2).query("dryRun=true"), "GetItem"),
        (Request::release(&active, 2), "GetItem"),
        (Request::release(&active, 2).header("if-match", "\"2\""), "GetItem"),
        (Request::get(PLACE), "GetItem"),
        (Request::get(PLACE).header("if-none-match", "\"1\""), "GetItem"),
        (Request::get(&format!("{PLACE}?asOf=2099-01-01T00:00:00Z")), "Query"),
        (Request::get(&format!("{PLACE}/releases")), "Query"),
        (Request::get("/v2/project-flows/live"), "Query"),
        (Request::get(&format!("{active}/versions/1/diff?from=live")), "GetItem GetItem GetItem"),
        (Request::put(&active, r#"{"name": "Live"}"#), "GetItem TransactWriteItems"),
        // An earlier version is one more read.
        (Request::release(&active, 3), "GetItem GetItem TransactWriteItems"),
        (Request::release(&active, 2), "GetItem GetItem GetItem TransactWriteItems"),
        (Request::put(&active, r#"{"status": "paused"}"#), "GetItem TransactWriteItems"),
        (Request::put(&active, r#"{"status": "paused"}"#).query("dryRun=true"), "GetItem GetItem"),
        (Request::delete(PLACE).query("dryRun=true"), "GetItem"),
        (Request::delete(PLACE), "GetItem TransactWriteItems"),
        (Request::delete(PLACE), "GetItem"),
        (Request::get("/v2/project-flows/x"), ""),
        (Request::create("{}"), ""),
    ];
    for (request, expected) in rows {
        let answer = api.send(&request).await;
        expect_calls(&proxy, expected, &request, &answer);
    }
}
