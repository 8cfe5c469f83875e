//! The write is done exactly once, whatever the network and the database do. `make faults` prints the table.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::{STALL, UNAVAILABLE, UNKNOWN, always, lost, throttled, unsent};
use crate::engine;
use crate::proxy::{Fault, Loss, Proxy};
use crate::support::{
    Answer, CLIENT, Engine, Request, handler, handler_with_projects, page_request, sdk, send, send_before,
};

/// A fault, how many attempts in a row meet it, and what comes of it.
struct Row {
    name: &'static str,
    /// Whether the flow's project is checked, which makes the write a transaction.
    project: bool,
    writes: Vec<Fault>,
    reads: Vec<Fault>,
    status: i64,
    code: &'static str,
    /// How many flows there are after the answer; a retry by the client makes it one.
    flows: usize,
}

fn row(name: &'static str, writes: Vec<Fault>, status: i64, code: &'static str, flows: usize) -> Row {
    Row { name, project: false, writes, reads: Vec::new(), status, code, flows }
}

fn transaction(name: &'static str, writes: Vec<Fault>, status: i64, code: &'static str, flows: usize) -> Row {
    Row { project: true, ..row(name, writes, status, code, flows) }
}

#[rustfmt::skip]
fn rows() -> Vec<Row> {
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
        row("item too large", always(Fault::Error(400, "ValidationException", "Item size has exceeded the maximum allowed size")), 413, "FLOW_TOO_LARGE", 0),
        transaction("transaction, nothing", vec![], 201, "", 1),
        transaction("transaction closed after the commit", vec![lost(Close)], 201, "", 1),
        transaction("transaction HTTP 500 after the commit", vec![lost(Status(500))], 201, "", 1),
        transaction("transaction silent after the commit", vec![lost(Hang)], 201, "", 1),
        transaction("transaction lost after the commit, always", always(lost(Close)), 201, "", 1),
        transaction("transaction silent before the commit, always", always(unsent(Hang)), 503, UNKNOWN, 0),
        transaction("transaction conflict on the flow", vec![Fault::Cancelled(&["TransactionConflict", "None"])], 201, "", 1),
        transaction("transaction conflict on the project", vec![Fault::Cancelled(&["None", "TransactionConflict"])], 201, "", 1),
        transaction("transaction conflict on both", vec![Fault::Cancelled(&["TransactionConflict", "TransactionConflict"])], 201, "", 1),
        transaction("transaction conflict on the flow, always", always(Fault::Cancelled(&["TransactionConflict", "None"])), 503, UNAVAILABLE, 0),
        transaction("transaction throttled within, once", vec![Fault::Cancelled(&["ThrottlingError", "None"])], 201, "", 1),
        transaction("transaction over throughput within, always", always(Fault::Cancelled(&["None", "ProvisionedThroughputExceeded"])), 503, UNAVAILABLE, 0),
        transaction("transaction in progress, once", vec![throttled("TransactionInProgressException")], 201, "", 1),
        transaction("transaction in progress, always", always(throttled("TransactionInProgressException")), 503, UNAVAILABLE, 0),
        transaction("transaction stalled for five seconds", vec![Fault::Stalled(STALL)], 201, "", 1),
        transaction("transaction cancelled for another reason", always(Fault::Cancelled(&["ItemCollectionSizeLimitExceeded", "None"])), 500, "INTERNAL_ERROR", 0),
        transaction("transaction with an item too large", always(Fault::Cancelled(&["ValidationError", "None"])), 413, "FLOW_TOO_LARGE", 0),
        transaction("transaction throttled, always", always(throttled("ThrottlingException")), 503, UNAVAILABLE, 0),
        transaction("transaction denied", always(Fault::Error(400, "AccessDeniedException", "no")), 500, "INTERNAL_ERROR", 0),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_its_answer_its_state_and_a_retry_that_converges() {
    let names: Vec<_> = rows().iter().map(|row| row.name).collect();
    let rows: Vec<_> = rows().into_iter().map(|row| tokio::spawn(meet(row))).collect();
    let mut found = Vec::new();
    for row in rows {
        found.push(row.await);
    }
    println!("{:48} {:30} {:>5} {:>6} {:>8}", "fault", "answer", "flows", "retry", "time");
    for (name, found) in names.iter().zip(found) {
        let Met { answer, flows, time } = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        println!("{name:48} {answer:30} {flows:5} {:>6} {:5} ms", "201", time.as_millis());
    }
}

struct Met {
    answer: String,
    flows: usize,
    time: Duration,
}

/// Sends a request through the row's faults, and again when they are over.
async fn meet(row: Row) -> Met {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = if row.project {
        engine.add_projects(&[("project_123456789", CLIENT)]);
        handler_with_projects(&proxy.url).await
    } else {
        handler(&proxy.url).await
    };
    let request = Request::create(page_request()).key("k").event();
    proxy.fail(if row.project { "TransactWriteItems" } else { "PutItem" }, &row.writes);
    proxy.fail("GetItem", &row.reads);
    let deadline = Duration::from_secs(10);

    let start = Instant::now();
    let answer = send_before(&handler, &request, deadline).await;
    let time = start.elapsed();

    assert!(time < deadline, "an answer before the deadline");
    let found = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((answer.status, found.as_str()), (row.status, row.code), "{answer:?}");
    answer.expect_headers();
    assert_eq!(answer.headers.contains_key("retry-after"), row.status == 503);
    assert_eq!(answer.headers.get("idempotency-replayed"), None, "the client has sent it once");
    assert_eq!(engine.items().len(), row.flows, "flows");

    proxy.heal();
    let again = send(&handler, &request).await;
    assert_eq!(again.status, 201, "the client's retry: {again:?}");
    assert_eq!(engine.items().len(), 1, "the client's retry");
    assert_eq!(again.headers.contains_key("idempotency-replayed"), row.flows == 1);
    if answer.status == 201 {
        assert_eq!(again.text, answer.text);
    }
    Met { answer: format!("{} {found}", answer.status), flows: row.flows, time }
}

/// Creates a flow without a key on an engine of its own, with these faults on the way; also says what the engine then
/// holds, and how often it was written and read.
async fn create_through(writes: &[Fault], reads: &[Fault]) -> (Answer, usize, usize, usize) {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    proxy.fail("PutItem", writes);
    proxy.fail("GetItem", reads);

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    (answer, engine.items().len(), proxy.calls("PutItem"), proxy.calls("GetItem"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_one_201_and_one_item_1000_times_out_of_1000() {
    for (loss, trials) in [(Loss::Close, 400), (Loss::Status(500), 400), (Loss::Hang, 200)] {
        for _ in 0..trials / 100 {
            let batch: Vec<_> =
                (0..100).map(|_| tokio::spawn(async move { create_through(&[lost(loss)], &[]).await })).collect();
            for trial in batch {
                let (answer, items, puts, _) = trial.await.unwrap();
                assert_eq!((answer.status, items, puts), (201, 1, 2), "{loss:?}: {answer:?}");
            }
        }
    }
}

/// What the test above is for: the same put without the proof reports a conflict that is none, every time.
#[tokio::test]
async fn a_plain_conditional_put_reports_a_false_conflict() {
    for loss in [Loss::Close, Loss::Status(500)] {
        let engine = Engine::start().await;
        let proxy = Proxy::start(&engine.url).await;
        let client = aws_sdk_dynamodb::Client::new(&sdk(&proxy.url).await);
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
        assert_eq!(engine.items().len(), 1, "{loss:?}: and yet it was written");
    }
}

#[tokio::test]
async fn without_a_key_an_outcome_without_any_answer_is_settled_by_one_read() {
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
async fn a_lost_answer_to_a_flow_that_has_moved_on_is_still_ours() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    let request = Request::create(page_request()).key("k").event();
    let first = send(&handler, &request).await;
    let id = first.json()["data"]["_id"].as_str().unwrap().to_owned();

    // The item that the same call would find, had somebody updated the flow between its two attempts.
    let (ours, mut newest) = (engine.item(CLIENT, &id), engine.item(CLIENT, &id));
    newest["version"]["N"] = json!("2");
    newest["writeToken"]["S"] = json!("another call's");
    let mut history = ours;
    history["sk"]["S"] = json!(format!("VERSION#{id}#0000000001"));
    engine.put(engine::TABLE, &newest);
    engine.put(engine::TABLE, &history);

    let again = send(&handler, &request).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    proxy.fail("GetItem", &always(unsent(Loss::Close)));
    send(&handler, &request).await.expect(503, UNAVAILABLE);
    proxy.fail("PutItem", &[lost(Loss::Close)]);
    send(&handler, &request).await.expect(503, UNKNOWN);
}

#[tokio::test]
async fn connections_that_close_while_the_function_is_frozen_cost_no_request() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    for trial in 1..=100 {
        proxy.fail("PutItem", &[Fault::CloseIdle]);
        let answer = send(&handler, &Request::create(page_request()).event()).await;
        assert_eq!(answer.status, 201, "trial {trial}: {answer:?}");
        assert_eq!(engine.items().len(), trial);
    }
}

#[tokio::test]
async fn a_database_that_is_down_is_temporarily_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let handler = handler(&url).await;

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    answer.expect(503, UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
    for secret in ["dynamodb", "127.0.0.1", engine::TABLE, "PutItem"] {
        assert!(!answer.text.to_lowercase().contains(&secret.to_lowercase()), "{}", answer.text);
    }
}

/// An address that never answers: the handshake of the connection is never finished.
#[tokio::test]
async fn a_database_that_cannot_be_reached_is_temporarily_unavailable() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Fills the queue of connections, so that the next ones wait.
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(tokio::time::timeout(Duration::from_millis(100), tokio::net::TcpStream::connect(address)).await);
    }
    let handler = handler(&format!("http://{address}")).await;

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    answer.expect(503, UNAVAILABLE);
}

#[tokio::test]
async fn a_table_that_is_missing_is_an_internal_error_that_says_nothing_of_it() {
    let database = dynoxide::Database::memory().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handler = handler(&engine::serve(database, listener).unwrap()).await;

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    answer.expect(500, "INTERNAL_ERROR");
    assert_eq!(answer.text, r#"{"error":"something went wrong on our side","message":"INTERNAL_ERROR"}"#);
}

#[tokio::test]
async fn an_answer_comes_before_the_deadline_of_the_runtime() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    for (writes, flows) in [(always(lost(Loss::Hang)), 1), (always(unsent(Loss::Hang)), 1)] {
        proxy.heal();
        proxy.fail("PutItem", &writes);
        let request = Request::create(page_request()).event();
        let deadline = Duration::from_millis(700);
        let start = Instant::now();
        let answer = send_before(&handler, &request, deadline).await;
        assert!(start.elapsed() < deadline, "{:?}", start.elapsed());
        answer.expect(503, UNKNOWN);
        assert_eq!(engine.items().len(), flows);
    }
}

#[tokio::test]
async fn a_dry_run_that_is_late_has_written_nothing() {
    let engine = Engine::start().await;
    engine.add_projects(&[("project_123456789", CLIENT)]);
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler_with_projects(&proxy.url).await;
    proxy.fail("GetItem", &always(lost(Loss::Hang)));
    let request = Request::create(page_request()).query("dryRun=true").event();
    send_before(&handler, &request, Duration::from_millis(700)).await.expect(503, UNAVAILABLE);
    assert_eq!(engine.items().len(), 0);
}

#[tokio::test]
async fn a_deadline_that_is_past_is_none() {
    let engine = Engine::start().await;
    let handler = handler(&engine.url).await;
    let mut context = lambda_http::Context::default();
    // What `cargo lambda watch` gives: ten minutes after the beginning of 1970.
    context.deadline = 600_000;
    let event = serde_json::from_value(Request::create(page_request()).event()).unwrap();
    let reply = handler.handle(lambda_http::LambdaEvent::new(event, context)).await.unwrap();
    assert_eq!(reply.status(), 201);
}

/// What a lost answer costs; printed, not judged: the machine is shared.
#[tokio::test]
async fn a_lost_answer_costs_one_more_attempt() {
    const TRIALS: usize = 100;
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    let mut medians = Vec::new();
    for faults in [&[][..], &[lost(Loss::Close)][..]] {
        let mut times = Vec::new();
        for _ in 0..TRIALS {
            proxy.fail("PutItem", faults);
            let start = Instant::now();
            let answer = send(&handler, &Request::create(page_request()).event()).await;
            times.push(start.elapsed());
            assert_eq!(answer.status, 201);
        }
        times.sort_unstable();
        medians.push(times[TRIALS / 2]);
    }
    println!("median of {TRIALS} creates: {:?}; with the answer lost: {:?}", medians[0], medians[1]);
    assert_eq!(engine.items().len(), 2 * TRIALS);
}
