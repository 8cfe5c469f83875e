//! `make fsck`: the real binary on healthy tables, in `damages.rs` and `releases.rs` on damaged ones, and in `index.rs` on
//! those whose index disagrees.

mod damages;
mod index;
mod releases;
mod reviews;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine;
use crate::proxy::Proxy;
use crate::support::{
    Api, Engine, FOUR_EYES, Options, PLACE, Request, build_fsck, fsck, fsck_with, newest_key, page_request,
    page_request_with, version_key,
};

/// A table with flows in all states of their lives.
struct Flows {
    engine: Engine,
    /// The id of a flow at version 4, created with a key.
    keyed: String,
    /// The id of a flow at version 1.
    new: String,
    /// The id of a flow that was deleted, which made its version 3.
    deleted: String,
    /// The id of a flow at version 4. [`PLACE`] has four releases: its versions 2 and 3, a withdrawal, and version 2 again.
    live: String,
    /// The id of a flow at version 5, paused. [`LOGIN`] has two releases: its version 4 and a withdrawal.
    paused: String,
    /// The id of a flow at version 3. Its place, in the project `reviewed`, has four releases that were reviewed: its versions 2
    /// and 3, and both again.
    reviewed: String,
}

/// The place of the flows of the other type.
const LOGIN: &str = "/v2/project-flows/live/project_123456789/login";

