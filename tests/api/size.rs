//! No answer is larger than Lambda takes, whatever is stored; and what can be stored can be written again.

use std::sync::Mutex;

use axum::Router;
use oracles::proptest::prelude::*;
use oracles::proptest::test_runner::{Config, TestRunner};
use project_flows::diff::MAX_PATH_BYTES;
use project_flows::flow::{MAX_AUTHOR, MAX_CLIENT, MAX_CONTENT, MAX_KEY, MAX_NOTE};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::engine;
use crate::support::{Answer, Api, CLIENT, Engine, Options, Request, flow_item, now, signed, version_key};

const FLOWS: &str = "/v2/project-flows";

/// The id of a flow whose versions are put into the table without the function.
const ID: &str = "project_flow_0123456789abcdefghjkmnpqrs";

/// The bytes of the longest texts of an item: the rest of it takes less than 1,000 of its 400 KiB.
const ITEM: usize = 400 * 1024 - 1_000;

/// The item of a flow at a version.
fn item(id: &str, version: u64, name: &str, configuration: &str) -> Value {
    let mut item = flow_item(CLIENT, id, "2024-01-15T10:30:00Z");
    item["version"] = json!({ "N": version.to_string() });
    item["name"] = json!({ "S": name });
    item["configuration"] = json!({ "S": configuration });
    item
}

/// Puts flows into the table, one with each of these names.
fn put_flows(engine: &Engine, names: &[String]) {
    for (number, name) in names.iter().enumerate() {
        engine.put(engine::TABLE, &item(&format!("project_flow_{number:026}"), 1, name, "{}"));
    }
}

/// Puts versions of one flow into the table, one with each of these names, and returns its path.
fn put_versions(engine: &Engine, names: &[String], configuration: &str) -> String {
    for (version, name) in (1..).zip(names) {
        let mut item = item(ID, version, name, configuration);
        if version < names.len() as u64 {
            item["sk"] = json!({ "S": version_key(ID, version) });
            item.as_object_mut().unwrap().remove("listKey");
        }
        engine.put(engine::TABLE, &item);
    }
    format!("{FLOWS}/{ID}")
}

/// Follows `next` from the page at `path` to the last one.
async fn pages(api: &Api, path: &str) -> Vec<Answer> {
    let mut pages = Vec::new();
    let mut request = Request::get(path);
    let query = request.query.clone();
    loop {
        let answer = api.send(&request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.expect_headers();
        let next = answer.json()["pagination"]["next"].as_str().map(str::to_owned);
        pages.push(answer);
        let Some(next) = next else { return pages };
        let filter = query.split('&').filter(|one| !one.starts_with("page=") && !one.starts_with("cursor="));
        request.query = filter.chain([format!("cursor={next}").as_str()]).collect::<Vec<_>>().join("&");
    }
}

/// The values of a member in all pages.
fn all(pages: &[Answer], member: &str) -> Vec<Value> {
    let pages: Vec<_> = pages.iter().map(|page| page.json()["data"].as_array().unwrap().clone()).collect();
    pages.iter().flatten().map(|summary| summary[member].clone()).collect()
}

#[tokio::test]
async fn a_page_by_cursor_ends_after_some_queries_even_if_few_flows_match_the_filter() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    put_flows(&api.engine, &vec!["x".repeat(390_000); 60]);
    for number in [0, 1, 30] {
        let mut rare = item(&format!("project_flow_{number:026}"), 1, "Rare", "{}");
        rare["project"] = json!({ "S": "rare" });
        api.engine.put(engine::TABLE, &rare);
    }
    let rare: Vec<_> = [30, 1, 0].map(|number| json!(format!("project_flow_{number:026}"))).into();
    let newest = api.get(&format!("{FLOWS}?limit=1")).await;
    let next = newest.json()["pagination"]["next"].as_str().unwrap().to_owned();
    proxy.take_calls();

    let pages = pages(&api, &format!("{FLOWS}?project=rare&limit=2&cursor={next}")).await;

    assert_eq!(all(&pages, "_id"), rare);
    assert_eq!(pages.iter().map(|page| all(std::slice::from_ref(page), "_id").len()).collect::<Vec<_>>(), [0, 1, 0, 2]);
    assert!(proxy.calls("Query") > 2 * 8);
    assert!(proxy.calls("Query") <= 4 * 8);
    // A page by number reads all flows for its total.
    let by_number = api.get(&format!("{FLOWS}?project=rare&limit=2")).await;
    assert_eq!(all(std::slice::from_ref(&by_number), "_id"), rare[..2]);
    assert_eq!(by_number.json()["pagination"]["total"], 3);
}

