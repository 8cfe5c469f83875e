//! Properties that hold for any input. `PROPTEST_CASES` is the number of inputs for each; `make soak` tries many.

use std::collections::BTreeMap;

use oracles::json_patch::{self, Patch};
use oracles::proptest::prelude::*;
use oracles::proptest::test_runner::{Config, TestCaseResult, TestRunner};
use project_flows::diff::{PatchOperation, diff};
use project_flows::flow::{Client, FlowId, IdempotencyKey};
use project_flows::item;
use project_flows::json::{self as tree, Node, merge_patch};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Api, CLIENT, Request, bearer, newest_key, page_request};

#[track_caller]
fn for_any<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(strategy, property).unwrap();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn keys_of_different_clients_never_collide() {
    // With few characters, a client and a key often join to the same text as another client and key.
    let name = "[a#|:/]{1,4}";
    for_any(&(name, name, name, name), |(one, one_key, other, other_key)| {
        let id = |client: &str, key: &str| {
            let (client, key) = (Client::parse(client).unwrap(), IdempotencyKey::parse(key).unwrap());
            (item::flow_key(&client, &FlowId::of_key(&client, &key)), FlowId::of_key(&client, &key))
        };
        let (one_item, one_id) = id(&one, &one_key);
        let (other_item, other_id) = id(&other, &other_key);
        let same = (&one, &one_key) == (&other, &other_key);
        prop_assert_eq!(one_id == other_id, same);
        prop_assert_eq!(one_item["pk"] == other_item["pk"], one == other);
        prop_assert_eq!(one_item == other_item, same);
        Ok(())
    });
}

/// JSON texts of objects with any names, spellings of numbers, escapes and white space, and with a few levels.
fn object_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| format!("{number}00000")),
        (any::<i32>(), 0_u32..1_000_000).prop_map(|(whole, part)| format!("{whole}.{part}")),
        (0_i32..1000, -300_i32..300).prop_map(|(whole, exponent)| format!("{whole}.0E{exponent:+}")),
        Just("-0".to_owned()),
        Just("1.0".to_owned()),
    ];
    let string = any::<String>().prop_map(|text| {
        let text = serde_json::to_string(&text).unwrap();
        // Some characters as escapes, which must stay as they are.
        text.replace('a', "\\u0061").replace('/', "\\/")
    });
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number,
        string.clone(),
    ];
    let space = prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("\r\n")];
    let value = leaf.prop_recursive(5, 40, 6, move |inner| {
        let members = prop::collection::vec((string.clone(), inner.clone()), 0..6);
        prop_oneof![
            (prop::collection::vec(inner, 0..6), space.clone())
                .prop_map(|(values, space)| format!("[{space}{}]", values.join(&format!("{space},")))),
            (members, space.clone()).prop_map(|(members, space)| object(&members, space)),
        ]
    });
    let names = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    prop::collection::vec((names, value), 0..6).prop_map(|members| object(&members, "\n"))
}

/// An object of these members, with each name once.
fn object(members: &[(String, String)], space: &str) -> String {
    let mut seen = Vec::new();
    let mut texts = Vec::new();
    for (name, value) in members {
        let decoded: String = serde_json::from_str(name).unwrap();
        let reserved = decoded.ends_with("Verification") || decoded == "securityThresholds";
        if !reserved && !seen.contains(&decoded) {
            seen.push(decoded);
            texts.push(format!("{space}{name}{space}:{value}"));
        }
    }
    format!("{{{}{space}}}", texts.join(&format!("{space},")))
}

