//! An update, a delete and a restore are each done exactly once, whatever fails.

use std::time::Duration;

use serde_json::json;

use super::{EXPIRED, Met, Row, STALL, UNAVAILABLE, UNKNOWN, always, lost, print_table, row, throttled, unsent};
use crate::proxy::{Fault, Loss};
use crate::support::{Answer, Api, Request};

/// Always the same fault, but not for the read that an update begins with.
pub fn after_the_first(fault: Fault) -> Vec<Fault> {
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
        row("lost before the commit, then its condition fails", vec![unsent(Close), FAILED], 200, "", 2),
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
        row("a signature that has expired, once", vec![EXPIRED], 200, "", 2),
        row("a signature that has expired, always", always(EXPIRED), 503, UNAVAILABLE, 1),
        Row { reads: vec![EXPIRED], ..row("the signature of the first read has expired, once", vec![], 200, "", 2) },
        Row { reads: always(EXPIRED), ..row("the signature of the first read has expired, always", vec![], 503, UNAVAILABLE, 1) },
        row("lost after the commit, then in conflict", vec![lost(Hang), Fault::Cancelled(&["TransactionConflict", "None"])], 200, "", 2),
        row("lost before the commit, then in conflict", vec![unsent(Hang), Fault::Cancelled(&["TransactionConflict", "None"])], 200, "", 2),
        row("lost before the commit, then in conflict, always", [&[unsent(Hang)], &always(Fault::Cancelled(&["TransactionConflict", "None"]))[..]].concat(), 503, UNKNOWN, 1),
        row("stalled, and meets the next request", vec![Fault::Stalled(Duration::from_millis(1_500)), unsent(Hang)], 200, "", 2),
        row("history there already", always(Fault::Cancelled(&["None", "ConditionalCheckFailed"])), 500, "INTERNAL_ERROR", 1),
        row("denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", 1),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_fault_the_answer_is_true_and_a_retry_makes_it_one_update() {
    let rows = rows().into_iter().map(|row| (row.name.to_owned(), meet(row)));
    print_table("fault of an update", rows.collect()).await;
}

/// Sends an update through the row's faults, and again when they are over.
async fn meet(row: Row) -> Met {
    let api = Api::start().await;
    let path = api.create().await;
    let (faulty, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &row.writes);
    proxy.fail("GetItem", &row.reads);
    let update = Request::put(&path, json!({ "name": "Updated" })).header("if-match", "\"1\"");

    let met = row.expect_answer(&faulty, &update).await;
    let stored = api.get(&path).await;
    assert_eq!(stored.json()["data"]["version"], met.items, "one item for each version");
    if met.answer.status == 200 {
        assert_eq!(met.answer.text, stored.text, "the answer is what is stored");
    }

    // The retry writes now, or is refused because the update was written before.
    proxy.heal();
    let again = faulty.send(&update).await;
    assert_eq!(again.status, if met.items == 1 { 200 } else { 412 }, "{again:?}");
    let flow = api.get(&path).await.json()["data"].clone();
    assert_eq!((&flow["name"], &flow["version"]), (&json!("Updated"), &json!(2)));
    assert_eq!(api.engine.items().len(), 2);
    met
}

/// Sends an update whose first attempt is lost, while another update is written. Returns the path and the answer.
async fn overtake(header: &str, value: &str) -> (Api, String, Answer) {
    let api = Api::start().await;
    let path = api.create().await;
    let (faulty, proxy) = api.behind_proxy().await;
    // The function waits for an answer for a second. The other update is written in that second.
    proxy.fail("TransactWriteItems", &[unsent(Loss::Hang)]);
    let ours = Request::put(&path, json!({ "name": "Ours" })).header(header, value);
    let theirs = Request::put(&path, json!({ "description": "Theirs" }));
    let (ours, theirs) = tokio::join!(faulty.send(&ours), async {
        while proxy.calls("TransactWriteItems") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        api.send(&theirs).await
    });
    assert_eq!(theirs.json()["data"]["version"], 2);
    (api, path, ours)
}

#[tokio::test]
async fn an_update_that_another_one_overtakes_is_merged_into_it() {
    let (api, path, ours) = Box::pin(overtake("x-none", "")).await;
    assert_eq!((ours.status, &ours.json()["data"]["version"]), (200, &json!(3)));
    let flow = api.get(&path).await.json()["data"].clone();
    assert_eq!((&flow["name"], &flow["description"]), (&json!("Ours"), &json!("Theirs")));
}

#[tokio::test]
async fn an_update_with_a_precondition_that_another_one_overtakes_is_refused() {
    let (api, path, ours) = Box::pin(overtake("if-match", "\"1\"")).await;
    ours.expect(412, "VERSION_CONFLICT");
    assert_eq!(api.get(&path).await.json()["data"]["version"], 2);
}

#[tokio::test]
async fn a_patch_that_another_one_overtakes_is_merged_into_it() {
    let api = Api::start().await;
    let path = api.create().await;
    let (faulty, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &[unsent(Loss::Hang)]);
    let raise = |name: &str| Request::patch(&path, json!({ "configuration": { "securityThresholds": { name: 0.9 } } }));
    let (ours, theirs) = tokio::join!(faulty.send(&raise("face")), async {
        while proxy.calls("TransactWriteItems") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        api.send(&raise("document")).await
    });
    assert_eq!(
        (theirs.json()["data"]["version"].as_u64(), ours.json()["data"]["version"].as_u64()),
        (Some(2), Some(3))
    );
    let thresholds = api.get(&path).await.json()["data"]["configuration"]["securityThresholds"].clone();
    assert_eq!(thresholds, json!({ "document": 0.9, "face": 0.9 }));
}

#[tokio::test]
async fn an_update_is_recognized_in_the_history_after_a_later_one() {
    let api = Api::start().await;
    let path = api.create().await;
    let (faulty, proxy) = api.behind_proxy().await;
    // Our update is written, but its answer is lost. Another update is written while the function waits. Then our retry
    // fails its condition, because the database has forgotten its request token.
    let failed = Fault::Cancelled(&["ConditionalCheckFailed", "None"]);
    proxy.fail("TransactWriteItems", &[lost(Loss::Hang), failed]);
    let ours = Request::put(&path, json!({ "name": "Ours" })).header("if-match", "\"1\"");
    let (ours, theirs) = tokio::join!(faulty.send(&ours), async {
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
async fn a_patch_a_delete_and_a_restore_are_done_once_although_answers_are_lost() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let path = api.create().await;
    for loss in [Loss::Close, Loss::Status(500)] {
        let change = Request::patch(&path, json!({ "configuration": { "loss": format!("{loss:?}") } }));
        for (request, version) in [(change, 2), (Request::delete(&path), 3), (Request::restore(&path, 1), 4)] {
            proxy.fail("TransactWriteItems", &[lost(loss), lost(loss), lost(loss)]);
            let answer = api.send(&request).await;
            let version = version + if loss == Loss::Close { 0 } else { 3 };
            assert_eq!((answer.status, &answer.json()["data"]["version"]), (200, &json!(version)), "{answer:?}");
        }
    }
    assert_eq!(api.engine.items().len(), 7);
}
