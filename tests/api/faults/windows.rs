//! Who meets a transaction half-way: the newest version of a flow is seen, and the one before it not yet; or the other
//! way round. `make faults` prints the table.

use std::time::{Duration, Instant};

use serde_json::json;

use super::UNAVAILABLE;
use crate::engine;
use crate::fsck::fsck;
use crate::proxy::{Fault, Proxy, Unseen};
use crate::support::{Answer, Api, Request, age, handler, page_request, path, send, set};

/// A window that closes while a request looks again.
const SHORT: Duration = Duration::from_millis(300);
/// A window that is open for longer than a request looks.
const LONG: Duration = Duration::from_secs(4);

/// A request, whether it needs the version that is not seen in a window of the earlier one, and its status.
struct Row {
    name: &'static str,
    request: fn(&str) -> Request,
    needs_both: bool,
    status: i64,
}

fn rows() -> Vec<Row> {
    let row = |name, needs_both, request| Row { name, request, needs_both, status: 200 };
    vec![
        row("retrieve", false, |path| Request::get(path)),
        row("retrieve a version", true, |path| Request::get(&format!("{path}/versions/2"))),
        row("versions", true, |path| Request::get(&format!("{path}/versions"))),
        row("diff", true, |path| Request::get(&format!("{path}/versions/2/diff?from=1"))),
        row("retrieve as of a moment", true, |path| Request::get(&format!("{path}?asOf=2024-01-15T10:30:00Z"))),
        row("restore", true, |path| Request::of("POST", &format!("{path}/versions/2/restore"))),
        row("update", false, |path| Request::put(path, json!({ "description": "New" }))),
    ]
}

/// A flow that a create with a key has made.
async fn created(api: &Api) -> String {
    path(&api.send(&Request::create(page_request()).key("k")).await)
}

/// The same at its second version, which was in force at the moment of the table.
async fn updated(api: &Api) -> String {
    let path = created(api).await;
    set(api, &path, "name", json!("Second")).await;
    age(api, &path, 1, "2024-01-15T01:00:00Z");
    age(api, &path, 2, "2024-01-15T10:00:00Z");
    path
}

/// The answer to a request that comes while an update of the flow is under way, and how long it took.
async fn meet(api: &Api, path: &str, request: &Request, unseen: Unseen, open: Duration) -> (Answer, Duration) {
    let proxy = Proxy::start(&api.engine.url).await;
    let handler = handler(&proxy.url).await;
    proxy.fail("TransactWriteItems", &[Fault::Window(unseen, open)]);
    let update = Request::put(path, json!({ "name": "Last" })).event();
    let (met, written) = tokio::join!(
        async {
            under_way(&proxy).await;
            let start = Instant::now();
            (send(&handler, &request.event()).await, start.elapsed())
        },
        send(&handler, &update)
    );
    assert_eq!(written.status, 200, "{written:?}");
    met
}

async fn under_way(proxy: &Proxy) {
    while !proxy.is_under_way() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_seen_half_way_is_looked_at_again() {
    let mut met = Vec::new();
    for unseen in [Unseen::First, Unseen::Second] {
        for open in [SHORT, LONG] {
            for row in rows() {
                let is_late = row.needs_both && unseen == Unseen::Second && open == LONG;
                let expected = if is_late { (503, UNAVAILABLE) } else { (row.status, "") };
                let meeting = tokio::spawn(async move {
                    let api = Api::start().await;
                    let path = updated(&api).await;
                    meet(&api, &path, &(row.request)(&path), unseen, open).await
                });
                met.push((row.name, unseen, open, expected, meeting));
            }
            let expected = if unseen == Unseen::Second && open == LONG { (503, UNAVAILABLE) } else { (201, "") };
            let meeting = tokio::spawn(async move {
                let api = Api::start().await;
                let path = created(&api).await;
                meet(&api, &path, &Request::create(page_request()).key("k"), unseen, open).await
            });
            met.push(("replay of a create", unseen, open, expected, meeting));
        }
    }
    println!("{:26} {:8} {:>8} {:30} {:>8}", "in a window", "unseen", "open", "answer", "time");
    for (name, unseen, open, expected, meeting) in met {
        let (answer, time) = meeting.await.unwrap_or_else(|error| panic!("{name}, {unseen:?}, {open:?}: {error}"));
        let code = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        let found = format!("{} {code}", answer.status);
        let unseen = format!("{unseen:?}");
        println!("{name:26} {unseen:8} {:5} ms {found:30} {:5} ms", open.as_millis(), time.as_millis());
        assert_eq!((answer.status, code.as_str()), expected, "{name}, {unseen}, {open:?}: {answer:?}");
        assert_eq!(answer.headers.contains_key("retry-after"), answer.status == 503);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_the_table_finds_nothing_in_a_transaction_that_is_seen_half_way() {
    for unseen in [Unseen::First, Unseen::Second] {
        let api = Api::start().await;
        let path = path(&api.send(&Request::create(page_request())).await);
        set(&api, &path, "name", json!("Second")).await;
        let proxy = Proxy::start(&api.engine.url).await;
        let handler = handler(&proxy.url).await;
        proxy.fail("TransactWriteItems", &[Fault::Window(unseen, Duration::from_millis(2_500))]);
        let update = Request::put(&path, json!({ "name": "Last" })).event();
        let (checked, _) = tokio::join!(
            async {
                under_way(&proxy).await;
                fsck(&proxy.url, engine::TABLE).await
            },
            send(&handler, &update)
        );
        checked.expect_healthy();
    }
}
