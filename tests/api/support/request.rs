//! Requests, the events that API Gateway makes of them, and the request of the API page.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{CLIENT, bearer, now, signed};

/// The path of a flow that does not exist.
pub const NOWHERE: &str = "/v2/project-flows/project_flow_0123456789abcdefghjkmnpqrs";

/// The place of the flow of the API page.
pub const PLACE: &str = "/v2/project-flows/live/project_123456789/onboarding";

/// A request of [`CLIENT`], unless its headers say otherwise.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    pub body: Option<String>,
    pub base64: bool,
}

impl Request {
    /// Creates a flow.
    pub fn create(body: impl ToString) -> Self {
        Self::with_body("POST", "/v2/project-flows", body)
    }

    pub fn get(path: &str) -> Self {
        Self::of("GET", path)
    }

    pub fn put(path: &str, body: impl ToString) -> Self {
        Self::with_body("PUT", path, body)
    }

    /// Patches the flow at `path`.
    pub fn patch(path: &str, body: impl ToString) -> Self {
        Self::with_body("PATCH", path, body).header("content-type", "application/merge-patch+json")
    }

    pub fn delete(path: &str) -> Self {
        Self::of("DELETE", path)
    }

    /// Restores a version of the flow at `path`.
    pub fn restore(path: &str, version: impl ToString) -> Self {
        Self::of("POST", &format!("{path}/versions/{}/restore", version.to_string()))
    }

    /// Releases a version of the flow at `path` in [`PLACE`].
    pub fn release(path: &str, version: impl Into<Value>) -> Self {
        let id = path.strip_prefix("/v2/project-flows/").expect("the path of a flow");
        Self::put(PLACE, json!({ "_id": id, "version": version.into() }))
    }

    /// A request without a body. A query may follow the path.
    pub fn of(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: BTreeMap::from([("authorization".to_owned(), bearer(CLIENT))]),
            body: None,
            base64: false,
        }
    }

    /// A request with a body of JSON. A query may follow the path.
    pub fn with_body(method: &str, path: &str, body: impl ToString) -> Self {
        let request = Self { body: Some(body.to_string()), ..Self::of(method, path) };
        request.header("content-type", "application/json")
    }

    /// The request that an event of either kind of API describes, of [`CLIENT`].
    pub fn from_event(event: &Value) -> Self {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let entries = |name: &str| event[name].as_object().into_iter().flatten();
        let method = text("/requestContext/http/method").or_else(|| text("/httpMethod")).expect("a method");
        let path = text("/rawPath").or_else(|| text("/path")).expect("a path");
        let pairs: Vec<_> = entries("queryStringParameters")
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect();
        let mut request = Self::of(&method, &path);
        request.query = text("/rawQueryString").unwrap_or_else(|| pairs.join("&"));
        request.body = text("/body");
        request.base64 = event["isBase64Encoded"] == true;
        for (name, value) in entries("headers").filter(|(name, _)| !name.eq_ignore_ascii_case("authorization")) {
            request = request.header(&name.to_lowercase(), value.as_str().unwrap());
        }
        request
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// By this person of [`CLIENT`], or by nobody known.
    pub fn by(self, author: &str) -> Self {
        let mut claims = json!({ "clientId": CLIENT, "exp": now() + 600 });
        if !author.is_empty() {
            claims["sub"] = json!(author);
        }
        self.header("authorization", &format!("Bearer {}", signed(&claims)))
    }

    pub fn client(self, client: &str) -> Self {
        self.header("authorization", &bearer(client))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

    /// The event that an HTTP API makes of this request.
    pub fn event(&self) -> Value {
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": "api.execute-api.us-east-1.amazonaws.com",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "test",
                },
                "requestId": "gateway-request-id",
                "routeKey": "$default",
                "stage": "$default",
                "timeEpoch": 1_705_314_600_000_u64,
            },
            "body": self.body,
            "isBase64Encoded": self.base64,
        })
    }
}

/// The event in a file of `events/`.
pub fn event(name: &str) -> Value {
    let file = format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The body of the request that the API page shows.
pub fn page_request() -> Value {
    json!({
        "project": "project_123456789",
        "type": "onboarding",
        "name": "Complete Onboarding Flow",
        "description": "Full onboarding flow with email, phone, and biometric verification",
        "configuration": {
            "emailVerification": { "enabled": true, "required": true, "method": "verificationCode" },
            "phoneVerification": { "enabled": true, "required": true, "method": "sms" },
            "biometricVerification": { "enabled": true, "required": true, "livenessDetection": true },
        },
        "steps": [
            {
                "stepType": "email",
                "order": 1,
                "required": true,
                "config": { "verificationMethod": "verificationCode" },
            },
            { "stepType": "phone", "order": 2, "required": true, "config": { "verificationMethod": "sms" } },
            { "stepType": "biometric", "order": 3, "required": true, "config": { "livenessDetection": true } },
        ],
    })
}

/// The same with one member changed.
pub fn page_request_with(name: &str, value: Value) -> Value {
    let mut request = page_request();
    request[name] = value;
    request
}

/// The same without one member.
pub fn page_request_without(name: &str) -> Value {
    let mut request = page_request();
    request.as_object_mut().unwrap().remove(name);
    request
}
