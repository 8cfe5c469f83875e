//! Times are those of the request that was carried out, however long the call waited before it.

use std::time::{Duration, SystemTime};

use project_flows::flow::{Moment, Timestamp};
use serde_json::{Value, json};

use super::{always, lost, throttled, unsent};
use crate::proxy::{Fault, Loss, Proxy};
use crate::support::{Answer, Api, OWN_PROJECT, Options, PLACE, Request, page_request};

const CONFLICT: Fault = Fault::Cancelled(&["TransactionConflict", "None"]);
/// How long the database refuses a write.
const WAIT: Duration = Duration::from_secs(4);
/// How long a request may take that is carried out at last, on a machine with other work.
const BOUND: Duration = Duration::from_secs(2);

/// Sends a write, and the same reads again and again while it waits. Returns its answer, and what was read when.
async fn wait_and_read<T>(
    (faulty, proxy): &(Api, Proxy),
    write: &Request,
    read: impl AsyncFn() -> T,
) -> (Answer, Vec<(SystemTime, T)>) {
    proxy.fail("TransactWriteItems", &always(CONFLICT));
    proxy.fail("PutItem", &always(throttled("TransactionConflictException")));
    tokio::join!(faulty.send(write), async {
        let (begin, mut seen) = (SystemTime::now(), Vec::new());
        while begin.elapsed().unwrap() < WAIT {
            seen.push((SystemTime::now(), read().await));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        proxy.heal();
        seen
    })
}

/// What `asOf` says now of each moment that is old enough is what was read then.
async fn expect_the_same<T: PartialEq + std::fmt::Debug>(seen: &[(SystemTime, T)], as_of: impl AsyncFn(&str) -> T) {
    let last = seen.last().unwrap().0;
    let old: Vec<_> = seen.iter().filter(|(moment, _)| last.duration_since(*moment).unwrap() > BOUND).collect();
    assert!(old.len() > 2, "{seen:?}");
    for (moment, read) in old {
        let moment = Timestamp::from(*moment);
        assert_eq!(as_of(moment.as_str()).await, *read, "{moment}");
    }
}

#[tokio::test]
async fn after_a_release_that_waited_as_of_says_what_was_live_meanwhile() {
    for withdraws in [false, true] {
        let api = Api::start().await;
        let path = api.create_active().await;
        api.set(&path, "name", json!("Three")).await;
        assert_eq!(api.send(&Request::release(&path, 2)).await.status, 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let live = async |query: &str| api.get(&format!("{PLACE}{query}")).await.json()["release"]["number"].clone();
        let write = if withdraws { Request::delete(PLACE) } else { Request::release(&path, 3) };

        let (answer, seen) = wait_and_read(&api.behind_proxy().await, &write, async || live("").await).await;

        assert_eq!((answer.status, &answer.json()["release"]["number"]), (200, &json!(2)), "{answer:?}");
        assert!(seen.iter().all(|(_, number)| *number == 1));
        expect_the_same(&seen, async |moment| live(&format!("?asOf={moment}")).await).await;
    }
}

#[tokio::test]
async fn after_an_update_that_waited_as_of_says_what_the_flow_was_meanwhile() {
    let api = Api::start().await;
    let path = api.create().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let name = async |query: &str| api.get(&format!("{path}{query}")).await.json()["data"]["name"].clone();
    let write = Request::put(&path, json!({ "name": "Later" }));

    let (answer, seen) = wait_and_read(&api.behind_proxy().await, &write, async || name("").await).await;

    assert_eq!((answer.status, &answer.json()["data"]["name"]), (200, &json!("Later")), "{answer:?}");
    assert_eq!(answer.text, api.get(&path).await.text);
    expect_the_same(&seen, async |moment| name(&format!("?asOf={moment}")).await).await;
}

#[tokio::test]
async fn a_flow_is_created_at_the_time_of_the_request_that_made_it() {
    for (projects, key) in [(&[][..], None), (&[], Some("k")), (OWN_PROJECT, None), (OWN_PROJECT, Some("k"))] {
        let api = Api::with(Options { projects, ..Options::default() }).await;
        let create = Request::create(page_request());
        let create = key.map_or(create.clone(), |key| create.key(key));

        let (answer, seen) = wait_and_read(&api.behind_proxy().await, &create, async || ()).await;

        assert_eq!(answer.status, 201, "{answer:?}");
        let earliest = Timestamp::from(seen.last().unwrap().0 - BOUND);
        let created = answer.json()["data"]["createdAt"].as_str().unwrap().to_owned();
        assert!(created.as_str() >= earliest.as_str(), "created at {created}, not before {earliest}");
        assert_eq!(answer.text, api.get(&answer.path()).await.text);
        let change = api.get(&format!("{}/versions/1", answer.path())).await.json()["change"].clone();
        assert_eq!(change["digest"], digest(&answer), "the digest is that of the document that is stored");
    }
}

/// The digest of a first version without an author and a note.
fn digest(created: &Answer) -> Value {
    let data = created.text.strip_prefix(r#"{"success":true,"data":"#).unwrap().strip_suffix('}').unwrap();
    json!(project_flows::flow::Digest::of(None, data, "{}").as_str())
}

#[tokio::test]
async fn the_answer_shows_the_request_that_was_carried_out_and_not_the_last_one() {
    // The first request is carried out, and its answer is lost. A second one with another time meets what it has written.
    let conflicts = vec![throttled("TransactionConflictException"); 30];
    for key in [None, Some("k")] {
        let (api, proxy) = Api::start().await.behind_proxy().await;
        let create = Request::create(page_request());
        let create = key.map_or(create.clone(), |key| create.key(key));
        proxy.fail("PutItem", &[&[lost(Loss::Hang)], &conflicts[..]].concat());

        let answer = api.send(&create).await;

        assert_eq!((answer.status, answer.headers.get("idempotency-replayed")), (201, None), "{answer:?}");
        assert_eq!(api.engine.items().len(), 1);
        assert_eq!(answer.text, api.get(&answer.path()).await.text, "{key:?}");
        assert!(proxy.calls("PutItem") > 30);
    }
}

#[tokio::test]
async fn a_flow_that_was_changed_before_its_create_is_answered_is_answered_as_it_was_created() {
    for key in [None, Some("k")] {
        let api = Api::start().await;
        let (faulty, proxy) = api.behind_proxy().await;
        let create = Request::create(page_request());
        let create = key.map_or(create.clone(), |key| create.key(key));
        proxy.fail("PutItem", &[lost(Loss::Hang)]);

        let (answer, ()) = tokio::join!(faulty.send(&create), async {
            while api.engine.items().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // A list shows it to everybody.
            let id = api.engine.items()[0]["_id"]["S"].as_str().unwrap().to_owned();
            api.set(&format!("/v2/project-flows/{id}"), "name", json!("Changed")).await;
        });

        assert_eq!((answer.status, &answer.json()["data"]["version"]), (201, &json!(1)), "{answer:?}");
        assert_eq!(answer.json()["data"], api.get(&format!("{}/versions/1", answer.path())).await.json()["data"]);
    }
}

/// The first request is carried out late: after the database has refused a second one, and before a third.
#[tokio::test]
async fn a_request_that_is_carried_out_late_is_answered_with_its_own_time() {
    let api = Api::start().await;
    let path = api.create_active().await;
    for write in [Request::restore(&path, 1), Request::release(&path, 2)] {
        let (faulty, proxy) = api.behind_proxy().await;
        proxy.fail("TransactWriteItems", &[Fault::Stalled(Duration::from_secs(3))]);
        let (begin, before) = (SystemTime::now(), api.engine.items().len());

        let answer = faulty.send(&write).await;

        assert_eq!(answer.status, 200, "{answer:?}");
        let time = |member: &str, name: &str| answer.json()[member][name].as_str().map(str::to_owned);
        let time = time("release", "since").or_else(|| time("data", "updatedAt")).unwrap();
        let first = Moment::from(begin + BOUND);
        assert!(time.as_str() <= first.second().as_str(), "{time} is the time of the first request");
        let written = if answer.json().get("release").is_some() { 2 } else { 1 };
        assert_eq!(api.engine.items().len(), before + written, "it is written once");
    }
}

#[tokio::test]
async fn a_precondition_does_not_refuse_what_the_call_itself_has_written() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let other = Request::put(&path, json!({ "description": "Theirs" }));
    for (write, overtaken) in [
        (Request::put(&path, json!({ "name": "Ours" })).header("if-match", "\"2\""), false),
        (Request::put(&path, json!({ "name": "Ours again" })).header("if-match", "\"3\""), true),
        (Request::release(&path, 2).header("if-none-match", "*"), false),
    ] {
        let (faulty, proxy) = api.behind_proxy().await;
        proxy.fail("TransactWriteItems", &[lost(Loss::Hang), CONFLICT, CONFLICT]);
        let before = api.engine.items().len();
        let (answer, ()) = tokio::join!(faulty.send(&write), async {
            while api.engine.items().len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if overtaken {
                assert_eq!(api.send(&other).await.status, 200);
            }
        });
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // Nothing was written, so it is refused for what is there.
    let (faulty, proxy) = api.behind_proxy().await;
    proxy.fail("TransactWriteItems", &[unsent(Loss::Hang), CONFLICT, CONFLICT]);
    let (answer, ()) = tokio::join!(faulty.send(&Request::delete(PLACE).header("if-match", "\"1\"")), async {
        while proxy.calls("TransactWriteItems") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(api.send(&Request::release(&path, 3)).await.status, 200);
    });
    answer.expect(412, "VERSION_CONFLICT");
}
