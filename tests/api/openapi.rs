//! `openapi.yaml` and the function say the same: codes, routes, limits, examples, and what goes over the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oracles::jsonschema;
use percent_encoding::percent_decode_str;
use project_flows::command::{FLOWS_LISTED, VERSIONS_LISTED};
use project_flows::error::{Cause, Error};
use project_flows::flow::members::MAX_DESCRIPTION;
use project_flows::flow::rules::MAX_STEPS;
use project_flows::problem::{Code, MAX_PROBLEMS, Problem};
use project_flows::route::routes;
use serde_json::{Value, json};

use crate::create::MEMBERS;
use crate::events::EVENTS;
use crate::support::{Answer, Api, Request, page_request, page_request_with, send};

/// The document, with its references to follow.
struct Document(Value);

/// A header, a parameter or a response, and what it is called.
type Named<'document> = (String, &'document Value);

impl Document {
    fn read() -> Self {
        Self(serde_norway::from_str(include_str!("../../openapi.yaml")).expect("a document in YAML"))
    }

    /// What `value` refers to, or is.
    #[track_caller]
    fn resolve<'document>(&'document self, value: &'document Value) -> &'document Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let target = self.0.pointer(reference.strip_prefix('#').unwrap());
        self.resolve(target.unwrap_or_else(|| panic!("expected {reference}, found nothing")))
    }

    /// What `schema` finds wrong with `instance`.
    #[track_caller]
    fn judge(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[track_caller]
    fn expect(&self, schema: &Value, instance: &Value, what: &str) {
        let problems = self.judge(schema, instance);
        assert!(problems.is_empty(), "{what}: {instance} is not as the document says: {problems:#?}");
    }

    /// The same with text, as headers and parameters have it.
    #[track_caller]
    fn expect_text(&self, schema: &Value, text: &str, what: &str) {
        let instance = match self.resolve(schema)["type"].as_str() {
            Some("integer" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            _ => json!(text),
        };
        self.expect(schema, &instance, what);
    }

    /// Every operation.
    fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let parameters = [item, operation].into_iter().filter_map(|one| one["parameters"].as_array()).flatten();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path,
                    parameters: parameters.map(|parameter| self.resolve(parameter)).collect(),
                    body: operation.pointer("/requestBody/content/application~1json/schema"),
                    responses: &operation["responses"],
                });
            }
        }
        operations
    }

    /// What answers a request that is none of an operation.
    fn elsewhere(&self, status: i64) -> &Value {
        let name = match status {
            204 => "Preflight",
            401 => "Unauthorized",
            404 => "RouteNotFound",
            405 => "MethodNotAllowed",
            other => panic!("expected 204, 401, 404 or 405 where there is no operation, found {other}"),
        };
        &self.0["components"]["responses"][name]
    }

    /// The schema of the body of a response.
    fn body<'document>(&'document self, response: &'document Value) -> &'document Value {
        self.resolve(&self.resolve(response)["content"]["application/json"]["schema"])
    }

    /// The codes of a response.
    fn codes(&self, response: &Value) -> BTreeSet<String> {
        let body = self.body(response);
        let choices = body["oneOf"].as_array().map_or_else(|| vec![body], |choices| choices.iter().collect());
        let parts = choices.into_iter().filter_map(|choice| self.resolve(choice)["allOf"].as_array());
        let codes = parts.flatten().filter_map(|part| {
            let codes = part.pointer("/properties/message/enum")?.as_array()?;
            Some(codes.iter().map(|code| code.as_str().unwrap().to_owned()))
        });
        codes.flatten().collect()
    }

    #[track_caller]
    fn expect_answer(&self, response: &Value, answer: &Answer, what: &str) {
        let response = self.resolve(response);
        let declared = self.named(&response["headers"]);
        for (name, header) in &declared {
            match answer.headers.get(name) {
                Some(value) => self.expect_text(&header["schema"], value, &format!("{what}: {name}")),
                None => assert_eq!(header.get("required"), None, "{what}: {name} is missing"),
            }
        }
        let declared: BTreeSet<_> = declared.iter().map(|(name, _)| name.as_str()).collect();
        let undeclared: Vec<_> = answer.headers.keys().filter(|name| !declared.contains(name.as_str())).collect();
        assert_eq!(undeclared, ["content-type"], "{what}");
        if answer.status >= 400 {
            assert!(
                answer.json().get("error").is_some(),
                "{what}: expected an envelope, found the gateway's own answer"
            );
        }
        match response.get("content") {
            Some(content) => {
                let media_type = &content[&answer.headers["content-type"]];
                self.expect(&media_type["schema"], &answer.json(), what);
            }
            None => assert_eq!(answer.text, "", "{what}"),
        }
    }

    /// Headers, by their names in lower case.
    fn named<'document>(&'document self, map: &'document Value) -> Vec<Named<'document>> {
        let map = map.as_object().expect("headers");
        map.iter().map(|(name, one)| (name.to_lowercase(), self.resolve(one))).collect()
    }
}

