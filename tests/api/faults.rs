//! The write is done exactly once, although the network loses answers.

use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::engine;
use crate::proxy::{Fault, Proxy};
use crate::support::{Answer, Engine, Request, handler, page_request, sdk, send};

const LOST_ANSWERS: [Fault; 3] = [Fault::CloseAfterCommit, Fault::ServerErrorAfterCommit, Fault::HangAfterCommit];

/// Creates a flow on an engine of its own, with these faults on the way; also says what the engine then holds, and how
/// often it was written and read.
async fn create_through(puts: &[Fault], gets: &[Fault]) -> (Answer, usize, usize, usize) {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let handler = handler(&proxy.url).await;
    proxy.fail("PutItem", puts);
    proxy.fail("GetItem", gets);

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    (answer, engine.items().len(), proxy.calls("PutItem"), proxy.calls("GetItem"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_one_201_and_one_item_100_times_out_of_100() {
    for fault in LOST_ANSWERS {
        let trials: Vec<_> =
            (0..100).map(|_| tokio::spawn(async move { create_through(&[fault], &[]).await })).collect();
        for trial in trials {
            let (answer, items, puts, _) = trial.await.unwrap();
            assert_eq!((answer.status, items, puts), (201, 1, 2), "{fault:?}: {answer:?}");
        }
    }
}

/// What the test above is for: the same put without the proof reports a conflict that is none, every time.
#[tokio::test]
async fn a_plain_conditional_put_reports_a_false_conflict() {
    for fault in [Fault::CloseAfterCommit, Fault::ServerErrorAfterCommit] {
        let engine = Engine::start().await;
        let proxy = Proxy::start(&engine.url).await;
        let client = aws_sdk_dynamodb::Client::new(&sdk(&proxy.url).await);
        proxy.fail("PutItem", &[fault]);

        let put = client
            .put_item()
            .table_name(engine::TABLE)
            .item("pk", AttributeValue::S("CLIENT#a".to_owned()))
            .item("sk", AttributeValue::S("FLOW#b".to_owned()))
            .condition_expression("attribute_not_exists(pk)")
            .customize()
            .config_override(
                aws_sdk_dynamodb::config::Builder::new()
                    .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build()),
            )
            .send()
            .await;

        let error = put.unwrap_err().into_service_error();
        assert!(error.is_conditional_check_failed_exception(), "{fault:?}");
        assert_eq!(engine.items().len(), 1, "{fault:?}: and yet it was written");
    }
}

#[tokio::test]
async fn an_outcome_without_any_answer_is_settled_by_one_read() {
    for fault in LOST_ANSWERS {
        let (answer, items, puts, gets) = create_through(&[fault; 3], &[]).await;
        assert_eq!((answer.status, items, puts, gets), (201, 1, 3, 1), "{fault:?}: {answer:?}");
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_read_is_unknown() {
    let (answer, items, _, _) = create_through(&[Fault::CloseAfterCommit; 3], &[Fault::CloseBeforeCommit; 3]).await;

    answer.expect(503, "OUTCOME_UNKNOWN");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(items, 1);
}

#[tokio::test]
async fn a_write_that_may_still_be_under_way_is_unknown() {
    for fault in [Fault::HangBeforeCommit, Fault::CloseBeforeCommit] {
        let (answer, items, _, gets) = create_through(&[fault; 3], &[]).await;
        answer.expect(503, "OUTCOME_UNKNOWN");
        assert_eq!((items, gets), (0, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_fails_before_the_commit_is_tried_again() {
    for fault in [Fault::CloseBeforeCommit, Fault::HangBeforeCommit] {
        let (answer, items, puts, _) = create_through(&[fault], &[]).await;
        assert_eq!((answer.status, items, puts), (201, 1, 2), "{fault:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_down_is_temporarily_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let handler = handler(&url).await;

    let answer = send(&handler, &Request::create(page_request()).event()).await;

    answer.expect(503, "TEMPORARILY_UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "1");
    for secret in ["dynamodb", "127.0.0.1", engine::TABLE, "PutItem"] {
        assert!(!answer.text.to_lowercase().contains(&secret.to_lowercase()), "{}", answer.text);
    }
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
