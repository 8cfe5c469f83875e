//! openapi.yaml and the function agree: on routes, limits, examples, requests and answers, and in `codes.rs` on codes.

mod codes;
mod document;

use std::collections::BTreeSet;

use project_flows::body::MediaType;
use project_flows::flow::members::MAX_DESCRIPTION;
use project_flows::flow::rules::MAX_STEPS;
use project_flows::flow::warnings::MAX_WARNINGS;
use project_flows::operations::{changes, list, live_flows, releases, routes, versions};
use project_flows::problem::MAX_PROBLEMS;
use project_flows::route::Route;
use serde_json::{Value, json};

use crate::create::MEMBERS;
use crate::events::EVENTS;
use crate::support::{Answer, Api, NOWHERE, PLACE, Request, event, page_request, page_request_with};

use self::document::{Document, Sent};

/// Sends an event, and checks the answer against the document. Checks the request too, if it was accepted.
async fn exchange(document: &Document, api: &Api, event: &Value, what: &str) -> Answer {
    let answer = api.send_event(event).await;
    let sent = Sent::read(event);
    let operations = document.operations();
    let operation = operations.iter().find(|one| one.method == sent.method && one.matched(&sent.path).is_some());
    let Some(operation) = operation else {
        document.expect_answer(document.elsewhere(answer.status), &answer, what);
        return answer;
    };
    let response = operation.responses.get(answer.status.to_string());
    let response = response.unwrap_or_else(|| panic!("{what}: {} is not in the document", answer.status));
    document.expect_answer(response, &answer, what);
    if answer.status < 400 {
        operation.expect_request(document, &sent, what);
    }
    answer
}