struct Operation<'document> {
    method: String,
    path: &'document str,
    parameters: Vec<&'document Value>,
    /// The schema of the body, where there is one.
    body: Option<&'document Value>,
    responses: &'document Value,
}

impl<'document> Operation<'document> {
    /// The parameters in a part of the request.
    fn parameters_in(&self, part: &str) -> BTreeMap<&'document str, &'document Value> {
        let parameters = self.parameters.iter().filter(|parameter| parameter["in"] == part);
        parameters.map(|parameter| (parameter["name"].as_str().unwrap(), *parameter)).collect()
    }

    /// The parts of `path` that this operation names, where it is the operation's.
    fn matched<'path>(&self, path: &'path str) -> Option<Vec<(&'document str, &'path str)>> {
        // A stage or a base path may stand before it.
        let path = path.get(path.find("/v2/")?..)?;
        let (expected, found): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let matches = |(expected, found): (&&str, &&str)| expected.starts_with('{') || expected == found;
        if expected.len() != found.len() || !expected.iter().zip(&found).all(matches) {
            return None;
        }
        let named = expected.iter().zip(found).filter(|(expected, _)| expected.starts_with('{'));
        Some(named.map(|(name, value)| (name.trim_matches(['{', '}']), value)).collect())
    }

    /// Holds a request that was accepted to what the document says of requests.
    #[track_caller]
    fn expect_request(&self, document: &Document, sent: &Sent, what: &str) {
        let (in_path, query, headers) =
            (self.parameters_in("path"), self.parameters_in("query"), self.parameters_in("header"));
        for (name, value) in self.matched(&sent.path).expect("the operation's path") {
            document.expect_text(&in_path[name]["schema"], value, what);
        }
        for (name, value) in &sent.query {
            let parameter = query.get(name.as_str()).unwrap_or_else(|| panic!("{what}: {name} is not in the document"));
            document.expect_text(&parameter["schema"], value, what);
        }
        for (name, parameter) in &query {
            let is_sent = sent.query.iter().any(|(one, _)| one == name);
            assert!(is_sent || parameter.get("required").is_none(), "{what}: {name} is missing");
        }
        for name in ["Idempotency-Key", "If-Match", "If-None-Match"] {
            if let Some(value) = sent.headers.get(&name.to_lowercase()) {
                let parameter = headers.get(name).unwrap_or_else(|| panic!("{what}: {name} is not in the document"));
                document.expect_text(&parameter["schema"], value, what);
            }
        }
        match self.body {
            Some(schema) => document.expect(schema, &serde_json::from_str(&sent.body).expect("JSON"), what),
            None => assert!(["", "{}"].contains(&sent.body.as_str()), "{what}: {}", sent.body),
        }
    }
}

/// What an event says, in the terms of HTTP.
struct Sent {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    /// By their names in lower case.
    headers: BTreeMap<String, String>,
    body: String,
}

impl Sent {
    fn read(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = match text("/rawQueryString") {
            Some(query) => query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
            None => texts(&event["queryStringParameters"]),
        };
        let body = text("/body").unwrap_or_default();
        let body = match event["isBase64Encoded"] {
            Value::Bool(true) => String::from_utf8_lossy(&STANDARD.decode(body).unwrap_or_default()).into_owned(),
            _ => body,
        };
        Self {
            method: text("/requestContext/http/method").or_else(|| text("/httpMethod")).unwrap_or_default(),
            path: text("/rawPath").or_else(|| text("/path")).unwrap_or_default(),
            query,
            headers: texts(&event["headers"]).into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect(),
            body,
        }
    }
}

