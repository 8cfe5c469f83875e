//! An update is done exactly once too, whatever the network and the database do. `make faults` prints the table.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{STALL, UNAVAILABLE, UNKNOWN, always, lost, throttled, unsent};
use crate::proxy::{Fault, Loss, Proxy};
use crate::support::{Api, Engine, Request, handler, page_request, path, send, send_before};

/// A fault, how many attempts in a row meet it, and what comes of it.
struct Row {
    name: &'static str,
    writes: Vec<Fault>,
    reads: Vec<Fault>,
    status: i64,
    code: &'static str,
    /// The version of the flow after the answer; a retry by the client makes it 2.
    version: u64,
}

fn row(name: &'static str, writes: Vec<Fault>, status: i64, code: &'static str, version: u64) -> Row {
    Row { name, writes, reads: Vec::new(), status, code, version }
}

/// Faults that begin after the read that an update begins with.
fn after_the_first(fault: Fault) -> Vec<Fault> {
    let mut faults = vec![Fault::None];
    faults.extend(always(fault));
    faults
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    use Loss::{Close, Cut, Garbage, Hang, Reset, Status};
    const FAILED: Fault = Fault::Cancelled(&["ConditionalCheckFailed", "None"]);
    vec![
        row("nothing", vec![], 200, "", 2),
        row("closed before the commit", vec![unsent(Close)], 200, "", 2),
        row("closed after the commit", vec![lost(Close)], 200, "", 2),
        row("reset after the commit", vec![lost(Reset)], 200, "", 2),
        row("silent before the commit", vec![unsent(Hang)], 200, "", 2),
        row("silent after the commit", vec![lost(Hang)], 200, "", 2),
        row("answer cut short", vec![lost(Cut)], 200, "", 2),
        row("HTTP 500 before the commit", vec![unsent(Status(500))], 200, "", 2),
        row("HTTP 500 after the commit", vec![lost(Status(500))], 200, "", 2),
        row("garbage before the commit", vec![unsent(Garbage)], 503, UNKNOWN, 1),
        row("garbage after the commit", vec![lost(Garbage)], 200, "", 2),
        row("closed after the commit, always", always(lost(Close)), 200, "", 2),
        row("HTTP 500 after the commit, always", always(lost(Status(500))), 200, "", 2),
        row("silent after the commit, always", always(lost(Hang)), 200, "", 2),
        row("closed before the commit, always", always(unsent(Close)), 503, UNKNOWN, 1),
        row("silent before the commit, always", always(unsent(Hang)), 503, UNKNOWN, 1),
        row("lost after the commit, then its condition fails", vec![lost(Close), FAILED], 200, "", 2),
        row("lost before the commit, then its condition fails", vec![unsent(Close), FAILED], 503, UNKNOWN, 1),
        row("lost after the commit, then denied", vec![lost(Close), Fault::Error(400, "AccessDeniedException", "no")], 200, "", 2),
        Row { reads: after_the_first(unsent(Close)), ..row("lost after the commit, and the read too", always(lost(Close)), 503, UNKNOWN, 2) },
        Row { reads: after_the_first(throttled("ThrottlingException")), ..row("lost after the commit, and the read throttled", always(lost(Close)), 503, UNKNOWN, 2) },
        Row { reads: vec![unsent(Close)], ..row("the first read closed", vec![], 200, "", 2) },
        Row { reads: always(unsent(Close)), ..row("the first read closed, always", vec![], 503, UNAVAILABLE, 1) },
        Row { reads: always(throttled("ThrottlingException")), ..row("the first read throttled, always", vec![], 503, UNAVAILABLE, 1) },
        row("conflict on the newest", vec![Fault::Cancelled(&["TransactionConflict", "None"])], 200, "", 2),
        row("conflict on the history", vec![Fault::Cancelled(&["None", "TransactionConflict"])], 200, "", 2),
        row("conflict, always", always(Fault::Cancelled(&["TransactionConflict", "None"])), 503, UNAVAILABLE, 1),
        row("throttled once", vec![throttled("ThrottlingException")], 200, "", 2),
        row("throttled, always", always(throttled("ThrottlingException")), 503, UNAVAILABLE, 1),
        row("throttled within, once", vec![Fault::Cancelled(&["ThrottlingError", "None"])], 200, "", 2),
        row("stalled for five seconds", vec![Fault::Stalled(STALL)], 200, "", 2),
        row("in progress, always", always(throttled("TransactionInProgressException")), 503, UNAVAILABLE, 1),
        row("item too large", always(Fault::Cancelled(&["ValidationError", "None"])), 413, "FLOW_TOO_LARGE", 1),
        row("history there already", always(Fault::Cancelled(&["None", "ConditionalCheckFailed"])), 500, "INTERNAL_ERROR", 1),
        row("denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", 1),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_an_update_has_its_answer_its_state_and_a_retry_that_converges() {
    let names: Vec<_> = rows().iter().map(|row| row.name).collect();
    let rows: Vec<_> = rows().into_iter().map(|row| tokio::spawn(meet(row))).collect();
    println!("{:48} {:30} {:>7} {:>8}", "fault of an update", "answer", "version", "time");
    for (name, row) in names.iter().zip(rows) {
        let (answer, version, time) = row.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name:48} {answer:30} {version:7} {:5} ms", time.as_millis());
    }
}

/// Sends an update through the row's faults, and again when they are over.
async fn meet(row: Row) -> (String, u64, Duration) {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    proxy.fail("TransactWriteItems", &row.writes);
    proxy.fail("GetItem", &row.reads);
    let update = Request::put(&path, json!({ "name": "Updated" })).header("if-match", "\"1\"").event();
    let deadline = Duration::from_secs(10);

    let start = Instant::now();
    let answer = send_before(&handler, &update, deadline).await;
    let time = start.elapsed();

    assert!(time < deadline, "an answer before the deadline");
    let found = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((answer.status, found.as_str()), (row.status, row.code), "{answer:?}");
    assert_eq!(answer.headers.contains_key("retry-after"), row.status == 503);
    assert_eq!(api.send(&Request::get(&path)).await.json()["data"]["version"], row.version);
    assert_eq!(api.engine.items().len() as u64, row.version, "the newest and the history");

    // The same again: done now, or refused because it was done before.
    proxy.heal();
    let again = send(&handler, &update).await;
    assert_eq!(again.status, if row.version == 1 { 200 } else { 412 }, "{again:?}");
    let flow = api.send(&Request::get(&path)).await.json()["data"].clone();
    assert_eq!((&flow["name"], &flow["version"]), (&json!("Updated"), &json!(2)));
    assert_eq!(api.engine.items().len(), 2);
    (format!("{} {found}", answer.status), row.version, time)
}

/// An update whose first attempt is lost on its way, while somebody else's is written.
async fn overtaken(header: &str, value: &str) -> (Api, String, crate::support::Answer) {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    // A second of silence, in which the other is written.
    proxy.fail("TransactWriteItems", &[unsent(Loss::Hang)]);
    let ours = Request::put(&path, json!({ "name": "Ours" })).header(header, value).event();
    let theirs = Request::put(&path, json!({ "description": "Theirs" }));
    let (ours, theirs) = tokio::join!(send(&handler, &ours), async {
        while proxy.calls("TransactWriteItems") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        api.send(&theirs).await
    });
    assert_eq!(theirs.json()["data"]["version"], 2);
    (api, path, ours)
}

#[tokio::test]
async fn an_update_that_is_overtaken_is_merged_again() {
    let (api, path, ours) = Box::pin(overtaken("x-none", "")).await;
    assert_eq!((ours.status, &ours.json()["data"]["version"]), (200, &json!(3)));
    let flow = api.send(&Request::get(&path)).await.json()["data"].clone();
    assert_eq!((&flow["name"], &flow["description"]), (&json!("Ours"), &json!("Theirs")));
}

#[tokio::test]
async fn an_update_with_a_precondition_that_is_overtaken_is_refused() {
    let (api, path, ours) = Box::pin(overtaken("if-match", "\"1\"")).await;
    ours.expect(412, "VERSION_CONFLICT");
    assert_eq!(api.send(&Request::get(&path)).await.json()["data"]["version"], 2);
}

#[tokio::test]
async fn our_own_version_is_found_in_the_history_when_the_flow_has_moved_on() {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    // Written, then a second of silence, in which another is written; then the condition fails, as it does where the
    // request token is forgotten.
    let failed = Fault::Cancelled(&["ConditionalCheckFailed", "None"]);
    proxy.fail("TransactWriteItems", &[lost(Loss::Hang), failed]);
    let ours = Request::put(&path, json!({ "name": "Ours" })).header("if-match", "\"1\"").event();
    let (ours, theirs) = tokio::join!(send(&handler, &ours), async {
        while api.engine.items().len() == 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        api.send(&Request::put(&path, json!({ "description": "Theirs" }))).await
    });
    assert_eq!(theirs.json()["data"]["version"], 3);
    assert_eq!((ours.status, &ours.json()["data"]["version"]), (200, &json!(2)), "{ours:?}");
    assert_eq!(api.engine.items().len(), 3);
}

#[tokio::test]
async fn a_read_that_fails_is_temporarily_unavailable_and_never_unknown() {
    let api = Api::start().await;
    let path = path(&api.send(&Request::create(page_request())).await);
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    for operation in ["GetItem", "Query"] {
        proxy.fail(operation, &always(unsent(Loss::Close)));
    }
    let reads = [
        Request::get(&path),
        Request::get(&format!("{path}/versions")),
        Request::get(&format!("{path}/versions/1/diff?from=1")),
        Request::get("/v2/project-flows"),
        Request::put(&format!("{path}?dryRun=true"), "{}"),
    ];
    for read in &reads {
        send(&handler, &read.event()).await.expect(503, UNAVAILABLE);
    }
    proxy.heal();
    for operation in ["GetItem", "Query"] {
        proxy.fail(operation, &always(unsent(Loss::Hang)));
    }
    for (read, code) in [(&reads[0], UNAVAILABLE), (&reads[3], UNAVAILABLE), (&Request::put(&path, "{}"), UNKNOWN)] {
        send_before(&handler, &read.event(), Duration::from_millis(600)).await.expect(503, code);
    }
}

#[tokio::test]
async fn a_delete_and_a_restore_are_done_once_where_answers_are_lost() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    let path = path(&send(&handler, &Request::create(page_request()).event()).await);
    for loss in [Loss::Close, Loss::Status(500)] {
        for (method, end, version) in [("DELETE", "", 2), ("POST", "/versions/1/restore", 3)] {
            proxy.fail("TransactWriteItems", &[lost(loss), lost(loss), lost(loss)]);
            let answer = send(&handler, &Request::of(method, &format!("{path}{end}")).event()).await;
            let version = version + if loss == Loss::Close { 0 } else { 2 };
            assert_eq!((answer.status, &answer.json()["data"]["version"]), (200, &json!(version)), "{answer:?}");
        }
    }
    assert_eq!(engine.items().len(), 5);
}
