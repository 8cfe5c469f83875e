//! `PATCH /v2/project-flows/{id}`

use std::sync::Arc;
use std::time::Instant;

use project_flows::json::{self as tree, MAX_LEVELS};
use serde_json::{Value, json};

use crate::support::{Answer, Api, NOWHERE, Request, newest_key, page_request_with};

/// A configuration whose text shows every change of it.
const CONFIGURATION: &str = "{\n  \"securityThresholds\" : {\"face\":0.90, \"document\": 1.0 ,\"voice\": 5e-1},\n  \
     \"phoneVerification\": {\"enabled\":true},\n  \"m\\u0069ne\": [1.0,  {\"b\": null, \"a\": 100e0}] \n}";

/// Creates a flow with this configuration, and returns its path.
async fn create(api: &Api, configuration: &str) -> String {
    let body = page_request_with("configuration", json!("CONFIGURATION")).to_string();
    api.create_from(&Request::create(body.replace("\"CONFIGURATION\"", configuration))).await
}

/// Patches the configuration of the flow at `path`.
#[track_caller]
fn patch<'api>(api: &'api Api, path: &str, configuration: &str) -> impl Future<Output = Answer> + use<'api> {
    api.send(&Request::patch(path, format!("{{\"configuration\": {configuration}}}")))
}

