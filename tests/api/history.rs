//! `GET …/versions`, `GET …/versions/{n}`, `GET …/versions/{n}/diff`, `POST …/versions/{n}/restore`

use oracles::json_patch::{self, Patch};
use project_flows::diff::MAX_PATH_BYTES;
use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, NOWHERE, Request, newest_key, page_request, page_request_with, version_key};

/// Creates a flow with this many versions: the name of version n is `Version n`.
async fn flow_at(api: &Api, version: u64) -> String {
    let path = api.create_from(&Request::create(page_request_with("name", json!("Version 1")))).await;
    for version in 2..=version {
        api.set(&path, "name", json!(format!("Version {version}"))).await;
    }
    path
}

#[tokio::test]
async fn the_versions_of_a_flow_are_listed_as_summaries_newest_first() {
    let api = Api::start().await;
    let path = flow_at(&api, 12).await;

    let answer = api.get(&format!("{path}/versions")).await;

    assert_eq!((answer.status, &answer.json()["pagination"]), (200, &json!({ "limit": 100, "total": 12 })));
    answer.expect_headers();
    let versions = answer.json()["data"].as_array().unwrap().clone();
    assert_eq!(versions.len(), 12);
    for (summary, version) in versions.iter().zip((1..=12).rev()) {
        let answer = api.get(&format!("{path}/versions/{version}")).await.json();
        let mut expected = answer["data"].clone();
        assert_eq!(expected["name"], format!("Version {version}"));
        expected.as_object_mut().unwrap().retain(|name, _| !["configuration", "steps"].contains(&name.as_str()));
        expected["change"] = answer["change"].clone();
        assert_eq!(summary, &expected);
    }
}

