//! openapi.yaml as data: its operations, its schemas, and checks of requests and answers against them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oracles::jsonschema;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::support::Answer;

/// The document as data.
pub struct Document(pub Value);

/// A header with its name.
type Named<'document> = (String, &'document Value);

impl Document {
    pub fn read() -> Self {
        Self(serde_norway::from_str(include_str!("../../../openapi.yaml")).expect("a document in YAML"))
    }

    /// Follows a reference.
    #[track_caller]
    pub fn resolve<'document>(&'document self, value: &'document Value) -> &'document Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let target = self.0.pointer(reference.strip_prefix('#').unwrap());
        self.resolve(target.unwrap_or_else(|| panic!("expected {reference}, found nothing")))
    }

    /// The problems of `instance` by `schema`.
    #[track_caller]
    pub fn judge(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[track_caller]
    pub fn expect(&self, schema: &Value, instance: &Value, what: &str) {
        let problems = self.judge(schema, instance);
        assert!(problems.is_empty(), "{what}: {instance} is not as the document says: {problems:#?}");
    }

    /// The same for the text of a header or a parameter.
    #[track_caller]
    fn expect_text(&self, schema: &Value, text: &str, what: &str) {
        let instance = match self.resolve(schema)["type"].as_str() {
            Some("integer" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
            _ => json!(text),
        };
        self.expect(schema, &instance, what);
    }

    /// Every operation.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if method == "parameters" {
                    continue;
                }
                let media_types = operation.pointer("/requestBody/content").and_then(Value::as_object);
                let parameters = [item, operation].into_iter().filter_map(|one| one["parameters"].as_array()).flatten();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path,
                    parameters: parameters.map(|parameter| self.resolve(parameter)).collect(),
                    media_type: media_types.and_then(|types| types.keys().next()).map(String::as_str),
                    body: media_types.and_then(|types| types.values().next()),
                    responses: &operation["responses"],
                });
            }
        }
        operations
    }

    /// The response to a request that belongs to no operation.
    pub fn elsewhere(&self, status: i64) -> &Value {
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
    pub fn body<'document>(&'document self, response: &'document Value) -> &'document Value {
        self.resolve(&self.resolve(response)["content"]["application/json"]["schema"])
    }

    /// The codes of a response.
    pub fn codes(&self, response: &Value) -> BTreeSet<String> {
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
    pub fn expect_answer(&self, response: &Value, answer: &Answer, what: &str) {
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

pub struct Operation<'document> {
    pub method: String,
    pub path: &'document str,
    pub parameters: Vec<&'document Value>,
    /// The schema and the examples of the body, if it has one.
    pub body: Option<&'document Value>,
    pub media_type: Option<&'document str>,
    pub responses: &'document Value,
}

impl<'document> Operation<'document> {
    /// The parameters in a part of the request: path, query or header.
    pub fn parameters_in(&self, part: &str) -> BTreeMap<&'document str, &'document Value> {
        let parameters = self.parameters.iter().filter(|parameter| parameter["in"] == part);
        parameters.map(|parameter| (parameter["name"].as_str().unwrap(), *parameter)).collect()
    }

    /// The examples of the body.
    pub fn examples(&self, document: &'document Document) -> Vec<&'document Value> {
        let examples = self.body.and_then(|body| body["examples"].as_object()).into_iter().flatten();
        examples.map(|(_, example)| &document.resolve(example)["value"]).collect()
    }

    /// The parameters of `path` with their values, if this operation has the path.
    pub fn matched<'path>(&self, path: &'path str) -> Option<Vec<(&'document str, &'path str)>> {
        // A stage or a base path may precede it.
        let path = path.get(path.find("/v2/")?..)?;
        let (expected, found): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let matches = |(expected, found): (&&str, &&str)| expected.starts_with('{') || expected == found;
        if expected.len() != found.len() || !expected.iter().zip(&found).all(matches) {
            return None;
        }
        let named = expected.iter().zip(found).filter(|(expected, _)| expected.starts_with('{'));
        Some(named.map(|(name, value)| (name.trim_matches(['{', '}']), value)).collect())
    }

    /// Checks a request that was accepted against this operation.
    #[track_caller]
    pub fn expect_request(&self, document: &Document, sent: &Sent, what: &str) {
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
            Some(body) => document.expect(&body["schema"], &serde_json::from_str(&sent.body).expect("JSON"), what),
            None => assert!(["", "{}"].contains(&sent.body.as_str()), "{what}: {}", sent.body),
        }
    }
}

/// The request of an event, in the terms of HTTP.
pub struct Sent {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Sent {
    pub fn read(event: &Value) -> Self {
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

/// The members of an object whose values are texts.
fn texts(object: &Value) -> Vec<(String, String)> {
    let members = object.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