/// Generators read a document with many YAML aliases as an attack; the reader of openapi-generator stops at 50. `$ref` has no limit.
#[test]
fn the_document_refers_to_its_parts_by_ref_and_never_by_a_yaml_alias() {
    let is_mark =
        |word: &str| word.strip_prefix(['&', '*']).is_some_and(|name| name.starts_with(char::is_alphanumeric));
    let words = |line: &'static str| line.split([' ', '[', '{', ',']);
    let marked: Vec<_> = include_str!("../../openapi.yaml").lines().filter(|line| words(line).any(is_mark)).collect();
    assert!(marked.is_empty(), "expected `$ref`, found anchors or aliases: {marked:#?}");
}

/// Only a gateway gives these answers, so no test can send for them.
#[test]
fn every_operation_describes_the_gateways_own_answers() {
    let document = Document::read();
    for operation in document.operations() {
        for (status, message) in [("429", "Too Many Requests"), ("503", "Service Unavailable")] {
            let what = format!("{} {}: {status}", operation.method, operation.path);
            let response = document.resolve(&operation.responses[status]);
            document.expect(document.body(response), &json!({ "message": message }), &what);
            let headers = response["headers"].as_object().into_iter().flat_map(|headers| headers.values());
            for header in headers.map(|header| document.resolve(header)) {
                assert_eq!(header.get("required"), None, "{what}: the gateway's answer has no {header}");
            }
        }
    }
}

#[test]
fn the_document_has_every_route_of_the_function_and_no_other() {
    let document = Document::read();
    let operations = document.operations();
    let written: BTreeSet<_> = operations.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(written, routes().map(ToString::to_string).collect());
    for operation in &operations {
        let in_path: BTreeSet<_> = operation.parameters_in("path").into_keys().collect();
        let named = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(in_path, named.collect(), "{}", operation.path);
    }
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_document_has_the_parameters_and_the_media_type_of_every_operation() {
    let document = Document::read();
    for operation in &document.operations() {
        let is_it = |route: &&Route| route.method == operation.method && route.path == operation.path;
        let route = routes().find(is_it).expect("a route");
        let written: BTreeSet<_> = operation.parameters_in("query").into_keys().collect();
        assert_eq!(written, route.parameters.iter().copied().collect(), "{route}");
        assert_eq!(operation.media_type, route.body.map(MediaType::as_str), "{route}");
    }
}

#[test]
fn the_document_has_the_limits_of_the_code() {
    let document = Document::read();
    let limit = |operation: usize| {
        let operation = &document.operations()[operation];
        let schema = &operation.parameters_in("query")["limit"]["schema"];
        (operation.path.to_owned(), schema["default"].clone(), schema["maximum"].clone())
    };
    let lists: Vec<_> = (0..document.operations().len())
        .filter(|index| document.operations()[*index].parameters_in("query").contains_key("limit"))
        .map(limit)
        .collect();
    let expected = [
        ("/v2/project-flows", list::LISTED),
        ("/v2/project-flows/changes", changes::LISTED),
        ("/v2/project-flows/live", live_flows::LISTED),
        ("/v2/project-flows/live/{project}/{type}/releases", releases::LISTED),
        ("/v2/project-flows/{id}/versions", versions::LISTED),
    ];
    let expected = expected.map(|(path, (default, most))| (path.to_owned(), json!(default), json!(most)));
    assert_eq!(lists, expected);
    let limits = [
        ("Steps/maxItems", MAX_STEPS),
        ("Description/maxLength", MAX_DESCRIPTION),
        ("RemovableDescription/maxLength", MAX_DESCRIPTION),
        ("Refusal/properties/details/maxItems", MAX_PROBLEMS + 1),
        ("Warnings/maxItems", MAX_WARNINGS),
    ];
    for (pointer, limit) in limits {
        let found = document.0.pointer(&format!("/components/schemas/{pointer}"));
        assert_eq!(found, Some(&json!(limit)), "{pointer}");
    }
}

#[test]
fn every_body_has_an_example_and_every_example_fits_its_schema() {
    fn walk(document: &Document, place: &str, value: &Value, found: &mut usize) {
        if place.ends_with("/content/application~1json") || place.ends_with("/content/application~1merge-patch+json") {
            assert!(value.get("examples").is_some(), "{place}: expected an example, found none");
        }
        if let Some(schema) = value.get("schema") {
            let examples = value["examples"].as_object().into_iter().flatten();
            let examples = examples.map(|(_, example)| &document.resolve(example)["value"]);
            for example in examples.chain(value.get("example")) {
                document.expect(schema, example, place);
                *found += 1;
            }
        }
        if let Some(examples) = value["examples"].as_array() {
            for example in examples {
                document.expect(value, example, place);
                *found += 1;
            }
        }
        let inside: Vec<_> = match value {
            Value::Object(members) => members.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect(),
            Value::Array(values) => {
                values.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
            }
            _ => Vec::new(),
        };
        for (step, value) in inside {
            // The value of an example has no schemas.
            if step != "value" {
                walk(document, &format!("{place}/{step}"), value, found);
            }
        }
    }

    let document = Document::read();
    let mut found = 0;
    walk(&document, "#", &document.0, &mut found);
    assert!(found > 30, "{found}");
}

/// Readers of the document offer its examples, so each must succeed as it is, once it has the id of a flow.
#[tokio::test]
async fn every_example_of_a_request_succeeds() {
    let document = Document::read();
    let example = |parameter: &Value| parameter.get("example").map(|value| value.to_string().replace('"', ""));
    for operation in document.operations() {
        let required = operation.parameters.iter().filter(|one| one.get("required").is_some());
        let mut target = operation.path.to_owned();
        for parameter in required {
            let (name, value) = (parameter["name"].as_str().unwrap(), example(parameter).expect("an example"));
            match parameter["in"].as_str() {
                Some("path") => target = target.replace(&format!("{{{name}}}"), &value),
                _ => target = format!("{target}?{name}={value}"),
            }
        }
        let optional = operation.parameters.iter().filter(|one| one.get("required").is_none());
        let offered: Vec<_> = optional.filter(|one| one.get("example").is_some()).collect();
        assert!(offered.is_empty(), "{target}: expected no value for what is optional, found {offered:?}");

        for body in operation.examples(&document).iter().map(Some).chain(operation.body.is_none().then_some(None)) {
            let api = Api::start().await;
            let flow = api.create().await;
            if (operation.method.as_str(), operation.path) != ("DELETE", "/v2/project-flows/{id}") {
                api.set(&flow, "status", json!("active")).await;
                api.send(&Request::release(&flow, 2)).await;
            }
            let fill_in =
                |text: &str| text.replace(NOWHERE.rsplit('/').next().unwrap(), flow.rsplit('/').next().unwrap());
            let request = match body {
                Some(body) if operation.method == "PATCH" => Request::patch(&fill_in(&target), body),
                Some(body) => Request::with_body(&operation.method, &fill_in(&target), fill_in(&body.to_string())),
                None => Request::of(&operation.method, &fill_in(&target)),
            };
            let answer = api.send(&request).await;
            assert!((200..300).contains(&answer.status), "{request:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn every_event_and_its_answer_fit_the_document() {
    let document = Document::read();
    let api = Api::start().await;
    for (name, status, _) in EVENTS {
        let answer = exchange(&document, &api, &event(name), name).await;
        assert_eq!(answer.status, *status, "{name}");
    }
}

/// The requests that no event of `events/` shows.
#[tokio::test]
async fn rarer_requests_and_their_answers_fit_the_document_too() {
    let document = Document::read();
    let api = Api::start().await;
    let create = Request::create(page_request());
    let flow = api.create_from(&create).await;
    api.set(&flow, "status", json!("active")).await;
    api.send(&create.clone().key("key")).await;
    let next = |answer: &Answer| answer.json()["pagination"]["next"].as_str().unwrap().to_owned();
    let flows = next(&api.get("/v2/project-flows?limit=1").await);
    let versions = next(&api.get(&format!("{flow}/versions?limit=1")).await);
    let large = page_request_with("configuration", json!({ "large": "x".repeat(256 * 1024) }));
    let rows = [
        (create.clone().key("key"), 201, "a replay"),
        (Request::create(page_request_with("name", json!("Another"))).key("key"), 422, "a key that was used"),
        (create.clone().key("not one"), 400, "a malformed key"),
        (Request::create(json!({})), 400, "every problem of a create"),
        (Request::create("{"), 400, "no JSON"),
        (Request::create("[]"), 400, "no object"),
        (Request::create(r#"{"a": 1, "a": 1}"#), 400, "a member twice"),
        (Request::create(format!("{{\"a\": {}1{}}}", "[".repeat(40), "]".repeat(40))), 400, "too deep"),
        (Request::create(large), 413, "too large"),
        (Request::get(&format!("/v2/project-flows?cursor={flows}&limit=1")), 200, "the last page of flows"),
        (Request::get("/v2/project-flows?page=9&type=login&status=draft&project=p"), 200, "no flows"),
        (Request::get("/v2/project-flows?status=deleted"), 200, "the trash"),
        (Request::get("/v2/project-flows?page=0"), 400, "no page"),
        (Request::get(&format!("{flow}/versions?cursor={versions}&limit=1")), 200, "the last page of versions"),
        (Request::get(&format!("{flow}/versions?limit=1")), 200, "the first page of versions"),
        (Request::get(&format!("{flow}/versions/3")), 404, "no such version"),
        (Request::get(&format!("{flow}/versions/2/diff?from=1")), 200, "a patch"),
        (Request::get(&format!("{flow}/versions/2/diff?from=2")), 200, "an empty patch"),
        (Request::get(&format!("{flow}/versions/2/diff")), 400, "nothing to compare with"),
        (Request::get(&flow).header("if-none-match", "W/\"1\", \"2\","), 304, "known"),
        (Request::get(&flow).header("if-none-match", "2"), 400, "no entity tag"),
        (Request::put(&flow, json!({ "description": null })).header("if-match", "*"), 200, "any version"),
        (Request::put(&flow, json!({ "version": 9 })), 409, "made from another version"),
        (Request::put(&flow, json!({ "updatedAt": "2024-01-15T10:30:00Z" })), 409, "made from an older read"),
        (Request::put(&flow, json!({ "client": 1, "mine": 1 })), 409, "every problem of an update"),
        (Request::put(&flow, json!({ "status": "deleted", "version": 0 })), 400, "another two problems"),
        (Request::put(&flow, json!({})).header("if-none-match", "\"3\""), 412, "at a version that is excluded"),
        (Request::delete(&flow).header("if-match", "\"1\""), 412, "stale"),
        (Request::delete(&flow), 409, "active"),
        (Request::restore(&flow, 1).header("if-match", "\"3\""), 200, "restored"),
        (Request::restore(&flow, 1).header("if-match", "\"3\""), 412, "stale"),
        (Request::of("TRACE", &flow), 405, "another method"),
        (Request::patch(&flow, json!({ "configuration": { "emailVerification": null } })), 200, "a patch"),
        (Request::patch(&flow, json!({ "configuration": null })), 400, "no configuration left"),
        (Request::patch(&flow, json!({})).header("content-type", "application/json"), 415, "another format"),
        (Request::of("OPTIONS", &flow).without("authorization"), 204, "a preflight"),
        (Request::get("/v2/project-flows/a%20b"), 404, "no name"),
        (Request::release(&flow, 1), 409, "a draft"),
        (Request::get(&format!("{flow}/versions/2/diff?from=live")), 404, "nothing to compare with"),
        (Request::get(PLACE), 404, "nothing is live"),
        (Request::delete(PLACE), 404, "nothing to withdraw"),
        (Request::get(&format!("{PLACE}/releases")), 404, "nothing was released"),
        (Request::get("/v2/project-flows/live"), 200, "nothing is live anywhere"),
        (Request::release(&flow, 2).query("note=First%20day"), 200, "released"),
        (Request::release(&flow, 2).header("if-match", "\"2\""), 412, "another release"),
        (Request::release(&flow, 0), 400, "no version"),
        (Request::put(PLACE, json!({ "mine": 1 })), 400, "every problem of a release"),
        (Request::release(NOWHERE, 1), 404, "no such flow"),
        (
            Request::put("/v2/project-flows/live/other/login", json!({ "_id": flow.rsplit('/').next(), "version": 2 })),
            400,
            "elsewhere",
        ),
        (Request::put(&flow, json!({ "status": "paused" })), 409, "live"),
        (
            Request::create(page_request_with("configuration", json!({ "emailVerifcation": {} }))).query("dryRun=true"),
            200,
            "a create with warnings",
        ),
        (
            Request::put(&flow, json!({ "configuration": { "a": 1 } })).query("dryRun=true"),
            200,
            "an update with warnings",
        ),
        (Request::patch(&flow, json!({ "name": "x" })).query("dryRun=true"), 200, "a patch that would be"),
        (Request::restore(&flow, 1).query("dryRun=true"), 200, "a restore that would be"),
        (Request::delete(&flow).query("dryRun=true"), 409, "a delete that would be refused"),
        (Request::release(&flow, 2).query("dryRun=true"), 200, "live already"),
        (Request::release(&flow, 3).query("dryRun=true"), 200, "a release that would be weaker"),
        (Request::delete(PLACE).query("dryRun=true"), 200, "a withdrawal that would be"),
        (Request::get(PLACE), 200, "live"),
        (Request::get(PLACE).header("if-none-match", "\"1\""), 304, "known"),
        (Request::get(&format!("{PLACE}?asOf=2099-01-01T00:00:00Z")), 200, "as of a moment"),
        (Request::get("/v2/project-flows/live?limit=1"), 200, "all places"),
        (Request::get("/v2/project-flows/live?cursor=x"), 400, "no cursor"),
        (Request::get("/v2/project-flows/live/project/logon"), 400, "no type"),
        (Request::get(&format!("{flow}/versions/3/diff?from=live")), 200, "compared with what is live"),
        (Request::delete(PLACE).query("note=Incident"), 200, "withdrawn"),
        (Request::get(&format!("{PLACE}/releases")), 200, "two releases"),
        (Request::get(&format!("{PLACE}/releases?limit=1")), 200, "the first page of releases"),
        (Request::get(&format!("{PLACE}/releases?limit=0")), 400, "no page of releases"),
    ];
    for (request, status, what) in rows {
        let answer = exchange(&document, &api, &request.event(), what).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
}

/// Rules of a create that JSON Schema cannot express.
const BEYOND_JSON_SCHEMA: [&str; 2] = ["steps that are switched off", "the same order twice"];

#[test]
fn the_document_and_the_function_agree_on_each_member_of_a_create() {
    let document = Document::read();
    let create = document.operations().into_iter().find(|one| one.method == "POST").unwrap();
    let schema = &create.body.unwrap()["schema"];
    let mut disagreed = Vec::new();
    for (name, value, problems, why) in MEMBERS {
        let body = page_request_with(name, serde_json::from_str(value).unwrap());
        let judged = document.judge(schema, &body);
        if judged.is_empty() != problems.is_empty() {
            assert!(judged.is_empty(), "{why}: the function takes it, the document does not: {judged:?}");
            disagreed.push(*why);
        }
    }
    assert_eq!(disagreed, BEYOND_JSON_SCHEMA);
}
