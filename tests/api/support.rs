//! What the tests share: an engine, a handler on it, tokens, requests and answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::scan::ScanRequest;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayProxyRequest, ApiGatewayProxyResponse, ApiGatewayV2httpRequest, ApiGatewayV2httpResponse,
};
use lambda_http::aws_lambda_events::encodings::Body;
use lambda_http::{Context, LambdaEvent};
use project_flows::caller::Authenticator;
use project_flows::event::Event;
use project_flows::handler::Handler;
use project_flows::keys::SharedSecrets;
use project_flows::log::Log;
use project_flows::settings::Settings;
use project_flows::size::RESPONSE_LIMIT;
use project_flows::store::Store;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::engine;

/// The development keys, which verify the tokens of `events/`.
pub const JWKS: &str = include_str!("../../examples/jwks.json");
/// The name of the table of projects, where a test has one.
pub const PROJECTS: &str = "projects";
/// The client that the tokens of `events/` are issued for.
pub const CLIENT: &str = "client_123456789";

/// An engine with an empty table.
pub struct Engine {
    pub database: Database,
    pub url: String,
}

impl Engine {
    pub async fn start() -> Self {
        let database = Database::memory().unwrap();
        engine::create_table(&database).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = engine::serve(database.clone(), listener).unwrap();
        Self { database, url }
    }

    /// Adds a table of projects.
    pub fn add_projects(&self, projects: &[(&str, &str)]) {
        let table = json!({
            "TableName": PROJECTS,
            "AttributeDefinitions": [{ "AttributeName": "_id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "_id", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        for (id, client) in projects {
            self.put(PROJECTS, &json!({ "_id": { "S": id }, "client": { "S": client } }));
        }
    }

    /// Puts an item, as DynamoDB JSON, past the function.
    pub fn put(&self, table: &str, item: &Value) {
        let put = json!({ "TableName": table, "Item": item });
        self.database.put_item(serde_json::from_value(put).unwrap()).unwrap();
    }

    /// Every item of the table, as DynamoDB JSON.
    pub fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut scan = json!({ "TableName": engine::TABLE });
        loop {
            let request: ScanRequest = serde_json::from_value(scan.clone()).unwrap();
            let mut page = serde_json::to_value(self.database.scan(request).unwrap()).unwrap();
            items.append(page["Items"].as_array_mut().unwrap());
            match page.get("LastEvaluatedKey") {
                Some(key) => scan["ExclusiveStartKey"] = key.clone(),
                None => return items,
            }
        }
    }

    /// One flow of the table, as DynamoDB JSON.
    #[track_caller]
    pub fn item(&self, client: &str, id: &str) -> Value {
        let key = json!({ "pk": { "S": format!("CLIENT#{client}") }, "sk": { "S": format!("FLOW#{id}") } });
        let get: GetItemRequest = serde_json::from_value(json!({ "TableName": engine::TABLE, "Key": key })).unwrap();
        serde_json::to_value(self.database.get_item(get).unwrap()).unwrap()["Item"].clone()
    }
}

/// What the SDK needs to know to talk to a local engine at `url`.
pub async fn sdk(url: &str) -> SdkConfig {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    // The SDK shares its budget of retries among clients of a region: each gets one of its own here.
    let region = format!("local-{}", CLIENTS.fetch_add(1, Ordering::Relaxed));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url(url)
        .load()
        .await
}

/// A log that nobody reads.
fn silent() -> Log {
    Log { function: "project-flows".to_owned(), write: |_| () }
}

fn development_authenticator() -> Authenticator {
    Authenticator::new(JWKS, None, None, Settings::CLIENT_CLAIM, SharedSecrets::Allowed).unwrap()
}

/// The function, with the development keys, on the database at `url`.
pub async fn handler(url: &str) -> Handler {
    handler_with_log(url, silent()).await
}

/// The same, with a log that somebody reads.
pub async fn handler_with_log(url: &str, log: Log) -> Handler {
    let store = Store::new(&sdk(url).await, engine::TABLE.to_owned(), None);
    Handler::new(development_authenticator(), store, log)
}

/// The same, with a table of projects.
pub async fn handler_with_projects(url: &str) -> Handler {
    let authenticator = development_authenticator();
    let store = Store::new(&sdk(url).await, engine::TABLE.to_owned(), Some(PROJECTS.to_owned()));
    Handler::new(authenticator, store, silent())
}

/// The function on an engine of its own.
pub struct Api {
    pub engine: Engine,
    pub handler: Handler,
}

impl Api {
    pub async fn start() -> Self {
        let engine = Engine::start().await;
        let handler = handler(&engine.url).await;
        Self { engine, handler }
    }

    /// The same on an engine with a table of projects, each of them a client's.
    pub async fn with_projects(projects: &[(&str, &str)]) -> Self {
        let engine = Engine::start().await;
        engine.add_projects(projects);
        let handler = handler_with_projects(&engine.url).await;
        Self { engine, handler }
    }

    /// The function's own words in answer to an event, however odd.
    pub async fn reply(&self, event: &Value) -> Value {
        let event = serde_json::from_value(event.clone()).expect("an event that the function reads");
        let mut context = Context::default();
        context.deadline = (now() + 10) * 1_000;
        let reply = self.handler.handle(LambdaEvent::new(event, context)).await.unwrap_or_else(|never| match never {});
        serde_json::to_value(&reply).unwrap()
    }

    pub async fn send(&self, request: &Request) -> Answer {
        send(&self.handler, &request.event()).await
    }
}

/// Sends an event as the runtime would, through the real types of both ends.
#[track_caller]
pub fn send<'handler>(handler: &'handler Handler, event: &Value) -> impl Future<Output = Answer> + use<'handler> {
    send_before(handler, event, Duration::from_secs(10))
}

