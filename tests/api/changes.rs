//! `GET /v2/project-flows/changes`: everything that was done to a client's flows.

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, PLACE, Request, page_request, page_request_with};

const CHANGES: &str = "/v2/project-flows/changes";

/// The changes of a list, without their moments.
async fn changes(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("{CHANGES}{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut changes = answer.json()["data"].as_array().unwrap().clone();
    for change in &mut changes {
        assert!(change.as_object_mut().unwrap().remove("at").is_some_and(|at| at.as_str().unwrap().ends_with('Z')));
    }
    changes
}

/// A flow that was created, activated, released, withdrawn, paused, deleted and restored, each by somebody.
async fn story(api: &Api) -> String {
    let created = api.send(&Request::create(page_request()).by("ann").query("note=New")).await;
    let path = created.path();
    for request in [
        Request::put(&path, json!({ "status": "active" })).by("bob"),
        Request::release(&path, 2).by("cleo").query("note=Go"),
        Request::delete(PLACE).by("dan"),
        Request::put(&path, json!({ "status": "paused", "name": "Paused" })),
        Request::delete(&path).by("ann"),
        Request::restore(&path, 1).by("bob"),
    ] {
        assert_eq!(api.send(&request).await.status, 200, "{request:?}");
    }
    path
}

#[tokio::test]
async fn the_story_of_a_flow_is_told_latest_first() {
    let api = Api::start().await;
    let path = story(&api).await;

    let found = changes(&api, "").await;

    let change = |action: &str, version: u64, status: &str, more: Value| {
        let mut change = json!({
            "action": action,
            "_id": path.rsplit('/').next().unwrap(),
            "project": "project_123456789",
            "type": "onboarding",
            "name": if (3..=4).contains(&version) { "Paused" } else { "Complete Onboarding Flow" },
            "status": status,
            "version": version,
        });
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change
    };
    let expected = [
        change("restored", 5, "draft", json!({ "by": "bob" })),
        change("deleted", 4, "deleted", json!({ "by": "ann" })),
        change("updated", 3, "paused", json!({})),
        change("withdrawn", 2, "active", json!({ "release": 2, "by": "dan" })),
        change("released", 2, "active", json!({ "release": 1, "by": "cleo", "note": "Go" })),
        change("updated", 2, "active", json!({ "by": "bob" })),
        change("created", 1, "draft", json!({ "by": "ann", "note": "New" })),
    ];
    assert_eq!(found, expected);
    let text = api.get(CHANGES).await.text;
    let first = text.split_once("{\"at\":\"").unwrap().1;
    assert!(first[20..].starts_with("\",\"action\":\"restored\",\"_id\":"), "{text}");
}

#[tokio::test]
async fn pages_of_any_size_tell_the_same_and_filters_leave_out_the_rest() {
    let api = Api::start().await;
    story(&api).await;
    let other = api.create_from(&Request::create(page_request_with("project", json!("other"))).by("ann")).await;
    api.set(&other, "name", json!("Second")).await;
    let all = changes(&api, "").await;
    assert_eq!(all.len(), 9);
    for (filter, counts) in [
        ("", (|_| true) as fn(&Value) -> bool),
        ("&project=other", |change| change["project"] == "other"),
        ("&by=ann", |change| change["by"] == "ann"),
        ("&by=ann&project=other", |change| change["by"] == "ann" && change["project"] == "other"),
        ("&by=nobody", |_| false),
    ] {
        let expected: Vec<_> = all.iter().filter(|change| counts(change)).cloned().collect();
        for limit in [1, 2, 4, 9, 100] {
            let mut query = format!("?limit={limit}{filter}");
            let mut found = Vec::new();
            loop {
                found.append(&mut changes(&api, &query).await);
                let page = api.get(&format!("{CHANGES}{query}")).await.json();
                assert_eq!(page["pagination"]["limit"], limit);
                let Some(next) = page["pagination"]["next"].as_str() else { break };
                query = format!("?limit={limit}{filter}&cursor={next}");
            }
            assert_eq!(found, expected, "{filter} by {limit}");
        }
    }
}

/// Moves a version to another moment.
fn backdate(api: &Api, version: u64, at: &str) {
    for mut item in api.engine.items() {
        if item["version"] == json!({ "N": version.to_string() }) {
            let key = item["changeKey"]["S"].as_str().unwrap().to_owned();
            item["changeKey"]["S"] = json!(format!("{at}#{}", key.split_once('#').unwrap().1));
            api.engine.put(engine::TABLE, &item);
        }
    }
}

#[tokio::test]
async fn since_and_until_are_moments_and_both_count() {
    let api = Api::start().await;
    let path = api.create().await;
    for version in 2..=4 {
        api.set(&path, "name", json!(version.to_string())).await;
    }
    for (version, at) in [
        (1, "2024-01-15T10:29:59.999Z"),
        (2, "2024-01-15T10:30:00.000Z"),
        (3, "2024-01-15T10:30:00.999Z"),
        (4, "2024-01-15T10:30:01.000Z"),
    ] {
        backdate(&api, version, at);
    }
    for (query, expected) in [
        ("", vec![4, 3, 2, 1]),
        ("?since=2024-01-15T10:30:00Z", vec![4, 3, 2]),
        ("?until=2024-01-15T10:30:00Z", vec![3, 2, 1]),
        ("?since=2024-01-15T10:30:00Z&until=2024-01-15T10:30:00Z", vec![3, 2]),
        ("?since=2024-01-15T11:30:01%2B01:00", vec![4]),
        ("?since=2024-01-15T10:30:02Z", vec![]),
        ("?until=2024-01-15T10:29:58Z", vec![]),
        ("?since=2024-01-15T10:30:01Z&until=2024-01-15T10:29:59Z", vec![]),
    ] {
        let versions: Vec<_> =
            changes(&api, query).await.iter().map(|change| change["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, expected, "{query}");
    }
    // A position of the whole list is none outside the moments that are asked for.
    let next = api.get(&format!("{CHANGES}?limit=3")).await.json()["pagination"]["next"].as_str().unwrap().to_owned();
    assert_eq!(changes(&api, &format!("?cursor={next}&since=2024-01-15T10:30:01Z")).await, Vec::<Value>::new());
    let first = api.get(&format!("{CHANGES}?limit=1")).await.json()["pagination"]["next"].as_str().unwrap().to_owned();
    let found = changes(&api, &format!("?cursor={first}&until=2024-01-15T10:29:59Z")).await;
    assert_eq!(found.len(), 1, "a cursor leads no further than until: {found:?}");
}

#[tokio::test]
async fn malformed_parameters_are_refused() {
    let api = Api::start().await;
    let long = format!("?by={}", "a".repeat(257));
    for query in [
        "?since=yesterday",
        "?until=",
        "?by=",
        &long,
        "?limit=0",
        "?limit=101",
        "?cursor=MQ",
        "?page=1",
        "?asOf=2024-01-15T10:30:00Z",
    ] {
        api.get(&format!("{CHANGES}{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
    assert_eq!(changes(&api, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_page_is_one_query_of_the_index() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    story(&api).await;
    for query in ["?limit=2", "?by=ann&limit=1", "?by=nobody"] {
        proxy.take_calls();
        changes(&api, query).await;
        let calls = proxy.take_calls();
        assert_eq!(calls.len(), 1, "{query}");
        assert_eq!((calls[0].operation.as_str(), &calls[0].body["IndexName"]), ("Query", &json!("changes")));
    }
}