/// The members of an object that are texts.
fn texts(object: &Value) -> Vec<(String, String)> {
    let members = object.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Sends an event, and holds the answer to the document, and the request too where it is accepted.
async fn exchange(document: &Document, api: &Api, event: &Value, what: &str) -> Answer {
    let answer = send(&api.handler, event).await;
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

/// The error after this one. A new one does not compile until it has its place here.
fn after(error: &Error) -> Option<Error> {
    let cause = || Cause::new("");
    let invalid = |code| Error::from(Problem::new("", code, ""));
    Some(match error {
        Error::MissingToken => Error::InvalidToken(cause()),
        Error::InvalidToken(_) => Error::RouteNotFound,
        Error::RouteNotFound => Error::MethodNotAllowed { allow: String::new() },
        Error::MethodNotAllowed { .. } => Error::ProjectFlowNotFound,
        Error::ProjectFlowNotFound => invalid(Code::InvalidJson),
        Error::Invalid(problems) => match code_after(problems.first().code) {
            Some(code) => invalid(code),
            None => Error::TemporarilyUnavailable(cause()),
        },
        Error::TemporarilyUnavailable(_) => Error::OutcomeUnknown(cause()),
        Error::OutcomeUnknown(_) => Error::Internal(cause()),
        Error::Internal(_) => return None,
    })
}

/// The same for the codes of what was sent.
const fn code_after(code: Code) -> Option<Code> {
    Some(match code {
        Code::InvalidJson => Code::DuplicateMember,
        Code::DuplicateMember => Code::TooDeep,
        Code::TooDeep => Code::InvalidBody,
        Code::InvalidBody => Code::InvalidBodyEncoding,
        Code::InvalidBodyEncoding => Code::UnsupportedMediaType,
        Code::UnsupportedMediaType => Code::InvalidProjectId,
        Code::InvalidProjectId => Code::InvalidFlowType,
        Code::InvalidFlowType => Code::InvalidName,
        Code::InvalidName => Code::InvalidDescription,
        Code::InvalidDescription => Code::InvalidConfiguration,
        Code::InvalidConfiguration => Code::InvalidSteps,
        Code::InvalidSteps => Code::InvalidStatus,
        Code::InvalidStatus => Code::InvalidVersion,
        Code::InvalidVersion => Code::ImmutableField,
        Code::ImmutableField => Code::UnknownField,
        Code::UnknownField => Code::InvalidParameters,
        Code::InvalidParameters => Code::InvalidIdempotencyKey,
        Code::InvalidIdempotencyKey => Code::IdempotencyKeyReused,
        Code::IdempotencyKeyReused => Code::InvalidEtag,
        Code::InvalidEtag => Code::PreconditionFailed,
        Code::PreconditionFailed => Code::VersionConflict,
        Code::VersionConflict => Code::FlowIsActive,
        Code::FlowIsActive => Code::FlowTooLarge,
        Code::FlowTooLarge => return None,
    })
}

#[test]
fn every_code_stands_in_the_document_at_its_status_and_no_other_does() {
    let document = Document::read();
    let errors = std::iter::successors(Some(Error::MissingToken), after);
    let thrown: BTreeSet<_> = errors
        .map(|error| {
            let failure = error.failure();
            (i64::from(failure.status), failure.code.to_owned())
        })
        .collect();

    let mut written = BTreeSet::new();
    for operation in document.operations() {
        for (status, response) in operation.responses.as_object().unwrap() {
            let status: i64 = status.parse().unwrap();
            let codes = document.codes(response);
            let is_gateways = status == 429;
            assert_eq!(
                codes.is_empty(),
                status < 400 || is_gateways,
                "{} {}: {status}",
                operation.method,
                operation.path
            );
            written.extend(codes.into_iter().map(|code| (status, code)));
        }
    }
    for status in [401, 404, 405] {
        written.extend(document.codes(document.elsewhere(status)).into_iter().map(|code| (status, code)));
    }
    assert_eq!(written, thrown);

    let codes = std::iter::successors(Some(Code::InvalidJson), |code| code_after(*code));
    let detailed: BTreeSet<_> = codes.map(Code::as_str).collect();
    let listed = document.0.pointer("/components/schemas/Problem/properties/code/enum").unwrap();
    assert_eq!(listed.as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect::<BTreeSet<_>>(), detailed);
}

/// The function cannot show these: there is no gateway here.
#[test]
fn every_operation_says_what_the_gateway_answers_by_itself() {
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
fn the_operations_of_the_document_are_the_routes_of_the_function() {
    let document = Document::read();
    let operations = document.operations();
    let written: BTreeSet<_> = operations.iter().map(|one| format!("{} {}", one.method, one.path)).collect();
    assert_eq!(written, routes().map(str::to_owned).collect());
    for operation in &operations {
        let in_path: BTreeSet<_> = operation.parameters_in("path").into_keys().collect();
        let named = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(in_path, named.collect(), "{}", operation.path);
    }
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_limits_of_the_document_are_the_constants_of_the_code() {
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
    let expected = [("/v2/project-flows", FLOWS_LISTED), ("/v2/project-flows/{id}/versions", VERSIONS_LISTED)];
    let expected = expected.map(|(path, (default, most))| (path.to_owned(), json!(default), json!(most)));
    assert_eq!(lists, expected);
    let limits = [
        ("Steps/maxItems", MAX_STEPS),
        ("Description/maxLength", MAX_DESCRIPTION),
        ("FlowUpdate/properties/description/maxLength", MAX_DESCRIPTION),
        ("Refusal/properties/details/maxItems", MAX_PROBLEMS + 1),
    ];
    for (pointer, limit) in limits {
        let found = document.0.pointer(&format!("/components/schemas/{pointer}"));
        assert_eq!(found, Some(&json!(limit)), "{pointer}");
    }
}

#[test]
fn every_example_is_as_its_schema_says_and_every_body_has_one() {
    fn walk(document: &Document, place: &str, value: &Value, found: &mut usize) {
        if place.ends_with("/content/application~1json") {
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
            // What an example holds is the reader's own.
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

#[tokio::test]
async fn every_event_and_its_answer_are_as_the_document_says() {
    let document = Document::read();
    let api = Api::start().await;
    for (name, status, _) in EVENTS {
        let file = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let event: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let answer = exchange(&document, &api, &event, name).await;
        assert_eq!(answer.status, *status, "{name}");
    }
}

/// What no event of `events/` shows.
#[tokio::test]
async fn what_is_answered_more_rarely_is_as_the_document_says_too() {
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
        (create.clone().key("not one"), 400, "a key that is none"),
        (Request::create(json!({})), 400, "every problem of a create"),
        (Request::create("{"), 400, "no JSON"),
        (Request::create("[]"), 400, "no object"),
        (Request::create(r#"{"a": 1, "a": 1}"#), 400, "a member twice"),
        (Request::create(format!("{{\"a\": {}1{}}}", "[".repeat(40), "]".repeat(40))), 400, "too deep"),
        (Request::create(large), 413, "too large"),
        (Request::get(&format!("/v2/project-flows?cursor={flows}&limit=1")), 200, "the last page of flows"),
        (Request::get("/v2/project-flows?page=9&type=login&status=draft&project=p"), 200, "no flows"),
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
        (Request::of("PATCH", &flow), 405, "another method"),
        (Request::of("OPTIONS", &flow).without("authorization"), 204, "a preflight"),
        (Request::get("/v2/project-flows/a%20b"), 404, "no name"),
    ];
    for (request, status, what) in rows {
        let answer = exchange(&document, &api, &request.event(), what).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
}

/// What a create refuses although the document allows it: JSON Schema has no words for these.
const BEYOND_JSON_SCHEMA: [&str; 2] = ["steps that are switched off", "the same order twice"];

#[test]
fn the_document_judges_each_member_of_a_create_as_the_function_does() {
    let document = Document::read();
    let create = document.operations().into_iter().find(|one| one.method == "POST").unwrap();
    let schema = create.body.unwrap();
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