#[tokio::test]
async fn lambda_accepts_a_diff_whose_names_are_escaped_three_times() {
    let api = Api::start().await;
    let path = api.create().await;
    // Each operation contains the name. The bytes are those of all paths of one version, unescaped.
    let half = MAX_PATH_BYTES / 2 - 10_000;
    for (character, length, bytes) in [
        ("\u{1}", 30_000, half),
        ("\u{1}", 30_000, 2 * half),
        ("\"", 100_000, 2 * half),
        ("~", 100_000, 2 * half),
        ("\u{1}", 100, half),
        ("\u{1}", 100, 2 * half),
        ("\"", 100, 2 * half),
    ] {
        let members = |letter: &str| {
            let members = (0..bytes / (length + 70)).map(|number| (format!("{letter}{number}"), json!(0)));
            json!({ character.repeat(length): members.collect::<serde_json::Map<_, _>>() })
        };
        for letter in ["a", "b"] {
            api.set(&path, "configuration", members(letter)).await;
        }
        let version = api.get(&path).await.json()["data"]["version"].as_u64().unwrap();
        let diff = api.get(&format!("{path}/versions/{version}/diff?from={}", version - 1)).await;
        assert_eq!(diff.status, 200, "{}", diff.text);
    }
}

#[tokio::test]
async fn a_page_of_large_versions_ends_before_the_table_throttles() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let names: Vec<_> = (1..=100).map(|version| format!("Version {version}")).collect();
    let path = put_versions(&api.engine, &names, &format!("{{\"large\":\"{}\"}}", "x".repeat(ITEM)));

    let answer = api.get(&format!("{path}/versions?limit=100")).await;
    assert!(proxy.calls("Query") <= 8, "{} queries", proxy.calls("Query"));
    let pages = pages(&api, &format!("{path}/versions?limit=100")).await;
    assert_eq!(pages[0].text, answer.text);
    assert_eq!(all(&pages, "version"), (1..=100).rev().map(|version| json!(version)).collect::<Vec<_>>());
    for page in pages {
        assert_eq!(page.json()["pagination"]["total"], 100);
    }
}

/// Texts of at most `longest` bytes, most of which are much longer when they are escaped.
fn badly_escaped(longest: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["\u{1}", "\"", "\\", "\n", "~", "/", " ", "a", "é", "\u{2028}", "~\"\u{1f}"]);
    let length = prop_oneof![0..40_usize, 0..=longest, Just(longest)];
    (piece, length).prop_map(|(piece, length)| piece.repeat(length / piece.len()))
}

/// A `configuration` with names that are much longer when they are escaped, and many values under them.
fn badly_named(longest: usize) -> impl Strategy<Value = String> {
    let values = (0_usize..3_000, prop::sample::select(vec!["0", "1", "{}", "[\"\"]"]))
        .prop_map(|(count, value)| format!("[{}]", vec![value; count].join(",")));
    let value = prop::collection::vec((badly_escaped(60_000), values), 0..6).prop_map(|members| {
        let members = members.iter().enumerate();
        let members = members.map(|(index, (name, values))| format!("{}:{values}", json!(format!("{index}{name}"))));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    });
    let value = (value, badly_escaped(60_000)).prop_map(|(value, name)| format!("{{{}:{value}}}", json!(name)));
    value.prop_filter("an item", move |text| text.len() < longest)
}

/// A runner for fewer cases than other properties have, because each case takes some megabytes.
fn cases(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// `Answer::read` checks the size of each answer.
#[test]
fn lambda_accepts_a_diff_of_any_two_stored_versions() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let api = runtime.block_on(Api::start());
    let flow = || {
        (badly_escaped(ITEM), badly_named(ITEM)).prop_map(|(name, configuration)| {
            // Both together fit into an item.
            let name: String = name.chars().take((ITEM - configuration.len()) / 4).collect();
            (name, configuration)
        })
    };
    cases(200)
        .run(&(flow(), flow()), |(from, to)| {
            for (version, (name, configuration)) in [(1, &from), (2, &to)] {
                let mut item = item(ID, version, name, configuration);
                if version == 1 {
                    item["sk"] = json!({ "S": version_key(ID, version) });
                }
                api.engine.put(engine::TABLE, &item);
            }
            let diff = Request::get(&format!("{FLOWS}/{ID}/versions/2/diff?from=1"));
            prop_assert_eq!(runtime.block_on(api.send(&diff)).status, 200);
            Ok(())
        })
        .unwrap();
}

/// No real item is that large, so a server stands in for the database.
#[tokio::test]
async fn a_response_that_lambda_would_refuse_becomes_an_internal_error() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let answer = json!({ "Item": item(ID, 1, &"x".repeat(7_000_000), "{}") }).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || answer)).await.unwrap() });
    let log: fn(&str) = |line| LINES.lock().unwrap().push(line.to_owned());
    let api = Api::with(Options { url: Some(&url), log: Some(log), ..Options::default() }).await;

    let answer = api.get(&format!("{FLOWS}/{ID}")).await;

    answer.expect(500, "INTERNAL_ERROR");
    let line: Value = serde_json::from_str(&LINES.lock().unwrap()[0]).unwrap();
    assert_eq!((&line["http.status"], &line["code"]), (&json!(500), &json!("INTERNAL_ERROR")));
    assert!(line["cause"].as_str().unwrap().starts_with("reply: expected at most 6000000 bytes, found 70"), "{line}");
    assert_eq!((&line["flow.id"], line.get("flow.version")), (&json!(ID), None));
}