/// The same with a deadline.
#[track_caller]
pub fn send_before<'handler>(
    handler: &'handler Handler,
    event: &Value,
    deadline: Duration,
) -> impl Future<Output = Answer> + use<'handler> {
    let text = event.to_string();
    let http_api = event.get("rawPath").is_some();
    if http_api {
        serde_json::from_str::<ApiGatewayV2httpRequest>(&text).expect("an event of an HTTP API");
    } else {
        serde_json::from_str::<ApiGatewayProxyRequest>(&text).expect("an event of a REST API");
    }
    let event: Event = serde_json::from_str(&text).expect("an event that the function reads");
    let mut context = Context::default();
    context.request_id = "lambda-request-id".to_owned();
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + deadline;
    context.deadline = deadline.as_millis().try_into().unwrap();
    async move {
        let reply = handler.handle(LambdaEvent::new(event, context)).await.unwrap_or_else(|never| match never {});
        Answer::read(&serde_json::to_string(&reply).unwrap(), http_api)
    }
}

/// What API Gateway makes of a response of the function.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: i64,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    /// The bytes of the function's response.
    pub bytes: usize,
}

impl Answer {
    #[track_caller]
    pub fn read(text: &str, http_api: bool) -> Self {
        let bytes = text.len();
        assert!(bytes < RESPONSE_LIMIT, "Lambda refuses a response of {bytes} bytes");
        let (status, headers, body) = if http_api {
            let response: ApiGatewayV2httpResponse = serde_json::from_str(text).expect("a response to an HTTP API");
            (response.status_code, response.headers, response.body)
        } else {
            let response: ApiGatewayProxyResponse = serde_json::from_str(text).expect("a response to a REST API");
            let members: Value = serde_json::from_str(text).unwrap();
            assert_eq!(members.get("cookies"), None, "a REST API refuses members that it does not know");
            (response.status_code, response.headers, response.body)
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        let text = match body {
            Some(Body::Text(text)) => text,
            Some(Body::Empty) => String::new(),
            other => panic!("expected a text, found {other:?}"),
        };
        Self { status, headers, text, bytes }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a body of JSON")
    }

    /// The code of a failure.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("expected a failure, found {self:?}")).to_owned()
    }

