//! A create is done exactly once, whatever fails.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::{
    EXPIRED, Met, Row, STALL, UNAVAILABLE, UNKNOWN, always, in_turn, lost, print_table, row, throttled, unsent,
};
use crate::engine;
use crate::proxy::{Fault, Loss, Proxy};
use crate::support::{Answer, Api, Engine, OWN_PROJECT, Options, Request, dynamo_db, page_request};

/// Without a table of projects, a create is one put.
#[rustfmt::skip]
fn puts() -> Vec<Row> {
    use Loss::{Close, Cut, Garbage, Hang, Reset, Status};
    vec![
        row("nothing", vec![], 201, "", 1),
        row("closed before the commit", vec![unsent(Close)], 201, "", 1),
        row("closed after the commit", vec![lost(Close)], 201, "", 1),
        row("reset before the commit", vec![unsent(Reset)], 201, "", 1),
        row("reset after the commit", vec![lost(Reset)], 201, "", 1),
        row("silent before the commit", vec![unsent(Hang)], 201, "", 1),
        row("silent after the commit", vec![lost(Hang)], 201, "", 1),
        row("answer cut short", vec![lost(Cut)], 201, "", 1),
        row("answer in drips, in time", vec![Fault::Drip(16, Duration::from_millis(2))], 201, "", 1),
        row("answer in drips, too slow", vec![Fault::Drip(1, Duration::from_millis(50))], 201, "", 1),
        row("HTTP 500 before the commit", vec![unsent(Status(500))], 201, "", 1),
        row("HTTP 500 after the commit", vec![lost(Status(500))], 201, "", 1),
        row("HTTP 503 before the commit", vec![unsent(Status(503))], 201, "", 1),
        row("HTTP 503 after the commit", vec![lost(Status(503))], 201, "", 1),
        row("garbage before the commit", vec![unsent(Garbage)], 503, UNKNOWN, 0),
        row("garbage after the commit", vec![lost(Garbage)], 201, "", 1),
        row("closed after the commit, always", always(lost(Close)), 201, "", 1),
        row("HTTP 500 after the commit, always", always(lost(Status(500))), 201, "", 1),
        row("silent after the commit, always", always(lost(Hang)), 201, "", 1),
        row("closed before the commit, always", always(unsent(Close)), 503, UNKNOWN, 0),
        row("silent before the commit, always", always(unsent(Hang)), 503, UNKNOWN, 0),
        row("HTTP 500 before the commit, always", always(unsent(Status(500))), 503, UNKNOWN, 0),
        row("lost after the commit, then throttled", vec![lost(Close), throttled("ThrottlingException"), throttled("ThrottlingException")], 201, "", 1),
        row("lost after the commit, then denied", vec![lost(Close), Fault::Error(400, "AccessDeniedException", "no")], 201, "", 1),
        Row { reads: always(unsent(Close)), ..row("lost after the commit, and the read too", always(lost(Close)), 503, UNKNOWN, 1) },
        Row { reads: always(throttled("ThrottlingException")), ..row("lost after the commit, and the read throttled", always(lost(Close)), 503, UNKNOWN, 1) },
        row("throttled once", vec![throttled("ThrottlingException")], 201, "", 1),
        row("throttled, always", always(throttled("ThrottlingException")), 503, UNAVAILABLE, 0),
        row("over the table's throughput, once", vec![throttled("ProvisionedThroughputExceededException")], 201, "", 1),
        row("over the table's throughput, always", always(throttled("ProvisionedThroughputExceededException")), 503, UNAVAILABLE, 0),
        row("over the account's limit, once", vec![throttled("RequestLimitExceeded")], 201, "", 1),
        row("over the account's limit, always", always(throttled("RequestLimitExceeded")), 503, UNAVAILABLE, 0),
        row("in conflict with a transaction, once", vec![throttled("TransactionConflictException")], 201, "", 1),
        row("in conflict with a transaction, always", always(throttled("TransactionConflictException")), 503, UNAVAILABLE, 0),
        row("lost after the commit, then in conflict", [&[lost(Close)], &always(throttled("TransactionConflictException"))[..]].concat(), 201, "", 1),
        row("lost before the commit, then in conflict", [&[unsent(Close)], &always(throttled("TransactionConflictException"))[..]].concat(), 503, UNKNOWN, 0),
        row("access denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", 0),
        row("credentials expired", always(Fault::Error(400, "ExpiredTokenException", "old")), 500, "INTERNAL_ERROR", 0),
        row("table missing", always(Fault::Error(400, "ResourceNotFoundException", "no table")), 500, "INTERNAL_ERROR", 0),
        row("a signature that has expired, once", vec![EXPIRED], 201, "", 1),
        row("a signature that has expired, always", always(EXPIRED), 503, UNAVAILABLE, 0),
        row("a signature that is not yet current, once", vec![Fault::Error(400, "InvalidSignatureException", "Signature not yet current: 1 is still later than 0")], 201, "", 1),
        row("a request that has expired, always", always(Fault::Error(400, "RequestExpired", "old")), 503, UNAVAILABLE, 0),
        row("lost after the commit, then expired", vec![lost(Close), EXPIRED, EXPIRED], 201, "", 1),
        row("lost before the commit, then expired", vec![unsent(Close), EXPIRED, EXPIRED], 503, UNKNOWN, 0),
        row("a wrong secret", always(Fault::Error(400, "InvalidSignatureException", "The request signature we calculated does not match")), 500, "INTERNAL_ERROR", 0),
    ]
}