impl Flows {
    async fn create() -> Self {
        let api = Api::start().await;
        let new = api.send(&Request::create(page_request())).await;
        let keyed = api.send(&Request::create(page_request()).key("key")).await;
        for number in 2..=4 {
            api.set(&keyed.path(), "name", json!(format!("Version {number}"))).await;
        }
        let deleted = api.send(&Request::create(page_request())).await;
        api.set(&deleted.path(), "description", Value::Null).await;
        assert_eq!(api.send(&Request::delete(&deleted.path())).await.status, 200);
        let restored = api.create_from(&Request::create(page_request_with("type", json!("login")))).await;
        assert_eq!(api.send(&Request::delete(&restored)).await.status, 200);
        assert_eq!(api.send(&Request::restore(&restored, 1)).await.status, 200);
        api.set(&restored, "status", json!("active")).await;
        let live = api.create_active().await;
        api.set(&live, "name", json!("Version 3")).await;
        let paused = restored.rsplit('/').next().unwrap();
        for request in [
            Request::release(&live, 2),
            Request::release(&live, 3),
            Request::delete(PLACE),
            Request::release(&live, 2).query("note=secret"),
            Request::put(LOGIN, json!({ "_id": paused, "version": 4 })),
            Request::delete(LOGIN),
        ] {
            let answer = api.send(&request).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        api.set(&live, "name", json!("Version 4")).await;
        api.set(&restored, "status", json!("paused")).await;
        let path = Request::create(page_request_with("project", json!("reviewed"))).by("ann");
        let path = api.create_from(&path).await;
        let reviewed = path.rsplit('/').next().unwrap().to_owned();
        let options = Options { engine: Some(&api.engine), settings: FOUR_EYES, ..Options::default() };
        let with_four_eyes = Api::with(options).await;
        let release = |author: &str, version: u64| {
            let place = "/v2/project-flows/live/reviewed/onboarding";
            Request::put(place, json!({ "_id": reviewed, "version": version })).by(author)
        };
        for request in [
            Request::put(&path, json!({ "status": "active" })).by("bob"),
            release("cleo", 2),
            Request::put(&path, json!({ "name": "Version 3" })).by("dora"),
            release("bob", 3),
            release("dora", 2),
            release("dora", 3),
        ] {
            let answer = with_four_eyes.send(&request).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        for client in ["client_2", "client#3", "~"] {
            api.create_from(&Request::create(page_request()).client(client)).await;
        }
        let [live, paused] = [&live, &restored].map(|path| path.rsplit('/').next().unwrap().to_owned());
        Self { keyed: keyed.id(), new: new.id(), deleted: deleted.id(), live, paused, reviewed, engine: api.engine }
    }

    /// Copies the table to another engine.
    async fn copy(&self) -> Self {
        let engine = Engine::start().await;
        for item in self.engine.items() {
            engine.put(engine::TABLE, &item);
        }
        let [keyed, new, deleted] = [&self.keyed, &self.new, &self.deleted].map(Clone::clone);
        let [live, paused, reviewed] = [&self.live, &self.paused, &self.reviewed].map(Clone::clone);
        Self { engine, keyed, new, deleted, live, paused, reviewed }
    }

    #[track_caller]
    fn change(&self, sort_key: &str, change: impl FnOnce(&mut Value)) {
        let mut item = self.engine.item(sort_key);
        change(&mut item);
        self.engine.put(engine::TABLE, &item);
    }

    #[track_caller]
    fn set(&self, sort_key: &str, attribute: &str, text: &str) {
        self.change(sort_key, |item| item[attribute] = json!({ "S": text }));
    }

    #[track_caller]
    fn remove(&self, sort_key: &str) {
        self.engine.delete(&self.engine.item(sort_key));
    }
}

/// The beginning of a finding about a flow.
const OF: &str = "client \"client_123456789\", flow ";

#[tokio::test]
async fn a_table_with_flows_in_all_states_is_healthy_and_is_only_read() {
    let flows = Flows::create().await;
    let proxy = Proxy::start(&flows.engine.url).await;

    let checked = fsck(&proxy.url, engine::TABLE).await;

    checked.expect_healthy();
    let (counts, read_units) = checked.closing.rsplit_once(", ").unwrap();
    assert_eq!(counts, "healthy: clients 4, flows 9, versions 23, releases 10, items 38");
    assert!(read_units.starts_with("read units "), "{read_units}");
    // Its reads of the table are consistent.
    for call in proxy.take_calls() {
        assert!(["GetItem", "Query", "Scan"].contains(&call.operation.as_str()), "{call:?}");
        let consistent = call.body["ConsistentRead"] == true;
        assert_eq!(consistent, call.body.get("IndexName").is_none(), "{call:?}");
    }
}

#[tokio::test]
async fn a_flow_that_was_deleted_before_there_was_a_trash_is_healthy() {
    let flows = Flows::create().await;
    flows.change(&newest_key(&flows.deleted), |item| drop(item.as_object_mut().unwrap().remove("listKey")));

    fsck(&flows.engine.url, engine::TABLE).await.expect_healthy();
}

#[tokio::test]
async fn content_that_a_new_flow_could_not_have_is_counted_and_no_finding() {
    let flows = Flows::create().await;
    // These flows are older than digests, and than the rules that their content breaks.
    for key in [newest_key(&flows.new), newest_key(&flows.keyed)]
        .into_iter()
        .chain((1..=3).map(|number| version_key(&flows.keyed, number)))
    {
        flows.change(&key, |item| drop(item.as_object_mut().unwrap().remove("digest")));
    }
    flows.set(&newest_key(&flows.new), "steps", "[]");
    for number in [2, 3] {
        let content = r#"{"securityThresholds": {"secret": 2}}"#;
        flows.set(&version_key(&flows.keyed, number), "configuration", content);
    }

    let checked = fsck(&flows.engine.url, engine::TABLE).await;

    let counted = "versions with content that a new flow could not have: 3";
    assert_eq!((checked.status, checked.findings.as_slice()), (0, [counted.to_owned()].as_slice()), "{checked:?}");
    assert!(checked.closing.starts_with("healthy: "), "{checked:?}");

    // A flow that is read again is counted once.
    flows.remove(&version_key(&flows.keyed, 1));
    let checked = fsck(&flows.engine.url, engine::TABLE).await;
    let finding = format!("{OF}{}: expected version 1 in the history, found nothing", flows.keyed);
    assert_eq!(
        (checked.status, checked.findings.as_slice()),
        (1, [finding, counted.to_owned()].as_slice()),
        "{checked:?}"
    );
    assert!(checked.closing.starts_with("findings: 1 in "), "{checked:?}");
}

#[tokio::test]
async fn an_empty_table_is_healthy() {
    let engine = Engine::start().await;
    let checked = fsck(&engine.url, engine::TABLE).await;
    checked.expect_healthy();
    assert!(
        checked.closing.starts_with("healthy: clients 0, flows 0, versions 0, releases 0, items 0, "),
        "{checked:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_during_the_check_is_healthy() {
    let api = Arc::new(Api::start().await);
    build_fsck();
    // Two writers create and delete flows. The third one updates the same flow all the time.
    let writers = [20, 20, u32::MAX].map(|updates| {
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            loop {
                let path = api.create().await;
                for number in 1..=updates {
                    api.set(&path, "name", json!(format!("{number}"))).await;
                }
                api.send(&Request::delete(&path)).await;
            }
        })
    });
    // Another one releases, withdraws and pauses: first a flow after the other, then one again and again.
    let releaser = {
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let mut previous: Option<String> = None;
            loop {
                let path = api.create_active().await;
                for version in [2, 4, 6] {
                    assert_eq!(api.send(&Request::release(&path, version)).await.status, 200);
                    if let Some(previous) = previous.take() {
                        api.set(&previous, "status", json!("paused")).await;
                    }
                    if version < 6 {
                        assert_eq!(api.send(&Request::delete(PLACE)).await.status, 200);
                        api.set(&path, "status", json!("paused")).await;
                        api.set(&path, "status", json!("active")).await;
                    }
                }
                previous = Some(path);
            }
        })
    };
    let writers = writers.into_iter().chain([releaser]);
    tokio::time::sleep(Duration::from_millis(500)).await;

    let checked = fsck(&api.engine.url, engine::TABLE).await;

    checked.expect_healthy();
    for writer in writers {
        assert!(!writer.is_finished());
        writer.abort();
    }
}