    #[track_caller]
    pub fn expect(&self, status: i64, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self:?}");
        self.expect_headers();
    }

    /// What every answer carries.
    #[track_caller]
    pub fn expect_headers(&self) {
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        assert!(!self.headers["x-request-id"].is_empty());
    }
}

/// A request, and the event that an HTTP API makes of it.
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
    /// A valid create request with this body.
    pub fn create(body: impl ToString) -> Self {
        Self {
            method: "POST".to_owned(),
            path: "/v2/project-flows".to_owned(),
            query: String::new(),
            headers: BTreeMap::from([
                ("authorization".to_owned(), format!("Bearer {}", token(CLIENT))),
                ("content-type".to_owned(), "application/json".to_owned()),
            ]),
            body: Some(body.to_string()),
            base64: false,
        }
    }

    /// A request without a body.
    pub fn of(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request =
            Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), ..Self::create("") };
        Self { body: None, ..request.without("content-type") }
    }

    pub fn get(path: &str) -> Self {
        Self::of("GET", path)
    }

    pub fn put(path: &str, body: impl ToString) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self { method: "PUT".to_owned(), path: path.to_owned(), query: query.to_owned(), ..Self::create(body) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn client(self, client: &str) -> Self {
        self.header("authorization", &format!("Bearer {}", token(client)))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn query(mut self, query: &str) -> Self {
        self.query = query.to_owned();
        self
    }

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

/// The request of the API page.
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

/// The page's request with one member changed.
pub fn page_request_with(name: &str, value: Value) -> Value {
    let mut request = page_request();
    request[name] = value;
    request
}

/// The page's request without one member.
pub fn page_request_without(name: &str) -> Value {
    let mut request = page_request();
    request.as_object_mut().unwrap().remove(name);
    request
}

/// The id of the flow that was answered.
#[track_caller]
pub fn id(answer: &Answer) -> String {
    answer.json()["data"]["_id"].as_str().unwrap_or_else(|| panic!("expected a flow, found {answer:?}")).to_owned()
}

/// The path of the flow that was answered.
#[track_caller]
pub fn path(answer: &Answer) -> String {
    format!("/v2/project-flows/{}", id(answer))
}

/// Changes one member of the flow at `path`.
pub async fn set(api: &Api, path: &str, member: &str, value: Value) -> Answer {
    let answer = api.send(&Request::put(path, json!({ member: value }))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Makes it so that a version of a flow was written at `moment`, and the flow created on 2024-01-15 at one.
#[track_caller]
pub fn age(api: &Api, path: &str, version: u64, moment: &str) {
    let id = path.strip_prefix("/v2/project-flows/").unwrap();
    let number = json!({ "N": version.to_string() });
    let item = api.engine.items().into_iter().find(|item| item["_id"]["S"] == id && item["version"] == number);
    let mut item = item.expect("a version");
    item["createdAt"] = json!({ "S": "2024-01-15T01:00:00Z" });
    item["updatedAt"] = json!({ "S": moment });
    api.engine.put(engine::TABLE, &item);
}

/// The seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A token for `client` that is good for an hour.
pub fn token(client: &str) -> String {
    signed(&json!({ "clientId": client, "exp": now() + 3_600 }))
}

/// A token with these claims, signed with the development key.
pub fn signed(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("development".to_owned());
    jsonwebtoken::encode(&header, claims, &development_key()).unwrap()
}

pub fn development_key() -> EncodingKey {
    let jwks: Value = serde_json::from_str(JWKS).unwrap();
    let secret = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        jwks["keys"][0]["k"].as_str().unwrap(),
    );
    EncodingKey::from_secret(&secret.unwrap())
}