/// With a table of projects, a create is a transaction, which checks the project too.
#[rustfmt::skip]
fn transactions() -> Vec<Row> {
    use Loss::{Close, Hang, Status};
    vec![
        row("transaction, nothing", vec![], 201, "", 1),
        row("transaction, closed after the commit", vec![lost(Close)], 201, "", 1),
        row("transaction, HTTP 500 after the commit", vec![lost(Status(500))], 201, "", 1),
        row("transaction, silent after the commit", vec![lost(Hang)], 201, "", 1),
        row("transaction, lost after the commit, always", always(lost(Close)), 201, "", 1),
        row("transaction, silent before the commit, always", always(unsent(Hang)), 503, UNKNOWN, 0),
        row("transaction, conflict on the flow", vec![Fault::Cancelled(&["TransactionConflict", "None"])], 201, "", 1),
        row("transaction, conflict on the project", vec![Fault::Cancelled(&["None", "TransactionConflict"])], 201, "", 1),
        row("transaction, conflict on both", vec![Fault::Cancelled(&["TransactionConflict", "TransactionConflict"])], 201, "", 1),
        row("transaction, conflict on the flow, always", always(Fault::Cancelled(&["TransactionConflict", "None"])), 503, UNAVAILABLE, 0),
        row("transaction, throttled within, once", vec![Fault::Cancelled(&["ThrottlingError", "None"])], 201, "", 1),
        row("transaction, over throughput within, always", always(Fault::Cancelled(&["None", "ProvisionedThroughputExceeded"])), 503, UNAVAILABLE, 0),
        row("transaction, in progress, once", vec![throttled("TransactionInProgressException")], 201, "", 1),
        row("transaction, in progress, always", always(throttled("TransactionInProgressException")), 503, UNAVAILABLE, 0),
        row("transaction, stalled for five seconds", vec![Fault::Stalled(STALL)], 201, "", 1),
        row("transaction, cancelled for another reason", always(Fault::Cancelled(&["ItemCollectionSizeLimitExceeded", "None"])), 500, "INTERNAL_ERROR", 0),
        row("transaction, with a signature that has expired, once", vec![EXPIRED], 201, "", 1),
        row("transaction, with a signature that has expired, always", always(EXPIRED), 503, UNAVAILABLE, 0),
        row("transaction, lost after the commit, then in conflict", vec![lost(Hang), Fault::Cancelled(&["TransactionConflict", "None"])], 201, "", 1),
        row("transaction, throttled, always", always(throttled("ThrottlingException")), 503, UNAVAILABLE, 0),
        row("transaction, denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", 0),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_fault_the_answer_is_true_and_a_retry_makes_it_one_flow() {
    let puts = puts().into_iter().map(|row| (row, Write::Put));
    let transactions = transactions().into_iter().map(|row| (row, Write::Transaction));
    let rows = puts.chain(transactions).map(|(row, write)| (row.name.to_owned(), meet(row, write)));
    print_table("fault of a create", rows.collect()).await;
}

enum Write {
    Put,
    Transaction,
}

/// Sends a create through the row's faults, and again when they are over.
async fn meet(row: Row, write: Write) -> Met {
    let (projects, write): (&[_], _) = match write {
        Write::Put => (&[], "PutItem"),
        Write::Transaction => (OWN_PROJECT, "TransactWriteItems"),
    };
    let direct = Api::with(Options { projects, ..Options::default() }).await;
    let (api, proxy) = direct.behind_proxy().await;
    let request = Request::create(page_request()).key("k");
    proxy.fail(write, &row.writes);
    proxy.fail("GetItem", &row.reads);

    let met = row.expect_answer(&api, &request).await;
    assert_eq!(met.answer.headers.get("idempotency-replayed"), None, "the client has sent it once");
    if met.answer.status == 201 {
        let stored = direct.get(&met.answer.path()).await;
        assert_eq!(stored.text, met.answer.text, "the answer is what is stored");
    }

    proxy.heal();
    let again = api.send(&request).await;
    assert_eq!(again.status, 201, "the client's retry: {again:?}");
    assert_eq!(api.engine.items().len(), 1, "the client's retry");
    assert_eq!(again.headers.contains_key("idempotency-replayed"), row.items == 1);
    if met.answer.status == 201 {
        assert_eq!(again.text, met.answer.text);
    }
    met
}

/// Creates a flow without a key through these faults. Returns the answer, and the numbers of items, writes and reads.
async fn create_through(writes: &[Fault], reads: &[Fault]) -> (Answer, usize, usize, usize) {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    proxy.fail("PutItem", writes);
    proxy.fail("GetItem", reads);

    let answer = api.send(&Request::create(page_request())).await;

    (answer, api.engine.items().len(), proxy.calls("PutItem"), proxy.calls("GetItem"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_is_lost_makes_one_flow_and_is_answered_201_each_of_1000_times() {
    for (loss, trials) in [(Loss::Close, 400), (Loss::Status(500), 400), (Loss::Hang, 200)] {
        for _ in 0..trials / 100 {
            let batch: Vec<_> = (0..100)
                .map(|_| tokio::spawn(in_turn(async move { create_through(&[lost(loss)], &[]).await })))
                .collect();
            for trial in batch {
                let (answer, items, puts, _) = trial.await.unwrap();
                assert_eq!((answer.status, items, puts), (201, 1, 2), "{loss:?}: {answer:?}");
            }
        }
    }
}

/// The reason for the test above: the same put without a proof always reports a false conflict.
#[tokio::test]
async fn a_plain_conditional_put_reports_a_false_conflict() {
    for loss in [Loss::Close, Loss::Status(500)] {
        let engine = Engine::start().await;
        let proxy = Proxy::start(&engine.url).await;
        let client = dynamo_db(&proxy.url).await;
        proxy.fail("PutItem", &[lost(loss)]);

        let put = client
            .put_item()
            .table_name(engine::TABLE)
            .item("pk", AttributeValue::S("CLIENT#a".to_owned()))
            .item("sk", AttributeValue::S("FLOW#b".to_owned()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;

        let error = put.unwrap_err().into_service_error();
        assert!(error.is_conditional_check_failed_exception(), "{loss:?}");
        assert_eq!(engine.items().len(), 1, "{loss:?}: it was written all the same");
    }
}

#[tokio::test]
async fn one_read_settles_a_create_without_a_key_that_got_no_answer() {
    for loss in [Loss::Close, Loss::Status(500), Loss::Hang] {
        let (answer, items, puts, gets) = create_through(&always(lost(loss)), &[]).await;
        assert_eq!((answer.status, items, puts, gets), (201, 1, 3, 1), "{loss:?}: {answer:?}");
        let (answer, items, _, gets) = create_through(&always(unsent(loss)), &[]).await;
        answer.expect(503, UNKNOWN);
        assert_eq!((items, gets), (0, 1), "{loss:?}: it may still be under way");
    }
    let (answer, items, _, _) = create_through(&always(lost(Loss::Close)), &always(unsent(Loss::Close))).await;
    answer.expect(503, UNKNOWN);
    assert_eq!(items, 1);
}

#[tokio::test]
async fn a_create_is_recognized_after_the_flow_was_updated() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let request = Request::create(page_request()).key("k");
    let first = api.send(&request).await;
    api.set(&first.path(), "name", json!("Updated")).await;

    let again = api.send(&request).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    proxy.fail("GetItem", &always(unsent(Loss::Close)));
    api.send(&request).await.expect(503, UNAVAILABLE);
    proxy.fail("PutItem", &[lost(Loss::Close)]);
    api.send(&request).await.expect(503, UNKNOWN);
}

#[tokio::test]
async fn a_connection_that_closes_while_the_function_is_frozen_fails_no_request() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    for trial in 1..=100 {
        proxy.fail("PutItem", &[Fault::CloseIdle]);
        let answer = api.send(&Request::create(page_request())).await;
        assert_eq!(answer.status, 201, "trial {trial}: {answer:?}");
        assert_eq!(api.engine.items().len(), trial);
    }
}

/// Prints the times, and does not judge them: other work on the machine changes them.
#[tokio::test]
async fn a_lost_answer_costs_one_more_attempt() {
    const TRIALS: usize = 100;
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let mut medians = Vec::new();
    for faults in [&[][..], &[lost(Loss::Close)][..]] {
        let mut times = Vec::new();
        for _ in 0..TRIALS {
            proxy.fail("PutItem", faults);
            let start = Instant::now();
            let answer = api.send(&Request::create(page_request())).await;
            times.push(start.elapsed());
            assert_eq!(answer.status, 201);
        }
        times.sort_unstable();
        medians.push(times[TRIALS / 2]);
    }
    println!("median of {TRIALS} creates: {:?}; with the answer lost: {:?}", medians[0], medians[1]);
    assert_eq!(api.engine.items().len(), 2 * TRIALS);
}
