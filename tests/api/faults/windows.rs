//! A request that reads in the middle of a transaction: it sees the newest version of a flow but not yet the one before,
//! or the other way round.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::{Met, UNAVAILABLE, expect, print_table};
use crate::engine;
use crate::proxy::{Fault, Proxy, Unseen};
use crate::support::{Api, PLACE, Request, build_fsck, fsck, page_request};

/// A window that closes before a request gives up.
const SHORT: Duration = Duration::from_millis(300);
/// A window that stays open until a request has given up.
const LONG: Duration = Duration::from_secs(4);

/// A request that meets an update of its flow.
struct Row {
    name: &'static str,
    request: fn(&str) -> Request,
    /// How many versions the flow has before the update.
    versions: u64,
    /// Whether the request needs the newest of them, besides the version that the update writes.
    needs_both: bool,
    status: i64,
}

fn row(name: &'static str, needs_both: bool, request: fn(&str) -> Request) -> Row {
    Row { name, request, versions: 2, needs_both, status: 200 }
}

fn rows() -> Vec<Row> {
    vec![
        row("retrieve", false, Request::get),
        row("retrieve a version", true, |path| Request::get(&format!("{path}/versions/2"))),
        row("versions", true, |path| Request::get(&format!("{path}/versions"))),
        row("diff", true, |path| Request::get(&format!("{path}/versions/2/diff?from=1"))),
        row("as of a moment", true, |path| Request::get(&format!("{path}?asOf=2024-01-15T10:30:00Z"))),
        row("restore", true, |path| Request::restore(path, 2)),
        row("update", false, |path| Request::put(path, json!({ "description": "New" }))),
        Row { versions: 1, status: 201, ..row("replay of a create", true, |_| create()) },
    ]
}

fn create() -> Request {
    Request::create(page_request()).key("k")
}

/// Sends the row's request while an update of the flow is under way.
async fn meet(row: Row, unseen: Unseen, open: Duration) -> Met {
    let api = Api::start().await;
    let path = api.create_from(&create()).await;
    if row.versions == 2 {
        api.set(&path, "name", json!("Second")).await;
        api.backdate(&path, 1, "2024-01-15T01:00:00Z");
        api.backdate(&path, 2, "2024-01-15T10:00:00Z");
    }
    let (request, update) = ((row.request)(&path), Request::put(&path, json!({ "name": "Last" })));
    let (api, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &[Fault::Window(unseen, open)]);
    let (met, written) = tokio::join!(
        async {
            under_way(&proxy).await;
            let start = Instant::now();
            let answer = api.send(&request).await;
            Met { answer, time: start.elapsed(), items: api.engine.items().len() }
        },
        api.send(&update)
    );
    assert_eq!(written.status, 200, "{written:?}");
    let is_too_long = row.needs_both && unseen == Unseen::Second && open == LONG;
    let (status, code) = if is_too_long { (503, UNAVAILABLE) } else { (row.status, "") };
    expect(&met.answer, status, code);
    met
}

/// Waits until a transaction is under way.
async fn under_way(proxy: &Proxy) {
    while !proxy.is_half_seen() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_sees_half_of_a_transaction_reads_again() {
    let mut meetings = Vec::new();
    for unseen in [Unseen::First, Unseen::Second] {
        for open in [SHORT, LONG] {
            for row in rows() {
                let write = if unseen == Unseen::First { "newest" } else { "earlier" };
                let name = format!("{}, {write} unseen for {} ms", row.name, open.as_millis());
                meetings.push((name, meet(row, unseen, open)));
            }
        }
    }
    print_table("request in the middle of a transaction", meetings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsck_reports_no_finding_in_the_middle_of_a_transaction() {
    // Each write, and whether the flow is live before.
    let writes: [(fn(&str) -> Request, bool); 4] = [
        (|path| Request::put(path, json!({ "name": "Last" })), true),
        (|path| Request::release(path, 3), false),
        (|path| Request::release(path, 3), true),
        (|_| Request::delete(PLACE), true),
    ];
    build_fsck();
    let mut checks = JoinSet::new();
    for unseen in [Unseen::First, Unseen::Second] {
        for (write, is_live) in writes {
            checks.spawn(expect_healthy_during(unseen, write, is_live));
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_sees_half_of_a_release_tells_what_was_live_before_or_after_it() {
    let requests: [(&str, fn(&str) -> Request); 6] = [
        ("what is live", |_| Request::get(PLACE)),
        ("what was live", |_| Request::get(&format!("{PLACE}?asOf=2099-01-01T00:00:00Z"))),
        ("releases", |_| Request::get(&format!("{PLACE}/releases"))),
        ("another release", |path| Request::release(path, 2)),
        ("withdrawal", |_| Request::delete(PLACE)),
        ("pause", |path| Request::put(path, json!({ "status": "paused" }))),
    ];
    for unseen in [Unseen::First, Unseen::Second] {
        for (name, request) in requests {
            let api = Api::start().await;
            let path = api.create_active().await;
            // The third version has no room in the head, so it is read from the item of its release.
            api.set(&path, "configuration", json!({ "pad": "p".repeat(5_000) })).await;
            assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
            let (api, proxy) = api.behind_proxy().await;
            proxy.fail("TransactWriteItems", &[Fault::Window(unseen, SHORT)]);
            let (met, released) = tokio::join!(
                async {
                    under_way(&proxy).await;
                    api.send(&request(&path)).await
                },
                api.send(&Request::release(&path, 3))
            );
            assert_eq!((released.status, &released.json()["release"]["number"]), (200, &json!(2)), "{released:?}");
            let met = met.json();
            let number = if name == "releases" { &met["data"][0]["number"] } else { &met["release"]["number"] };
            match name {
                "pause" => assert_eq!(met["message"], "FLOW_IS_LIVE"),
                "another release" | "withdrawal" => {
                    // Where the newest release is not seen yet, version 2 is still live, and there is nothing to release.
                    let is_same = name == "another release" && unseen == Unseen::First;
                    assert_eq!(number, if is_same { 1 } else { 3 }, "{name}, {unseen:?}: {met}");
                }
                _ => assert!([json!(1), json!(2)].contains(number), "{name}, {unseen:?}: {met}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_flow_that_is_live_and_not_seen_for_long_is_unavailable() {
    let api = Api::start().await;
    let path = api.create_active().await;
    api.set(&path, "configuration", json!({ "pad": "p".repeat(5_000) })).await;
    let (api, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &[Fault::Window(Unseen::Second, LONG)]);
    let (met, released) = tokio::join!(
        async {
            under_way(&proxy).await;
            api.get(PLACE).await
        },
        api.send(&Request::release(&path, 3))
    );
    assert_eq!(released.status, 200, "{released:?}");
    expect(&met, 503, UNAVAILABLE);
}

/// Checks the table in the middle of a write about a flow of three versions, whose second may be live.
async fn expect_healthy_during(unseen: Unseen, write: fn(&str) -> Request, is_live: bool) {
    let api = Api::start().await;
    let path = api.create_active().await;
    api.set(&path, "name", json!("Third")).await;
    let (api, proxy) = api.behind_proxy().await;
    if is_live {
        assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
    }
    proxy.fail("TransactWriteItems", &[Fault::Window(unseen, Duration::from_millis(2_500))]);
    let (checked, written) = tokio::join!(
        async {
            under_way(&proxy).await;
            fsck(&proxy.url, engine::TABLE).await
        },
        api.send(&write(&path))
    );
    assert_eq!(written.status, 200, "{written:?}");
    checked.expect_healthy();
}