#[tokio::test]
async fn versions_are_listed_in_pages() {
    let api = Api::start().await;
    let path = flow_at(&api, 12).await;
    for limit in [1, 2, 5, 6, 11, 12, 13] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let answer = api.get(&format!("{path}/versions?limit={limit}{cursor}")).await;
            let page = answer.json();
            let versions = page["data"].as_array().unwrap();
            found.extend(versions.iter().map(|summary| summary["version"].as_u64().unwrap()));
            assert_eq!(page["pagination"]["total"], 12);
            let Some(next) = page["pagination"]["next"].as_str() else { break };
            assert_eq!(versions.len(), limit);
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, (1..=12).rev().collect::<Vec<_>>(), "{limit}");
    }
    let malformed =
        ["limit=0", "limit=101", "limit=x", "limit=05", "limit=+5", "cursor=", "cursor=x", "page=1", "limit=1&limit=1"];
    for query in malformed {
        api.get(&format!("{path}/versions?{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn versions_of_more_than_a_megabyte_are_all_listed() {
    let api = Api::start().await;
    let path = api.create().await;
    for version in 2..=9 {
        api.set(&path, "configuration", json!({ "large": format!("{version}{}", "x".repeat(240 * 1024)) })).await;
    }

    let answer = api.get(&format!("{path}/versions")).await;

    let versions = answer.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_u64().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(versions, (1..=9).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_version_that_does_not_exist_is_not_found() {
    let api = Api::start().await;
    let path = flow_at(&api, 3).await;
    for version in ["0", "4", "01", "+1", "-1", "1.0", "x", "99999999999", "18446744073709551616"] {
        for request in [
            Request::get(&format!("{path}/versions/{version}")),
            Request::get(&format!("{path}/versions/{version}/diff?from=1")),
            Request::restore(&path, version),
        ] {
            api.send(&request).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
        }
    }
    api.get(&format!("{path}/versions/1/diff?from=4")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    for request in [
        Request::get(&format!("{NOWHERE}/versions")),
        Request::get(&format!("{NOWHERE}/versions/1")),
        Request::get(&format!("{NOWHERE}/versions/1/diff?from=1")),
        Request::restore(NOWHERE, 1),
    ] {
        api.send(&request).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_diff_is_a_patch_from_one_version_to_another() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "description", Value::Null).await;
    api.set(&path, "configuration", json!({ "a/b": { "~": [1, 2, 3] }, "": null })).await;
    api.set(&path, "configuration", json!({ "a/b": { "~": [1, 3] }, "b": [] })).await;
    api.set(&path, "steps", json!([{ "stepType": "email", "order": 1, "required": true }])).await;
    api.set(&path, "status", json!("active")).await;
    let mut documents = Vec::new();
    for version in 1..=6 {
        documents.push(api.get(&format!("{path}/versions/{version}")).await.json()["data"].clone());
    }
    for (m, from) in documents.iter().enumerate() {
        for (n, to) in documents.iter().enumerate() {
            let answer = api.get(&format!("{path}/versions/{}/diff?from={}", n + 1, m + 1)).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let operations: Patch = serde_json::from_value(answer.json()["data"].clone()).expect("RFC 6902");
            let mut patched = from.clone();
            json_patch::patch(&mut patched, &operations).unwrap();
            assert_eq!(&patched, to);
            assert_eq!(operations.0.is_empty(), m == n);
        }
    }
    let answer = api.get(&format!("{path}/versions/6/diff?from=5")).await;
    let expected = json!([
        { "op": "replace", "path": "/status", "value": "active" },
        { "op": "replace", "path": "/version", "value": 6 },
    ]);
    let operations = answer.json()["data"].clone();
    let but_for_the_time: Vec<_> =
        operations.as_array().unwrap().iter().filter(|one| one["path"] != "/updatedAt").collect();
    assert_eq!(json!(but_for_the_time), expected);
    answer.expect_headers();
}

#[tokio::test]
async fn a_diff_shows_another_spelling_of_the_same_number() {
    let api = Api::start().await;
    let path = api.create().await;
    let put = |number: &str| Request::put(&path, format!(r#"{{"configuration": {{"n": [{number}, "1.0"]}}}}"#));
    for (version, number) in ["1", "1.0", "18446744073709551616", "18446744073709551617", "1e2"].iter().enumerate() {
        assert_eq!(api.send(&put(number)).await.json()["data"]["version"], version + 2);
        if version == 0 {
            continue;
        }
        let diff = format!("{path}/versions/{}/diff?from={}", version + 2, version + 1);
        let answer = api.get(&diff).await;
        let expected = format!(r#"{{"op":"replace","path":"/configuration/n/0","value":{number}}}"#);
        assert!(answer.text.contains(&expected), "{}", answer.text);
    }
}

/// Each operation contains its whole path, so a patch can be thousands of times as long as the change.
#[tokio::test]
async fn a_diff_that_would_be_too_long_replaces_a_whole_object_or_array() {
    let api = Api::start().await;
    let path = api.create().await;
    let name = "n".repeat(100 * 1024);
    // Each with the path that is replaced from the version before.
    let configurations = [
        (json!({ "x": vec![0; 100_000], "y": 0 }), "/x"),
        (json!({ "x": vec![1; 100_000], "y": 1 }), "/x"),
        (json!({ "x": { &name: vec![0; 60_000] }, "y": 1 }), "/x"),
        (json!({ "x": { &name: vec![1; 60_000] }, "y": 1 }), &format!("/x/{name}")),
        (json!({ "x": { "z": vec![0; 60_000] }, "y": { "z": [0, 1, 2] } }), "/y"),
        (json!({ "x": { "z": vec![1; 60_000] }, "y": { "z": [0, 0, 2] } }), "/x/z"),
        (json!({ "x": { "z": vec![2; 60_000] }, "y": { "z": [0, 3, 2] } }), "/y/z/1"),
    ];
    for (index, (configuration, replaced)) in configurations.into_iter().enumerate() {
        api.set(&path, "configuration", configuration.clone()).await;
        let version = index + 2;
        let diff = format!("{path}/versions/{version}/diff?from={}", version - 1);
        let answer = api.get(&diff).await;
        let (replaced, value) = (format!("/configuration{replaced}"), configuration.pointer(replaced));
        let operations = answer.json()["data"].as_array().unwrap().clone();
        let found = operations.iter().any(|one| one["path"] == replaced && one.get("value") == value);
        let paths: Vec<_> = operations.iter().map(|one| format!("{:.40}", one["path"].as_str().unwrap())).collect();
        assert!(found, "version {version}: {paths:?}");
        assert!(!operations.iter().any(|one| one["path"].as_str().unwrap().starts_with(&format!("{replaced}/"))));
        assert!(answer.text.len() < 300_000, "{}", answer.text.len());
        let same = api.get(&format!("{path}/versions/{version}/diff?from={version}")).await;
        assert_eq!(same.json()["data"], json!([]));
    }
}

#[tokio::test]
async fn a_diff_names_each_member_of_a_flow_even_if_there_is_no_room_for_longer_paths() {
    let api = Api::start().await;
    let path = api.create().await;
    // Each operation takes 1,000 bytes of the response.
    let operation = r#"{\"op\":\"replace\",\"path\":\"/configuration//0000\",\"value\":},"#.len();
    let name = "n".repeat(1_000 - operation);
    let members = |value: u32| (0..MAX_PATH_BYTES / 1_000).map(move |number| (format!("{number:04}"), json!(value)));
    for value in [1, 2] {
        let members: serde_json::Map<_, _> = members(value).collect();
        api.set(&path, "configuration", json!({ &name: members })).await;
    }
    let answer = api.get(&format!("{path}/versions/3/diff?from=2")).await;
    let operations = answer.json()["data"].as_array().unwrap().clone();
    let below = operations.iter().filter(|one| one["path"].as_str().unwrap().starts_with("/configuration/"));
    assert_eq!(below.count(), MAX_PATH_BYTES / 1_000);
    assert!(operations.contains(&json!({ "op": "replace", "path": "/version", "value": 3 })));
}

#[tokio::test]
async fn a_diff_of_steps_is_as_short_as_the_change() {
    let api = Api::start().await;
    let path = api.create().await;
    let step = |order: u32, required: bool| json!({ "stepType": "email", "order": order, "required": required });
    let (first, second, third) = (step(1, true), step(2, true), step(3, true));
    let changes = [
        (json!([first, second]), json!([])),
        (json!([first, second, third]), json!([{ "op": "add", "path": "/steps/2", "value": third }])),
        (
            json!([first, step(2, false), third]),
            json!([{ "op": "replace", "path": "/steps/1/required", "value": false }]),
        ),
        (json!([first, third]), json!([{ "op": "remove", "path": "/steps/1" }])),
        (json!([second, first, third]), json!([{ "op": "add", "path": "/steps/0", "value": second }])),
        (json!([second]), json!([{ "op": "remove", "path": "/steps/2" }, { "op": "remove", "path": "/steps/1" }])),
    ];
    for (version, (steps, expected)) in (2..).zip(changes) {
        api.set(&path, "steps", steps).await;
        let diff = api.get(&format!("{path}/versions/{version}/diff?from={}", version - 1)).await;
        let operations = diff.json()["data"].as_array().unwrap().clone();
        let of_steps = operations.into_iter().filter(|one| one["path"].as_str().unwrap().starts_with("/steps"));
        if version > 2 {
            assert_eq!(json!(of_steps.collect::<Vec<_>>()), expected);
        }
    }
}

#[tokio::test]
async fn a_diff_without_a_version_to_compare_with_is_refused() {
    let api = Api::start().await;
    let path = flow_at(&api, 2).await;
    for query in ["", "from=", "from=0", "from=x", "from=01", "from=1&from=1", "to=1", "from=1&to=2"] {
        let diff = Request::get(&format!("{path}/versions/2/diff")).query(query);
        api.send(&diff).await.expect(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn a_restore_writes_a_new_version_with_the_content_of_an_earlier_one() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let path = created.path();
    api.set(&path, "description", Value::Null).await;
    api.set(&path, "configuration", json!({})).await;
    let before = api.engine.items();

    let answer = api.send(&Request::restore(&path, 1)).await;

    assert_eq!((answer.status, answer.headers["etag"].as_str()), (200, "\"4\""));
    answer.expect_headers();
    let mut expected = created.json();
    expected["data"]["version"] = json!(4);
    expected["data"]["updatedAt"] = answer.json()["data"]["updatedAt"].clone();
    assert_eq!(answer.json(), expected);
    assert_eq!(api.get(&path).await.text, answer.text);
    // The history has not changed.
    for item in before.iter().filter(|item| item["sk"]["S"].as_str().unwrap().starts_with("VERSION#")) {
        assert!(api.engine.items().contains(item));
    }
    // A restore of the newest version writes a new version too.
    let again = api.send(&Request::restore(&path, 4)).await;
    assert_eq!((again.status, &again.json()["data"]["version"]), (200, &json!(5)));
}

#[tokio::test]
async fn a_restore_does_not_change_whether_a_flow_is_active() {
    let api = Api::start().await;
    let path = flow_at(&api, 1).await;
    let restore = |version: u64| Request::restore(&path, version);
    api.set(&path, "status", json!("active")).await;
    assert_eq!(api.send(&restore(1)).await.json()["data"]["status"], "active");
    api.set(&path, "status", json!("paused")).await;
    assert_eq!(api.send(&restore(2)).await.json()["data"]["status"], "paused");
    assert_eq!(api.send(&Request::delete(&path)).await.json()["data"]["version"], 6);
    // A deleted flow is a draft after the restore, and it is listed again.
    let restored = api.send(&restore(2)).await;
    assert_eq!((&restored.json()["data"]["status"], &restored.json()["data"]["version"]), (&json!("draft"), &json!(7)));
    assert_eq!(api.get("/v2/project-flows").await.json()["data"][0]["version"], 7);
    assert_eq!(api.get(&path).await.text, restored.text);
    let deleted = api.get(&format!("{path}/versions/6")).await;
    assert_eq!(deleted.json()["data"]["status"], "deleted");
}

#[tokio::test]
async fn a_restore_with_a_precondition_replaces_only_that_version() {
    let api = Api::start().await;
    let path = flow_at(&api, 3).await;
    let restore = Request::restore(&path, 1);
    api.send(&restore.clone().header("if-match", "\"2\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&restore.clone().header("if-match", "2")).await.expect(400, "INVALID_ETAG");
    api.send(&restore.clone().query("dryRun=1")).await.expect(400, "INVALID_PARAMETERS");
    assert_eq!(api.engine.items().len(), 3);
    let answer = api.send(&restore.header("if-match", "\"3\"")).await;
    assert_eq!((answer.status, &answer.json()["data"]["name"]), (200, &json!("Version 1")));
}

#[tokio::test]
async fn a_version_in_the_history_is_never_overwritten() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let mut version = api.engine.item(&newest_key(&created.id()));
    version["sk"] = json!({ "S": version_key(&created.id(), 1) });
    version["name"] = json!({ "S": "Written by hand" });
    api.engine.put(engine::TABLE, &version);
    let before = api.engine.items();

    api.send(&Request::put(&created.path(), json!({ "name": "New" }))).await.expect(500, "INTERNAL_ERROR");

    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn a_request_for_a_missing_earlier_version_is_to_be_sent_again() {
    let api = Api::start().await;
    let path = flow_at(&api, 4).await;
    let id = path.rsplit_once('/').unwrap().1;
    api.engine.delete(&api.engine.item(&version_key(id, 2)));
    for request in [
        Request::get(&format!("{path}/versions")),
        Request::get(&format!("{path}/versions/2")),
        Request::get(&format!("{path}/versions/3/diff?from=2")),
        Request::restore(&path, 2),
    ] {
        api.send(&request).await.expect(503, "TEMPORARILY_UNAVAILABLE");
    }
    assert_eq!(api.get(&format!("{path}/versions?limit=2")).await.status, 200);
}
