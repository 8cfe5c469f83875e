//! A release and a withdrawal are each done exactly once, whatever fails.

use std::time::Duration;

use serde_json::{Value, json};

use super::update::after_the_first;
use super::{EXPIRED, Met, Row, STALL, UNAVAILABLE, UNKNOWN, always, lost, print_table, row, throttled, unsent};
use crate::proxy::{Fault, Loss};
use crate::support::{Api, FOUR_EYES, Options, PLACE, Request, page_request};

/// The items before a release: two versions of the flow.
const BEFORE: usize = 2;
/// The items after it: the release in force, and the release that stays.
const AFTER: usize = BEFORE + 2;

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    use Loss::{Close, Cut, Garbage, Hang, Reset, Status};
    const FAILED: Fault = Fault::Cancelled(&["ConditionalCheckFailed", "None", "None"]);
    const PAUSED: Fault = Fault::Cancelled(&["None", "None", "ConditionalCheckFailed"]);
    vec![
        row("nothing", vec![], 200, "", AFTER),
        row("closed before the commit", vec![unsent(Close)], 200, "", AFTER),
        row("closed after the commit", vec![lost(Close)], 200, "", AFTER),
        row("reset after the commit", vec![lost(Reset)], 200, "", AFTER),
        row("silent before the commit", vec![unsent(Hang)], 200, "", AFTER),
        row("silent after the commit", vec![lost(Hang)], 200, "", AFTER),
        row("answer cut short", vec![lost(Cut)], 200, "", AFTER),
        row("HTTP 500 before the commit", vec![unsent(Status(500))], 200, "", AFTER),
        row("HTTP 500 after the commit", vec![lost(Status(500))], 200, "", AFTER),
        row("garbage before the commit", vec![unsent(Garbage)], 503, UNKNOWN, BEFORE),
        row("garbage after the commit", vec![lost(Garbage)], 200, "", AFTER),
        row("closed after the commit, always", always(lost(Close)), 200, "", AFTER),
        row("silent after the commit, always", always(lost(Hang)), 200, "", AFTER),
        row("closed before the commit, always", always(unsent(Close)), 503, UNKNOWN, BEFORE),
        row("silent before the commit, always", always(unsent(Hang)), 503, UNKNOWN, BEFORE),
        row("lost after the commit, then its condition fails", vec![lost(Close), FAILED], 200, "", AFTER),
        row("lost before the commit, then its condition fails", vec![unsent(Close), FAILED], 200, "", AFTER),
        row("lost after the commit, then the flow is paused", vec![lost(Close), PAUSED], 200, "", AFTER),
        row("lost before the commit, then the flow is seen paused", vec![unsent(Close), PAUSED], 200, "", AFTER),
        row("lost after the commit, then denied", vec![lost(Close), Fault::Error(400, "AccessDeniedException", "no")], 200, "", AFTER),
        // The first read is that of the place. The second is that of the flow, and with a fault nothing is written.
        Row { reads: vec![unsent(Close)], ..row("the first read closed", vec![], 200, "", AFTER) },
        Row { reads: vec![Fault::None, unsent(Close)], ..row("the second read closed", vec![], 200, "", AFTER) },
        Row { reads: always(unsent(Close)), ..row("the first read closed, always", vec![], 503, UNAVAILABLE, BEFORE) },
        Row { reads: after_the_first(unsent(Close)), ..row("the second read closed, always", vec![], 503, UNAVAILABLE, BEFORE) },
        Row { reads: [vec![Fault::None, Fault::None], always(unsent(Close))].concat(), ..row("lost after the commit, and the read too", always(lost(Close)), 503, UNKNOWN, AFTER) },
        row("the flow is seen paused, once", vec![PAUSED], 200, "", AFTER),
        row("conflict on the place", vec![Fault::Cancelled(&["TransactionConflict", "None", "None"])], 200, "", AFTER),
        row("conflict on the flow", vec![Fault::Cancelled(&["None", "None", "TransactionConflict"])], 200, "", AFTER),
        row("conflict, always", always(Fault::Cancelled(&["TransactionConflict", "None", "None"])), 503, UNAVAILABLE, BEFORE),
        row("throttled once", vec![throttled("ThrottlingException")], 200, "", AFTER),
        row("throttled, always", always(throttled("ThrottlingException")), 503, UNAVAILABLE, BEFORE),
        row("stalled for five seconds", vec![Fault::Stalled(STALL)], 200, "", AFTER),
        row("in progress, always", always(throttled("TransactionInProgressException")), 503, UNAVAILABLE, BEFORE),
        row("a signature that has expired, once", vec![EXPIRED], 200, "", AFTER),
        row("a signature that has expired, always", always(EXPIRED), 503, UNAVAILABLE, BEFORE),
        row("lost after the commit, then in conflict", vec![lost(Hang), Fault::Cancelled(&["TransactionConflict", "None", "None"])], 200, "", AFTER),
        row("lost before the commit, then in conflict", vec![unsent(Hang), Fault::Cancelled(&["TransactionConflict", "None", "None"])], 200, "", AFTER),
        row("release there already", always(Fault::Cancelled(&["None", "ConditionalCheckFailed", "None"])), 500, "INTERNAL_ERROR", BEFORE),
        row("denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", BEFORE),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_fault_the_answer_is_true_and_a_retry_makes_it_one_release() {
    let rows = rows().into_iter().map(|row| (row.name.to_owned(), meet(row)));
    print_table("fault of a release", rows.collect()).await;
}

/// Sends a release through the row's faults, and again when they are over.
async fn meet(row: Row) -> Met {
    let api = Api::start().await;
    let path = api.create_active().await;
    let (faulty, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &row.writes);
    proxy.fail("GetItem", &row.reads);
    let release = Request::release(&path, 2).header("if-none-match", "*");

    let met = row.expect_answer(&faulty, &release).await;
    let stored = api.get(PLACE).await;
    assert_eq!(stored.status, if met.items == AFTER { 200 } else { 404 });
    if met.answer.status == 200 {
        assert_eq!(met.answer.text, stored.text, "the answer is what is stored");
    }

    // The retry writes now, or is refused because the release was written before.
    proxy.heal();
    let again = faulty.send(&release).await;
    assert_eq!(again.status, if met.items == AFTER { 412 } else { 200 }, "{again:?}");
    assert_eq!(api.get(PLACE).await.json()["release"]["number"], 1);
    assert_eq!(api.engine.items().len(), AFTER);
    met
}

/// The items after a release that was reviewed: also the mark of the review.
const AFTER_REVIEW: usize = AFTER + 1;

#[rustfmt::skip]
fn rows_with_four_eyes() -> Vec<Row> {
    let closed = || unsent(Loss::Close);
    vec![
        row("nothing", vec![], 200, "", AFTER_REVIEW),
        row("closed after the commit, always", always(lost(Loss::Close)), 200, "", AFTER_REVIEW),
        row("closed before the commit, always", always(closed()), 503, UNKNOWN, BEFORE),
        row("conflict on the mark", vec![Fault::Cancelled(&["None", "None", "None", "TransactionConflict"])], 200, "", AFTER_REVIEW),
        Row { reads: vec![closed(), closed()], ..row("the last review cannot be read, twice", vec![], 200, "", AFTER_REVIEW) },
        Row { reads: always(closed()), ..row("the last review cannot be read", vec![], 503, UNAVAILABLE, BEFORE) },
        Row { reads: after_the_first(closed()), ..row("the versions cannot be read", vec![], 503, UNAVAILABLE, BEFORE) },
        Row { reads: always(unsent(Loss::Hang)), ..row("the last review is silent", vec![], 503, UNAVAILABLE, BEFORE) },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_four_eyes_nothing_is_sent_unless_the_review_has_ended() {
    let rows = rows_with_four_eyes().into_iter().map(|row| (row.name.to_owned(), meet_with_four_eyes(row)));
    print_table("fault of a release with four eyes", rows.collect()).await;
}

async fn meet_with_four_eyes(row: Row) -> Met {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = api.create_from(&Request::create(page_request()).by("ann")).await;
    let active = api.send(&Request::put(&path, json!({ "status": "active" })).by("ann")).await;
    assert_eq!(active.status, 200, "{active:?}");
    let (faulty, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &row.writes);
    proxy.fail("Query", &row.reads);
    let met = row.expect_answer(&faulty, &Request::release(&path, 2).by("bob")).await;
    assert!(met.items == BEFORE || api.get(PLACE).await.json()["release"]["reviewed"] == true);
    if row.code == UNAVAILABLE {
        assert_eq!(proxy.calls("TransactWriteItems"), 0);
    }
    met
}

/// The numbers of all releases, newest first, each with the version that it names.
async fn releases(api: &Api) -> Vec<(u64, Value)> {
    let list = api.get(&format!("{PLACE}/releases")).await.json();
    let releases = list["data"].as_array().unwrap().iter();
    releases.map(|release| (release["number"].as_u64().unwrap(), release["version"].clone())).collect()
}

#[tokio::test]
async fn a_release_is_recognized_after_later_ones() {
    for is_first in [true, false] {
        let api = Api::start().await;
        let path = api.create_active().await;
        for name in ["Three", "Four", "Five"] {
            api.set(&path, "name", json!(name)).await;
        }
        if !is_first {
            assert_eq!(api.send(&Request::release(&path, 5)).await.status, 200);
        }
        let (faulty, proxy) = api.behind_proxy().await;
        // Our release is written, but its answer is lost. Two others are written while the function waits. Then our retry
        // fails its condition, because the database has forgotten its request token.
        let failed = Fault::Cancelled(&["ConditionalCheckFailed", "None", "None"]);
        proxy.fail("TransactWriteItems", &[lost(Loss::Hang), failed]);
        let (before, ours) = (api.engine.items().len(), Request::release(&path, 2));
        let (ours, ()) = tokio::join!(faulty.send(&ours), async {
            while api.engine.items().len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            for version in [3, 4] {
                assert_eq!(api.send(&Request::release(&path, version)).await.status, 200);
            }
        });
        let number = if is_first { 1 } else { 2 };
        assert_eq!((ours.status, &ours.json()["release"]["number"]), (200, &json!(number)), "{ours:?}");
        let mut expected = vec![(number + 2, json!(4)), (number + 1, json!(3)), (number, json!(2))];
        expected.extend((!is_first).then_some((1, json!(5))));
        assert_eq!(releases(&api).await, expected);
    }
}

#[tokio::test]
async fn a_release_that_another_one_overtakes_follows_it_unless_a_precondition_forbids_that() {
    for precondition in [None, Some("\"1\"")] {
        let api = Api::start().await;
        let path = api.create_active().await;
        api.set(&path, "name", json!("Three")).await;
        api.set(&path, "name", json!("Four")).await;
        assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
        let (faulty, proxy) = api.behind_proxy().await;
        // The function waits for an answer for a second. The other release is written in that second.
        proxy.fail("TransactWriteItems", &[unsent(Loss::Hang)]);
        let ours = Request::release(&path, 3);
        let ours = precondition.map_or(ours.clone(), |tag| ours.header("if-match", tag));
        let (ours, theirs) = tokio::join!(faulty.send(&ours), async {
            while proxy.calls("TransactWriteItems") == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            api.send(&Request::release(&path, 4)).await
        });
        assert_eq!(theirs.json()["release"]["number"], 2);
        if precondition.is_some() {
            ours.expect(412, "VERSION_CONFLICT");
            assert_eq!(releases(&api).await, [(2, json!(4)), (1, json!(2))]);
        } else {
            assert_eq!((ours.status, &ours.json()["release"]["number"]), (200, &json!(3)), "{ours:?}");
            assert_eq!(releases(&api).await, [(3, json!(3)), (2, json!(4)), (1, json!(2))]);
        }
    }
}

#[tokio::test]
async fn a_withdrawal_is_done_once_although_answers_are_lost() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let path = api.create_active().await;
    for (loss, number) in [(Loss::Close, 2), (Loss::Status(500), 4)] {
        assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
        proxy.fail("TransactWriteItems", &[lost(loss), lost(loss), lost(loss)]);
        let withdrawn = api.send(&Request::delete(PLACE)).await;
        assert_eq!((withdrawn.status, &withdrawn.json()["release"]["number"]), (200, &json!(number)), "{withdrawn:?}");
    }
    assert_eq!(releases(&api).await.len(), 4);
}

#[tokio::test]
async fn a_pause_that_was_perhaps_written_is_not_refused_for_what_is_live() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let (faulty, proxy) = api.behind_proxy().await;
    let live = Fault::Cancelled(&["None", "None", "ConditionalCheckFailed"]);
    let pause = Request::put(&path, json!({ "status": "paused" }));
    proxy.fail("TransactWriteItems", &[unsent(Loss::Close), live.clone()]);
    faulty.send(&pause).await.expect(503, UNKNOWN);
    proxy.fail("TransactWriteItems", &[lost(Loss::Close), live]);
    let paused = faulty.send(&pause).await;
    assert_eq!((paused.status, &paused.json()["data"]["status"]), (200, &json!("paused")), "{paused:?}");
}