#[tokio::test]
async fn a_check_that_cannot_finish_gives_the_reason() {
    let flows = Flows::create().await;
    let url = &flows.engine.url;
    let keys = json!({
        "TableName": "without-index",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    flows.engine.database.create_table(serde_json::from_value(keys).unwrap()).unwrap();
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[], "could not finish: TABLE_NAME: expected the name of the table, found nothing"),
        (&[("TABLE_NAME", "")], "could not finish: TABLE_NAME: expected the name of the table, found nothing"),
        (&[("TABLE_NAME", "none")], "could not finish: Scan: ResourceNotFoundException: "),
        (&[("TABLE_NAME", "without-index")], "could not finish: Scan of the index newest-first: ValidationException: "),
        (
            &[("TABLE_NAME", engine::TABLE), ("READ_UNITS_PER_SECOND", "0")],
            "could not finish: READ_UNITS_PER_SECOND: expected a number from 1, found \"0\"",
        ),
    ];
    for (variables, expected) in rows {
        let checked = fsck_with(url, variables).await;
        assert_eq!((checked.status, checked.closing.as_str()), (2, ""), "{checked:?}");
        assert!(checked.error.starts_with(expected), "expected {expected}, found {checked:?}");
    }
}

/// One flow in ten has three earlier versions, and two releases in a place of its own.
#[tokio::test]
#[ignore = "minutes: `make fsck-at-scale`"]
async fn at_scale_memory_does_not_grow_with_the_table() {
    let mut peaks = Vec::new();
    for (flows, clients) in [(1_000, 1), (10_000, 1), (1_000, 100), (10_000, 1_000)] {
        let api = Api::start().await;
        for number in 0..flows {
            let client = format!("client_{}", number % clients);
            let project = format!("project_{number}");
            let created = Request::create(page_request_with("project", json!(project))).client(&client);
            let created = api.send(&created).await;
            assert_eq!(created.status, 201);
            if number / clients % 10 > 0 {
                continue;
            }
            let (path, place) = (created.path(), format!("/v2/project-flows/live/{project}/onboarding"));
            for request in [
                Request::put(&path, json!({ "status": "active" })),
                Request::put(&path, json!({ "name": "3" })),
                Request::put(&path, json!({ "name": "4" })),
                Request::put(&place, json!({ "_id": created.id(), "version": 4 })),
                Request::put(&place, json!({ "_id": created.id(), "version": 3 })),
            ] {
                assert_eq!(api.send(&request.client(&client)).await.status, 200);
            }
        }
        let begin = Instant::now();
        let checked = fsck(&api.engine.url, engine::TABLE).await;
        let seconds = begin.elapsed().as_secs_f64();
        println!("{:.1} MB at most, {seconds:.1} s; {}", checked.peak, checked.closing);
        checked.expect_healthy();
        peaks.push(checked.peak);
    }
    for (small, large) in [(peaks[0], peaks[1]), (peaks[2], peaks[3])] {
        assert!(large < small * 1.25, "expected memory that does not grow with the table, found {peaks:?} MB");
    }
}