/// The largest number of ten digits that leaves room for a few more.
const HIGH: &str = "9999999900";

/// Sets the number of the newest item whose sort key begins so.
fn set_number(api: &Api, sort: &str, name: &str) {
    let items = api.engine.items();
    let mut item = items.into_iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with(sort)).unwrap();
    item[name] = json!({ "N": HIGH });
    api.engine.put(engine::TABLE, &item);
}

/// The engine refuses an item of more than 409,600 bytes, as the database does.
#[test]
fn what_can_be_stored_can_be_paused_deleted_restored_and_released_whoever_does_it_and_why() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let character = || prop::sample::select(vec!["a", "é", "\u{1d11e}"]);
    let texts = (character(), 1_usize..=120, character(), 0_usize..=2_000, 0_usize..=2);
    cases(8)
        .run(&texts, |(name, name_length, description, description_length, below)| {
            runtime.block_on(async {
                let api = Api::start().await;
                let author = "\u{1d11e}".repeat(MAX_AUTHOR);
                let claims = json!({ "clientId": "c".repeat(MAX_CLIENT), "sub": author, "exp": now() + 600 });
                let token = format!("Bearer {}", signed(&claims));
                let note = format!("note={}", "%F0%9D%84%9E".repeat(MAX_NOTE));
                let write = async |request: Request| {
                    let request = request.header("authorization", &token).query(&note);
                    let answer = api.send(&request).await;
                    assert!([200, 201].contains(&answer.status), "{} {}: {answer:?}", request.method, request.path);
                    answer
                };
                let project = "p".repeat(64);
                let created = write(
                    Request::create(json!({
                        "project": project, "type": "onboarding", "name": name.repeat(name_length),
                        "description": description.repeat(description_length), "configuration": {},
                        "steps": [{ "stepType": "document", "order": 1, "required": true }],
                    }))
                    .key(&"k".repeat(MAX_KEY)),
                )
                .await;
                let path = created.path();
                set_number(&api, "FLOW#", "version");

                // As large as can be, or a byte or two smaller.
                write(Request::put(&path, json!({ "configuration": { "large": "x".repeat(200_000) } }))).await;
                let flow = write(Request::put(&path, json!({ "status": "draft" }))).await.json()["data"].clone();
                let size = |flow: &Value| {
                    let texts = ["configuration", "steps"].map(|member| flow[member].to_string());
                    let texts = texts
                        .into_iter()
                        .chain(["name", "description"].map(|name| flow[name].as_str().unwrap().to_owned()));
                    texts.map(|text| text.len()).sum::<usize>()
                };
                let steps = |length: usize| {
                    let config = json!({ "large": "y".repeat(length) });
                    json!([{ "stepType": "document", "order": 1, "required": true, "config": config }])
                };
                let mut flow_with_steps = flow.clone();
                flow_with_steps["steps"] = steps(0);
                let length = MAX_CONTENT - size(&flow_with_steps);
                let too_large =
                    Request::put(&path, json!({ "steps": steps(length + 1) })).header("authorization", &token);
                let before = api.engine.items();
                api.send(&too_large).await.expect(413, "FLOW_TOO_LARGE");
                api.send(&too_large.query("dryRun=true")).await.expect(413, "FLOW_TOO_LARGE");
                assert_eq!(api.engine.items(), before);
                write(Request::put(&path, json!({ "steps": steps(length - below) }))).await;

                let active = write(Request::put(&path, json!({ "status": "active" }))).await;
                let place = format!("{FLOWS}/live/{project}/onboarding");
                let release = |answer: &Answer| {
                    let data = &answer.json()["data"];
                    Request::put(&place, json!({ "_id": data["_id"], "version": data["version"] }))
                };
                write(release(&active)).await;
                set_number(&api, "LIVE#", "release");
                write(Request::delete(&place)).await;
                write(release(&active)).await;
                write(Request::delete(&place)).await;
                write(Request::put(&path, json!({ "status": "paused" }))).await;
                let deleted = write(Request::delete(&path)).await;
                let version = deleted.json()["data"]["version"].as_u64().unwrap();
                let restored = write(Request::restore(&path, version - 1)).await;
                assert_eq!(restored.json()["data"]["version"].to_string().len(), HIGH.len());
            });
            Ok(())
        })
        .unwrap();
}