/// The text of the configuration in an answer.
#[track_caller]
fn configuration(answer: &Answer) -> &str {
    let text = answer.text.split_once("\"configuration\":").and_then(|(_, text)| text.rsplit_once(",\"steps\":"));
    text.unwrap_or_else(|| panic!("expected a flow, found {answer:?}")).0
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_keeps_the_text_of_everything_else() {
    let api = Api::start().await;
    let path = create(&api, CONFIGURATION).await;
    let before = api.get(&path).await;

    let answer = patch(&api, &path, r#"{"securityThresholds": {"document": 0.950}}"#).await;

    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["etag"], "\"2\"");
    answer.expect_headers();
    let expected = CONFIGURATION.replace("\"document\": 1.0 ", "\"document\": 0.950 ");
    assert_eq!(configuration(&answer), expected);
    assert_eq!(api.engine.item(&newest_key(&answer.id()))["configuration"]["S"], expected.as_str());
    let mut document = before.json();
    document["data"]["configuration"] = serde_json::from_str(&expected).unwrap();
    document["data"]["version"] = json!(2);
    document["data"]["updatedAt"] = answer.json()["data"]["updatedAt"].clone();
    assert_eq!(answer.json(), document);
    assert_eq!(api.get(&path).await.text, answer.text);
    // Behind the flow, a version also says who wrote it.
    let first = api.get(&format!("{path}/versions/1")).await.text;
    assert!(first.starts_with(before.text.trim_end_matches('}')), "{first}");
}

/// Texts before and after a patch. The first ones are the examples of RFC 7396 (appendix A) that are objects.
const MERGES: &[(&str, &str, &str)] = &[
    (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
    (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
    (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
    (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
    (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
    (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
    (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
    (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
    ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    // Null in a new object removes nothing, but is no value either. In an array it is a value.
    (
        r#"{"a": 1}"#,
        r#"{"a": {"b": null, "c": [null, {"d": null}], "e": {}}}"#,
        r#"{"a": { "c": [null, {"d": null}], "e": {}}}"#,
    ),
    (r#"{"a": "null"}"#, r#"{"b": {"null": "null", "c": null}}"#, r#"{"a": "null","b": {"null": "null"}}"#),
    // What is not an object is replaced by one.
    (r#"{"a": [1], "b": null}"#, r#"{"a": {"x": 1}, "b": {}}"#, r#"{"a": {"x": 1}, "b": {}}"#),
    // Commas, braces and quotes in names and values are text.
    (r#"{"a,\"}": 1 , "b": "},{" , "c": 3 }"#, r#"{"a,\"}": null, "c": 4}"#, r#"{ "b": "},{" , "c": 4 }"#),
    // The spelling of a name does not matter, and stays.
    (r#"{"\u0061": 1, "b": 2}"#, r#"{"a": 3, "\u0062": null}"#, r#"{"\u0061": 3}"#),
    // The first member, one between, the last one, all.
    ("{\n \"a\": 1,\n \"b\": 2,\n \"c\": 3\n}", r#"{"a": null}"#, "{\n \"b\": 2,\n \"c\": 3\n}"),
    ("{\n \"a\": 1,\n \"b\": 2,\n \"c\": 3\n}", r#"{"b": null}"#, "{\n \"a\": 1,\n \"c\": 3\n}"),
    ("{\n \"a\": 1,\n \"b\": 2,\n \"c\": 3\n}", r#"{"c": null}"#, "{\n \"a\": 1,\n \"b\": 2\n}"),
    ("{\n \"a\": 1,\n \"b\": 2\n}", r#"{"b": null, "a": null}"#, "{\n}"),
    ("{ }", "{\n \"a\": 1, \"b\": 2}", "{\n \"a\": 1, \"b\": 2 }"),
    // A number in another spelling is another text.
    (r#"{"a": 1.0, "b": 1}"#, r#"{"a": 1}"#, r#"{"a": 1, "b": 1}"#),
    (r#"{"a": 18446744073709551616}"#, r#"{"a": 18446744073709551617}"#, r#"{"a": 18446744073709551617}"#),
    // A value that is there already keeps its text, whatever else changes.
    (r#"{"a": [1,  2], "b": 1}"#, r#"{"a": [1,2], "b": 2}"#, r#"{"a": [1,  2], "b": 2}"#),
];

fn merge_patch(target: &str, patch: &str) -> String {
    let read = |text| tree::read(serde_json::from_str(text).unwrap()).unwrap();
    tree::merge_patch(&read(target), &read(patch))
}

#[test]
fn a_merge_is_that_of_rfc_7396_and_keeps_texts() {
    for (target, patch, expected) in MERGES {
        assert_eq!(merge_patch(target, patch), *expected, "{target} with {patch}");
    }
}

#[tokio::test]
async fn a_patch_that_changes_nothing_writes_nothing() {
    let api = Api::start().await;
    let path = create(&api, CONFIGURATION).await;
    let (created, before) = (api.get(&path).await, api.engine.items());
    let unchanged = [
        "{}",
        r#"{"configuration": {}}"#,
        r#"{"configuration": {"absent": null, "securityThresholds": {"absent": null, "face": 0.90}}}"#,
        r#"{"configuration": {"mine": [ 1.0, {"b":null,"a":100e0} ], "phoneVerification": {}}}"#,
        r#"{"configuration": {"phoneVerification": {"en\u0061bled": true}}, "name": "Complete Onboarding Flow"}"#,
    ];
    for body in unchanged {
        let answer = api.send(&Request::patch(&path, body)).await;
        assert_eq!((answer.status, &answer.text), (200, &created.text), "{body}");
    }
    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn a_patch_replaces_every_other_member_as_an_update_does() {
    let api = Api::start().await;
    let path = create(&api, CONFIGURATION).await;
    let steps = r#"[{"stepType": "email",  "order": 9, "required": false, "config": {"mine": null}}]"#;
    let body = format!(r#"{{"name": "Patched", "description": null, "status": "active", "steps": {steps}}}"#);

    let answer = api.send(&Request::patch(&path, body)).await;

    let data = &answer.json()["data"];
    assert_eq!((&data["name"], data.get("description"), &data["status"]), (&json!("Patched"), None, &json!("active")));
    assert!(answer.text.contains(&format!(r#""steps":{steps},"#)), "{answer:?}");
    assert_eq!(configuration(&answer), CONFIGURATION);
}

#[tokio::test]
async fn the_patched_flow_is_validated_as_a_whole() {
    let api = Api::start().await;
    let path = create(&api, CONFIGURATION).await;
    let before = api.engine.items();
    let rows = [
        (json!({ "configuration": null }), 400, "INVALID_CONFIGURATION", "/configuration"),
        (json!({ "configuration": [] }), 400, "INVALID_CONFIGURATION", "/configuration"),
        (json!({ "configuration": "x" }), 400, "INVALID_CONFIGURATION", "/configuration"),
        (
            json!({ "configuration": { "securityThresholds": { "face": 2 } } }),
            400,
            "INVALID_CONFIGURATION",
            "/configuration/securityThresholds/face",
        ),
        (
            json!({ "configuration": { "securityThresholds": [] } }),
            400,
            "INVALID_CONFIGURATION",
            "/configuration/securityThresholds",
        ),
        // Only the stored flow has the other half of each contradiction.
        (
            json!({ "configuration": { "phoneVerification": { "enabled": false } } }),
            400,
            "INVALID_STEPS",
            "/steps/1/stepType",
        ),
        (json!({ "steps": null }), 400, "INVALID_STEPS", "/steps"),
        (json!({ "steps": {} }), 400, "INVALID_STEPS", "/steps"),
        (json!({ "name": null }), 400, "INVALID_NAME", "/name"),
        (json!({ "status": null }), 400, "INVALID_STATUS", "/status"),
        (json!({ "status": "deleted" }), 400, "INVALID_STATUS", "/status"),
        (json!({ "mine": null }), 400, "UNKNOWN_FIELD", "/mine"),
        (json!({ "project": null }), 409, "IMMUTABLE_FIELD", "/project"),
        (json!({ "type": "login", "configuration": null }), 409, "IMMUTABLE_FIELD", "/type"),
        (json!({ "version": 2 }), 409, "VERSION_CONFLICT", "/version"),
        (json!({ "updatedAt": "2024-01-15T10:30:00Z" }), 409, "VERSION_CONFLICT", "/updatedAt"),
    ];
    for (body, status, code, place) in rows {
        for query in ["", "dryRun=true"] {
            let answer = api.send(&Request::patch(&path, &body).query(query)).await;
            answer.expect(status, code);
            assert_eq!(answer.json()["details"][0]["path"], place, "{body}");
        }
    }
    let twice = r#"{"configuration": {"a": {"b": 1, "b": 1}}}"#;
    api.send(&Request::patch(&path, twice)).await.expect(400, "DUPLICATE_MEMBER");
    api.send(&Request::patch(&path, "[]")).await.expect(400, "INVALID_BODY");
    api.send(&Request::patch(&path, "null")).await.expect(400, "INVALID_BODY");
    api.send(&Request::patch(&path, "")).await.expect(400, "INVALID_JSON");
    api.send(&Request::patch(NOWHERE, "{}")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn preconditions_hold_for_a_patch_too() {
    let api = Api::start().await;
    let path = create(&api, CONFIGURATION).await;
    let request = || Request::patch(&path, json!({ "configuration": { "a": 1 } }));
    api.send(&request().header("if-match", "\"2\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&request().header("if-none-match", "*")).await.expect(412, "VERSION_CONFLICT");
    api.send(&request().header("if-match", "2")).await.expect(400, "INVALID_ETAG");
    let dry = api.send(&request().query("dryRun=true")).await;
    assert_eq!(
        (dry.status, &dry.json()["data"]["configuration"]["a"], dry.headers.get("etag")),
        (200, &json!(1), None)
    );
    assert_eq!(api.engine.items().len(), 1);
    assert_eq!(api.send(&request().header("if-match", "\"1\"")).await.json()["data"]["version"], 2);
    let stale = json!({ "version": 1, "configuration": { "a": 2 } });
    api.send(&Request::patch(&path, stale)).await.expect(409, "VERSION_CONFLICT");
}

#[tokio::test]
async fn a_patch_takes_its_own_media_type_only_and_the_refusal_names_it() {
    let api = Api::start().await;
    let path = api.create().await;
    let request = || Request::patch(&path, json!({ "name": "Patched" }));
    let refused = [
        request().without("content-type"),
        request().header("content-type", "application/json"),
        request().header("content-type", "application/json-patch+json"),
        request().header("content-type", "application/merge-patch"),
        request().header("content-type", "application/merge-patch+json; charset=latin1"),
        request().header("content-type", "patch"),
        request().header("content-encoding", "gzip"),
    ];
    for refused in refused {
        let answer = api.send(&refused).await;
        answer.expect(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(answer.headers["accept-patch"], "application/merge-patch+json", "{refused:?}");
    }
    let none = api.send(&request().without("content-type")).await;
    assert_eq!(none.json()["details"][0]["error"], "expected application/merge-patch+json, found nothing");
    for other in [Request::put(&path, "{}"), Request::create("{}")] {
        let answer = api.send(&other.header("content-type", "application/merge-patch+json")).await;
        answer.expect(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(answer.headers.get("accept-patch"), None);
    }
    assert_eq!(api.engine.items().len(), 1);
    for taken in ["Application/Merge-Patch+JSON", "application/merge-patch+json;charset=UTF-8"] {
        assert_eq!(api.send(&request().header("content-type", taken)).await.status, 200, "{taken}");
    }
}

/// A text of this many objects within each other, the innermost with one member.
fn nested(levels: usize) -> String {
    format!("{}{{\"x\":1}}{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1))
}

#[tokio::test]
async fn a_patch_can_make_a_flow_as_deep_as_a_create_can_and_no_deeper() {
    let api = Api::start().await;
    let path = create(&api, &nested(MAX_LEVELS - 1)).await;
    let deepest = nested(MAX_LEVELS - 1).replace("\"x\"", "\"y\"");

    let answer = patch(&api, &path, &deepest).await;

    assert_eq!(configuration(&answer), nested(MAX_LEVELS - 1).replace("\"x\":1", "\"x\":1,\"y\":1"));
    patch(&api, &path, &nested(MAX_LEVELS)).await.expect(400, "TOO_DEEP");
    let replaced = patch(&api, &path, r#"{"a": null}"#).await;
    assert_eq!(configuration(&replaced), "{}");
    let deep = patch(&api, &path, &deepest).await;
    // What a patch has made can be sent back.
    assert_eq!(api.send(&Request::put(&path, deep.json()["data"].to_string())).await.text, deep.text);
}

#[tokio::test]
async fn a_patched_flow_that_is_too_large_is_refused_and_not_written() {
    let api = Api::start().await;
    let path = api.create().await;
    let part = "x".repeat(195 * 1024);
    assert_eq!(patch(&api, &path, &json!({ "a": part }).to_string()).await.status, 200);
    let before = api.engine.items();

    patch(&api, &path, &json!({ "b": part, "c": part.split_at(20 * 1024).0 }).to_string())
        .await
        .expect(413, "FLOW_TOO_LARGE");

    assert_eq!(api.engine.items(), before);
}

#[test]
fn a_patch_with_many_members_takes_no_time_that_grows_with_their_square() {
    let names = |prefix: &str| (0..12_000).map(|n| format!("\"{prefix}{n}\":0")).collect::<Vec<_>>().join(",");
    let (target, patch) = (format!("{{{}}}", names("old")), format!("{{{}}}", names("new")));

    let start = Instant::now();
    let merged = merge_patch(&target, &patch);

    assert_eq!(merged.len(), target.len() + patch.len() - 1);
    assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
}

/// Two people change different thresholds of one configuration, whoever is first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_patches_at_once_of_different_members_none_is_lost() {
    const WRITERS: usize = 64;
    let api = Arc::new(Api::start().await);
    let path = create(&api, CONFIGURATION).await;

    let patches = (0..WRITERS).map(|number| {
        let (api, path) = (Arc::clone(&api), path.clone());
        tokio::spawn(async move {
            let thresholds = json!({ "securityThresholds": { format!("own{number}"): 0.5 } });
            let request = Request::patch(&path, json!({ "configuration": thresholds }));
            loop {
                let answer = api.send(&request).await;
                match answer.status {
                    200 => return answer.json()["data"]["version"].as_u64().unwrap(),
                    // Nothing was written, because others were faster every time.
                    503 => answer.expect(503, "TEMPORARILY_UNAVAILABLE"),
                    _ => panic!("{answer:?}"),
                }
            }
        })
    });
    let mut versions = Vec::new();
    for patch in patches.collect::<Vec<_>>() {
        versions.push(patch.await.unwrap());
    }

    versions.sort_unstable();
    assert_eq!(versions, (2..WRITERS as u64 + 2).collect::<Vec<_>>(), "each patch has a version of its own");
    let answer = api.get(&path).await;
    let thresholds: Value = answer.json()["data"]["configuration"]["securityThresholds"].clone();
    for number in 0..WRITERS {
        assert_eq!(thresholds[format!("own{number}")], 0.5, "{number}");
    }
    assert_eq!(thresholds.as_object().unwrap().len(), 3 + WRITERS);
    assert!(configuration(&answer).starts_with("{\n  \"securityThresholds\" : {\"face\":0.90, \"document\": 1.0 ,"));
}
