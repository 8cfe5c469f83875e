//! The function on an engine, called as Lambda's runtime calls it.

use std::panic::Location;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::{Context, LambdaEvent};
use project_flows::caller::{Authenticator, Claims, Source};
use project_flows::event::Event;
use project_flows::handler::Handler;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use project_flows::log::Log;
use project_flows::store::Store;
use serde_json::{Value, json};

use super::engine::{sdk, stored};
use super::{Answer, Engine, JWKS, PROJECTS, Request, page_request};
use crate::engine;
use crate::proxy::Proxy;

/// The function on an engine.
pub struct Api {
    pub engine: Engine,
    pub handler: Handler,
    /// The name of the table of projects, if the function has one.
    projects: Option<&'static str>,
    claims: Claims,
}

impl Api {
    pub async fn start() -> Self {
        Self::on(Engine::start().await).await
    }

    pub async fn on(engine: Engine) -> Self {
        let handler = handler(&engine.url).await;
        Self { engine, handler, projects: None, claims: Claims::default() }
    }

    /// The same, where nobody releases what they have written.
    pub async fn with_four_eyes() -> Self {
        Self::with_four_eyes_on(Engine::start().await).await
    }

    pub async fn with_four_eyes_on(engine: Engine) -> Self {
        let claims = Claims { four_eyes: true, ..Claims::default() };
        let handler = handler_with_claims(&engine.url, None, claims.clone(), silent()).await;
        Self { engine, handler, projects: None, claims }
    }

    /// The same with a table of projects, each with the client that owns it.
    pub async fn with_projects(projects: &[(&str, &str)]) -> Self {
        let engine = Engine::start().await;
        engine.add_projects(projects);
        let handler = handler_with_projects(&engine.url).await;
        Self { engine, handler, projects: Some(PROJECTS), claims: Claims::default() }
    }

    /// The function on the same engine, with a network between them that fails on demand.
    pub async fn behind_proxy(&self) -> (Self, Proxy) {
        let proxy = Proxy::start(&self.engine.url).await;
        let claims = self.claims.clone();
        let handler = handler_with_claims(&proxy.url, self.projects, claims.clone(), silent()).await;
        (Self { engine: self.engine.clone(), handler, projects: self.projects, claims }, proxy)
    }

    #[track_caller]
    pub fn send(&self, request: &Request) -> impl Future<Output = Answer> + use<'_> {
        send(&self.handler, &request.event())
    }

    #[track_caller]
    pub fn send_before(&self, request: &Request, deadline: Duration) -> impl Future<Output = Answer> + use<'_> {
        send_before(&self.handler, &request.event(), deadline)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> impl Future<Output = Answer> + use<'_> {
        self.send(&Request::get(path))
    }

    /// Creates the flow of the API page and returns its path.
    #[track_caller]
    pub fn create(&self) -> impl Future<Output = String> + use<'_> {
        self.create_from(&Request::create(page_request()))
    }

    /// Creates the flow of the API page, activates it as version 2, and returns its path.
    pub async fn create_active(&self) -> String {
        let path = self.create().await;
        self.set(&path, "status", json!("active")).await;
        path
    }

    /// Creates a flow with this request and returns its path.
    #[track_caller]
    pub fn create_from(&self, request: &Request) -> impl Future<Output = String> + use<'_> {
        let (answer, caller) = (self.send(request), Location::caller());
        async move {
            let answer = answer.await;
            assert_eq!(answer.status, 201, "{caller}: {answer:?}");
            answer.path()
        }
    }

    /// Changes one member of the flow at `path`.
    #[track_caller]
    pub fn set(&self, path: &str, member: &str, value: Value) -> impl Future<Output = Answer> + use<'_> {
        let (answer, caller) = (self.send(&Request::put(path, json!({ member: value }))), Location::caller());
        async move {
            let answer = answer.await;
            assert_eq!(answer.status, 200, "{caller}: {answer:?}");
            answer
        }
    }

    /// Changes the times of a version: written at `updated_at`, of a flow created on 2024-01-15 at one o'clock.
    #[track_caller]
    pub fn backdate(&self, path: &str, version: u64, updated_at: &str) {
        let id = path.strip_prefix("/v2/project-flows/").unwrap();
        let number = json!({ "N": version.to_string() });
        let item = self.engine.items().into_iter().find(|item| item["_id"]["S"] == id && item["version"] == number);
        let mut item = item.expect("a version");
        item["createdAt"] = json!({ "S": "2024-01-15T01:00:00.000Z" });
        item["updatedAt"] = json!({ "S": stored(updated_at) });
        self.engine.put(engine::TABLE, &item);
    }

    /// Sends an event that the gateway's own types may refuse, and returns the response as it is.
    pub async fn reply(&self, event: &Value) -> Value {
        let event = serde_json::from_value(event.clone()).expect("an event that the function reads");
        let reply = self.handler.handle(LambdaEvent::new(event, context(Duration::from_secs(10)))).await;
        serde_json::to_value(reply.unwrap_or_else(|never| match never {})).unwrap()
    }
}

/// Sends an event as Lambda's runtime does, and reads the response as API Gateway does.
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
    let event = LambdaEvent::new(event, context(deadline));
    async move {
        let reply = handler.handle(event).await.unwrap_or_else(|never| match never {});
        Answer::read(&serde_json::to_string(&reply).unwrap(), http_api)
    }
}

/// The context of an invocation that must end in this time.
fn context(deadline: Duration) -> Context {
    let mut context = Context::default();
    context.request_id = "lambda-request-id".to_owned();
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + deadline;
    context.deadline = deadline.as_millis().try_into().unwrap();
    context
}

/// The function with the development key, on the database at `url`.
pub async fn handler(url: &str) -> Handler {
    handler_on(url, None, silent()).await
}

/// The same with a table of projects.
pub async fn handler_with_projects(url: &str) -> Handler {
    handler_on(url, Some(PROJECTS), silent()).await
}

/// The same with a log.
pub async fn handler_with_log(url: &str, log: Log) -> Handler {
    handler_on(url, None, log).await
}

async fn handler_on(url: &str, projects: Option<&str>, log: Log) -> Handler {
    handler_with_claims(url, projects, Claims::default(), log).await
}

async fn handler_with_claims(url: &str, projects: Option<&str>, claims: Claims, log: Log) -> Handler {
    let keys = Keys::parse(JWKS, Origin::Setting(SharedSecrets::Allowed), None, None).unwrap();
    let authenticator = Authenticator::new(Source::Given(keys), claims);
    let store = Store::new(&sdk(url).await, engine::TABLE.to_owned(), projects.map(str::to_owned));
    Handler::new(authenticator, store, log)
}

/// A log that writes nothing.
fn silent() -> Log {
    Log { function: "project-flows".to_owned(), write: |_| () }
}