/// The answer, the stored item and a replay have the same bytes as the request.
#[test]
fn configuration_and_steps_of_any_valid_document_come_back_byte_for_byte() {
    let runtime = runtime();
    let api = runtime.block_on(Api::start());
    let steps = prop::collection::vec((object_text(), any::<bool>(), 0_usize..4), 1..5);
    for_any(&(object_text(), steps, any::<u128>()), |(configuration, steps, key)| {
        let steps: Vec<_> = steps
            .iter()
            .enumerate()
            .map(|(index, (config, required, step_type))| {
                let step_type = ["email", "phone", "biometric", "document"][*step_type];
                let order = index + 1;
                format!(r#"{{"config" : {config} ,"required":{required},"order": {order}, "stepType":"{step_type}"}}"#)
            })
            .collect();
        let steps = format!("[ {}\n]", steps.join(" ,"));
        let body = format!(
            r#"{{"project":"p","type":"login","name":"n", "configuration" : {configuration} ,"steps": {steps} }}"#
        );
        let request = Request::create(body).key(&key.to_string());
        let answer = runtime.block_on(api.send(&request));
        prop_assert_eq!(answer.status, 201, "{}", answer.text);
        let expected = format!(r#""configuration":{configuration},"steps":{steps},"client":"#);
        prop_assert!(answer.text.contains(&expected), "{} in {}", expected, answer.text);
        let id = answer.id();
        let item = api.engine.item(&newest_key(&id));
        prop_assert_eq!(&item["configuration"]["S"], configuration.as_str());
        prop_assert_eq!(&item["steps"]["S"], steps.as_str());
        let replay = runtime.block_on(api.send(&request));
        prop_assert_eq!(replay.headers.get("idempotency-replayed").map(String::as_str), Some("true"));
        prop_assert_eq!(&replay.text, &answer.text);

        // The same holds for an update and for the version before it. These are four more requests, so only every fifth
        // case makes them.
        if key % 5 != 0 {
            return Ok(());
        }
        let path = answer.path();
        let update = format!(r#"{{"configuration" : {{"was":{configuration}}} }}"#);
        let updated = runtime.block_on(api.send(&Request::put(&path, update)));
        let expected = format!(r#""configuration":{{"was":{configuration}}},"steps":{steps},"client":"#);
        prop_assert!(updated.text.contains(&expected), "{} in {}", expected, updated.text);
        let read = runtime.block_on(api.get(&path));
        prop_assert_eq!(read.text, updated.text);
        let first = runtime.block_on(api.get(&format!("{path}/versions/1")));
        // Behind the flow, a version also says who wrote it.
        prop_assert!(first.text.starts_with(answer.text.trim_end_matches('}')), "{}", first.text);
        let patched = runtime.block_on(api.send(&Request::patch(&path, r#"{"configuration":{"is":1.0}}"#)));
        let expected = format!(r#""configuration":{{"was":{configuration},"is":1.0}},"steps":{steps},"client":"#);
        prop_assert!(patched.text.contains(&expected), "{} in {}", expected, patched.text);
        Ok(())
    });
}

/// JSON texts of objects that are similar to each other: they have few names, some of them long, and few values.
fn similar_object_text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["1", "1.0", "18446744073709551616", "18446744073709551617", "null"]);
    let string = prop::sample::select(vec![r#""1""#, r#""a""#, r#""\u0061""#, r#""/""#, r#""\/""#, r#""""#]);
    let names = ["", "a", "b", "~1", "/", "\"", "0"].map(str::to_owned).into_iter();
    let names = names.chain(["\u{1}".repeat(1_500), "\"".repeat(3_000), "~/".repeat(40)]);
    let name = prop::sample::select(names.map(|name| serde_json::to_string(&name).unwrap()).collect::<Vec<_>>());
    let leaf = prop_oneof![leaf, string].prop_map(str::to_owned);
    let space = prop::sample::select(vec!["", " ", "\n"]);
    let value = leaf.prop_recursive(4, 40, 5, {
        let (name, space) = (name.clone(), space.clone());
        move |inner| {
            let members = prop::collection::vec((name.clone(), inner.clone()), 0..5);
            prop_oneof![
                2 => prop::collection::vec(inner.clone(), 0..5).prop_map(|values| format!("[{}]", values.join(", "))),
                2 => (members, space.clone()).prop_map(|(members, space)| object(&members, space)),
                // So many that a patch has no room for an operation on each of them.
                1 => (inner, 100_usize..200)
                    .prop_filter("short", |(value, _)| value.len() < 20)
                    .prop_map(|(value, count)| format!("[{}]", vec![value; count].join(","))),
            ]
        }
    });
    (prop::collection::vec((name, value), 0..5), space).prop_map(|(members, space)| object(&members, space))
}

/// The tree of a text.
fn read(text: &str) -> Node<'_> {
    tree::read(serde_json::from_str(text).unwrap()).unwrap()
}

/// A document with each number, `true`, `false` and `null` replaced by its text, because values of `serde_json` do not tell
/// 1.0 from 1.00.
fn spelled(document: &Node<'_>) -> Value {
    match &document.value {
        tree::Value::Object(members) => {
            members.iter().map(|member| (member.name.clone().into_owned(), spelled(&member.node))).collect()
        }
        tree::Value::Array(nodes) => nodes.iter().map(spelled).collect(),
        tree::Value::String(text) => json!({ "string": text }),
        tree::Value::Null | tree::Value::Bool(_) | tree::Value::Number(_) => json!(document.text),
    }
}

/// The text of the value at `path`.
fn text_at<'document>(document: &Node<'document>, path: &str) -> &'document str {
    let mut node = document;
    for step in path.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        node = match &node.value {
            tree::Value::Object(members) => members.get(&step).unwrap(),
            tree::Value::Array(nodes) => &nodes[step.parse::<usize>().unwrap()],
            other => panic!("expected an object or an array at {path}, found {other}"),
        };
    }
    node.text
}

#[test]
fn a_diff_turns_any_document_into_any_other_and_keeps_the_text_of_each_value() {
    for_any(&(similar_object_text(), similar_object_text()), |(from, to)| {
        let (from, to) = (read(&from), read(&to));
        let operations = diff(&from, &to);
        let mut spelled_operations = Vec::new();
        for operation in &operations {
            let (op, path, value) = match operation {
                PatchOperation::Add { path, value } => ("add", path, value),
                PatchOperation::Replace { path, value } => ("replace", path, value),
                PatchOperation::Remove { path } => {
                    spelled_operations.push(json!({ "op": "remove", "path": path }));
                    continue;
                }
            };
            prop_assert_eq!(value.text, text_at(&to, path));
            spelled_operations.push(json!({ "op": op, "path": path, "value": spelled(value) }));
        }
        let patch: Patch = serde_json::from_value(json!(spelled_operations)).unwrap();
        let mut patched = spelled(&from);
        json_patch::patch(&mut patched, &patch).unwrap();
        prop_assert_eq!(&patched, &spelled(&to));
        prop_assert_eq!(operations.is_empty(), spelled(&from) == spelled(&to));
        Ok(())
    });
}

/// A document whose strings and numbers are told apart by their texts, because values of `serde_json` do not tell 1.0 from
/// 1.00. `null` stays, because a merge removes it.
fn exact(document: &Node<'_>) -> Value {
    match &document.value {
        tree::Value::Object(members) => {
            members.iter().map(|member| (member.name.clone().into_owned(), exact(&member.node))).collect()
        }
        tree::Value::Array(nodes) => nodes.iter().map(exact).collect(),
        tree::Value::String(text) => json!(format!("string {text}")),
        tree::Value::Null => Value::Null,
        tree::Value::Bool(_) | tree::Value::Number(_) => json!(document.text),
    }
}

/// Checks that what `patch` does not name has in `merged` the text and the place that it has in `target`.
fn expect_kept(target: &Node<'_>, patch: &Node<'_>, merged: &Node<'_>) -> TestCaseResult {
    let (Some(target), Some(patch)) = (target.value.object(), patch.value.object()) else { return Ok(()) };
    let merged = merged.value.object().expect("an object");
    let kept = target.iter().filter(|member| patch.value(&member.name) != Some(&tree::Value::Null));
    for (before, after) in kept.zip(merged.iter()) {
        prop_assert_eq!(&before.name, &after.name);
        if let Some(patch) = patch.get(&before.name) {
            expect_kept(&before.node, patch, &after.node)?;
        } else {
            prop_assert_eq!(before.node.text, after.node.text);
        }
    }
    Ok(())
}

#[test]
fn a_merge_patch_makes_the_value_that_the_oracle_makes_and_keeps_the_text_of_what_it_does_not_name() {
    let document = || prop_oneof![4 => similar_object_text(), 1 => object_text()];
    for_any(&(document(), document()), |(target, patch)| {
        let (target, patch) = (read(&target), read(&patch));
        let merged = merge_patch(&target, &patch);
        let merged = read(&merged);

        let mut expected = exact(&target);
        json_patch::merge(&mut expected, &exact(&patch));
        prop_assert_eq!(&exact(&merged), &expected);
        expect_kept(&target, &patch, &merged)?;
        // The text stays whole if and only if nothing changes. So the same patch again changes nothing.
        prop_assert_eq!(target.text == merged.text, target == merged);
        prop_assert_eq!(merge_patch(&merged, &patch), merged.text);
        Ok(())
    });
}

/// The parts are found without `serde_json`, so it reads each of them again.
fn expect_parts(node: &Node<'_>) -> TestCaseResult {
    let value: Value = serde_json::from_str(node.text).unwrap();
    match &node.value {
        tree::Value::Null => prop_assert_eq!(value, Value::Null),
        tree::Value::Bool(flag) => prop_assert_eq!(value, json!(flag)),
        tree::Value::Number(text) => prop_assert!(value.is_number() && *text == node.text),
        tree::Value::String(text) => prop_assert_eq!(value, json!(text)),
        tree::Value::Array(nodes) => {
            prop_assert_eq!(value.as_array().unwrap().len(), nodes.len());
            for (node, value) in nodes.iter().zip(value.as_array().unwrap()) {
                prop_assert_eq!(&serde_json::from_str::<Value>(node.text).unwrap(), value);
                expect_parts(node)?;
            }
        }
        tree::Value::Object(members) => {
            prop_assert_eq!(value.as_object().unwrap().len(), members.iter().count());
            for member in members.iter() {
                prop_assert_eq!(
                    &serde_json::from_str::<Value>(member.node.text).unwrap(),
                    &value[member.name.as_ref()]
                );
                expect_parts(&member.node)?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_tree_has_the_parts_that_serde_json_finds() {
    let document = || prop_oneof![similar_object_text(), object_text()];
    for_any(&document(), |text| {
        let spaced = format!(" \n{text}\t");
        let members = tree::read_object(spaced.as_bytes()).unwrap();
        let tree = read(&text);
        prop_assert_eq!(tree.value.object(), Some(&members));
        expect_parts(&tree)
    });
}

/// Any text, or the page's request with a piece of it replaced.
fn body() -> impl Strategy<Value = String> {
    let page = page_request().to_string();
    let length = page.len();
    let piece = prop_oneof![
        any::<String>(),
        "[\\[\\]{}\",:0-9eE.+\\\\u-]{0,8}",
        Just("null".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    prop_oneof![
        any::<String>(),
        object_text(),
        (0..length, 0..64_usize, piece).prop_map(move |(start, cut, piece)| {
            let end = (start + cut).min(page.len());
            format!("{}{piece}{}", &page[..start], &page[end..])
        }),
    ]
}

/// Any text, or an expected one with or without something around it.
fn near(expected: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(expected).prop_map(str::to_owned),
        (prop::sample::select(expected), any::<String>()).prop_map(|(expected, more)| format!("{expected}{more}")),
        (any::<String>(), prop::sample::select(expected)).prop_map(|(more, expected)| format!("{more}{expected}")),
    ]
}

/// Paths, with ID in place of the id of a flow.
const PATHS: [&str; 8] = [
    "/v2/project-flows",
    "/prod/v2/project-flows",
    "/v2/project-flows/%zz",
    "/v2/../v2/project-flows",
    "/v2/project-flows/ID",
    "/v2/project-flows/ID/versions",
    "/v2/project-flows/ID/versions/1/diff",
    "/v2/project-flows/ID/versions/1/restore",
];

#[test]
fn no_body_header_query_or_path_makes_a_server_error() {
    let runtime = runtime();
    let api = runtime.block_on(Api::start());
    let flow = runtime.block_on(api.send(&Request::create(page_request()).key("property")));
    let id = flow.id();
    let headers: BTreeMap<_, _> = [
        ("authorization", prop_oneof![near(&["Bearer ", "Basic "]), Just(bearer(CLIENT))].boxed()),
        (
            "content-type",
            near(&[
                "application/json",
                "application/json; charset=utf-8",
                "application/merge-patch+json",
                "text/plain",
            ])
            .boxed(),
        ),
        ("content-encoding", near(&["gzip", "identity"]).boxed()),
        ("idempotency-key", near(&["key", "\"key\""]).boxed()),
        ("if-match", near(&["\"1\"", "*", "W/\"1\", \"2\""]).boxed()),
        ("if-none-match", near(&["\"1\"", "*", "W/\"1\", \"2\""]).boxed()),
    ]
    .into();
    let headers: Vec<_> =
        headers.into_iter().map(|(name, value)| prop::option::weighted(0.3, (Just(name), value))).collect();
    let request = (
        body(),
        any::<bool>(),
        near(&PATHS),
        near(&[
            "",
            "dryRun=true",
            "dryRun=%zz",
            "%ff=&&=",
            "dryRun=true&dryRun=false",
            "page=2",
            "limit=5",
            "from=1",
            "asOf=",
        ]),
        near(&["POST", "GET", "PUT", "PATCH", "DELETE"]),
        headers,
        // In most cases these are valid, so that the body is judged.
        (prop::bool::weighted(0.6), prop::bool::weighted(0.6), prop::bool::weighted(0.8)),
    );
    for_any(&request, |(body, base64, path, query, method, headers, (plain_path, plain_query, plain_method))| {
        let mut request = Request::create(body);
        request.base64 = base64 && !plain_method;
        if !plain_path {
            request.path = path.replace("ID", &id);
        }
        if !plain_query {
            request.query = query;
        }
        if !plain_method {
            request.method = method;
        }
        for (name, value) in headers.into_iter().flatten() {
            request = request.header(name, &value);
        }
        // The gateway's own types refuse some of these.
        let reply = runtime.block_on(api.reply(&request.event()));
        let status = reply["statusCode"].as_u64().unwrap();
        prop_assert!((200..500).contains(&status), "{}", reply);
        let body = reply["body"].as_str().unwrap();
        prop_assert!(serde_json::from_str::<Value>(body).is_ok() || (status == 304 && body.is_empty()), "{}", reply);
        Ok(())
    });
}
