//! The time that Lambda gives a request: the answer comes before it is over.

use std::time::{Duration, Instant};

use super::{UNAVAILABLE, UNKNOWN, always, lost, unsent};
use crate::proxy::Loss;
use crate::support::{Api, OWN_PROJECT, Options, Request, page_request};

#[tokio::test]
async fn an_answer_comes_before_the_deadline_even_if_the_database_is_silent() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    for (writes, flows) in [(always(lost(Loss::Hang)), 1), (always(unsent(Loss::Hang)), 1)] {
        proxy.heal();
        proxy.fail("PutItem", &writes);
        let deadline = Duration::from_millis(700);
        let start = Instant::now();
        let answer = api.send_before(&Request::create(page_request()), deadline).await;
        assert!(start.elapsed() < deadline, "{:?}", start.elapsed());
        answer.expect(503, UNKNOWN);
        assert_eq!(api.engine.items().len(), flows);
    }
}

#[tokio::test]
async fn a_dry_run_without_time_left_has_written_nothing() {
    let (api, proxy) = Api::with(Options { projects: OWN_PROJECT, ..Options::default() }).await.behind_proxy().await;
    proxy.fail("GetItem", &always(lost(Loss::Hang)));
    let request = Request::create(page_request()).query("dryRun=true");
    api.send_before(&request, Duration::from_millis(700)).await.expect(503, UNAVAILABLE);
    assert_eq!(api.engine.items().len(), 0);
}

#[tokio::test]
async fn a_deadline_in_the_past_is_ignored() {
    let api = Api::start().await;
    let mut context = lambda_http::Context::default();
    // `cargo lambda watch` sends this one: ten minutes after the beginning of 1970.
    context.deadline = 600_000;
    let event = serde_json::from_value(Request::create(page_request()).event()).unwrap();
    let reply = api.handler.handle(lambda_http::LambdaEvent::new(event, context)).await.unwrap();
    assert_eq!(reply.status(), 201);
}
