//! A database that cannot be reached, or that cannot do its work.

use std::time::Duration;

use super::{EXPIRED, UNAVAILABLE, UNKNOWN, always, unsent};
use crate::engine;
use crate::proxy::Loss;
use crate::support::{Api, Options, PLACE, Request, page_request};

#[tokio::test]
async fn a_database_that_is_down_is_temporarily_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = Api::with(Options { url: Some(&url), ..Options::default() }).await;

    let answer = api.send(&Request::create(page_request())).await;

    answer.expect(503, UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "1");
    for secret in ["dynamodb", "127.0.0.1", engine::TABLE, "PutItem"] {
        assert!(!answer.text.to_lowercase().contains(&secret.to_lowercase()), "{}", answer.text);
    }
}

/// This address never completes the handshake of a connection.
#[tokio::test]
async fn a_database_that_cannot_be_reached_is_temporarily_unavailable() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // These fill the queue of connections, so that the next ones wait.
    let mut queue = Vec::new();
    for _ in 0..4 {
        queue.push(tokio::time::timeout(Duration::from_millis(100), tokio::net::TcpStream::connect(address)).await);
    }
    let api = Api::with(Options { url: Some(&format!("http://{address}")), ..Options::default() }).await;

    let answer = api.send(&Request::create(page_request())).await;

    answer.expect(503, UNAVAILABLE);
}

#[tokio::test]
async fn a_missing_table_is_an_internal_error_whose_answer_does_not_name_it() {
    let database = dynoxide::Database::memory().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = engine::serve(database, listener).unwrap();
    let api = Api::with(Options { url: Some(&url), ..Options::default() }).await;

    let answer = api.send(&Request::create(page_request())).await;

    answer.expect(500, "INTERNAL_ERROR");
    assert_eq!(answer.text, r#"{"error":"Internal error","message":"INTERNAL_ERROR"}"#);
}

#[tokio::test]
async fn a_failed_read_is_temporarily_unavailable_and_its_outcome_never_unknown() {
    let api = Api::start().await;
    let path = api.create().await;
    let (api, proxy) = api.behind_proxy().await;
    for operation in ["GetItem", "Query"] {
        proxy.fail(operation, &always(unsent(Loss::Close)));
    }
    let reads = [
        Request::get(&path),
        Request::get(&format!("{path}/versions")),
        Request::get(&format!("{path}/versions/1/diff?from=1")),
        Request::get("/v2/project-flows"),
        Request::put(&format!("{path}?dryRun=true"), "{}"),
        Request::get(&format!("{path}/versions/1/diff?from=live")),
        Request::get(PLACE),
        Request::get(&format!("{PLACE}?asOf=2024-01-15T10:30:00Z")),
        Request::get(&format!("{PLACE}/releases")),
        Request::get("/v2/project-flows/live"),
    ];
    for read in &reads {
        api.send(read).await.expect(503, UNAVAILABLE);
    }
    proxy.heal();
    for operation in ["GetItem", "Query"] {
        proxy.fail(operation, &always(unsent(Loss::Hang)));
    }
    // Without time left, only a request that has begun to write has an unknown outcome.
    let update = Request::put(&path, r#"{"name": "Second"}"#);
    for request in [&reads[0], &reads[3], &update] {
        api.send_before(request, Duration::from_millis(600)).await.expect(503, UNAVAILABLE);
    }
    proxy.heal();
    proxy.fail("TransactWriteItems", &always(unsent(Loss::Hang)));
    api.send_before(&update, Duration::from_millis(600)).await.expect(503, UNKNOWN);
}

/// Each read has a client of its own, because the SDK limits how often a client tries again.
#[tokio::test]
async fn a_read_whose_signature_has_expired_is_signed_anew() {
    let api = Api::start().await;
    let path = api.create_active().await;
    assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
    for path in [path.as_str(), "/v2/project-flows", PLACE, &format!("{PLACE}/releases"), &format!("{path}/versions")] {
        for (faults, status) in [(vec![EXPIRED, EXPIRED], 200), (always(EXPIRED), 503)] {
            let (api, proxy) = api.behind_proxy().await;
            for operation in ["GetItem", "Query"] {
                proxy.fail(operation, &faults);
            }
            let answer = api.get(path).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
    }
}
