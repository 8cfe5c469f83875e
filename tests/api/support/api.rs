//! The function on an engine, called as Lambda's runtime calls it.

use std::collections::BTreeMap;
use std::env::VarError;
use std::panic::Location;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use lambda_http::{Context, LambdaEvent};
use project_flows::caller::{Authenticator, Source};
use project_flows::event::Event;
use project_flows::handler::Handler;
use project_flows::issuer::Issuer;
use project_flows::log::Log;
use project_flows::settings::{KeySource, Settings};
use project_flows::store::Store;
use serde_json::{Value, json};

use super::engine::{sdk, stored};
use super::{Answer, Change, Engine, PROJECTS, Request, page_request, settings};
use crate::engine;
use crate::proxy::Proxy;

/// The function on an engine.
pub struct Api {
    pub engine: Engine,
    pub handler: Handler,
    settings: BTreeMap<String, String>,
}

/// What a test may choose. By default: a new engine with an empty table, the settings of every function, and no log.
#[derive(Default)]
pub struct Options<'test> {
    pub engine: Option<&'test Engine>,
    /// Where the function finds the database, if not at the engine.
    pub url: Option<&'test str>,
    /// If there are any, the engine gets a table of them, each with the client that owns it.
    pub projects: &'test [(&'test str, &'test str)],
    pub settings: &'test [Change<'test>],
    /// What becomes of a line of the log.
    pub log: Option<fn(&str)>,
}

impl Api {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options<'_>) -> Self {
        let engine = match options.engine {
            Some(engine) => engine.clone(),
            None => Engine::start().await,
        };
        let mut settings = settings(&[], options.settings);
        if !options.projects.is_empty() {
            engine.add_projects(options.projects);
            settings.insert("PROJECTS_TABLE".to_owned(), PROJECTS.to_owned());
        }
        let url = options.url.unwrap_or(&engine.url);
        let handler = handler(url, &settings, options.log.unwrap_or(|_| ())).await;
        Self { engine, handler, settings }
    }

    /// The function on the same engine, with a network between them that fails on demand.
    pub async fn behind_proxy(&self) -> (Self, Proxy) {
        let proxy = Proxy::start(&self.engine.url).await;
        (self.behind(&proxy).await, proxy)
    }

    /// The same behind a network that is there already.
    pub async fn behind(&self, proxy: &Proxy) -> Self {
        let handler = handler(&proxy.url, &self.settings, |_| ()).await;
        Self { engine: self.engine.clone(), handler, settings: self.settings.clone() }
    }

    #[track_caller]
    pub fn send(&self, request: &Request) -> impl Future<Output = Answer> + use<'_> {
        self.send_event(&request.event())
    }

    #[track_caller]
    pub fn send_before(&self, request: &Request, deadline: Duration) -> impl Future<Output = Answer> + use<'_> {
        self.send_event_before(&request.event(), deadline)
    }

    /// Sends an event as Lambda's runtime does, and reads the response as API Gateway does.
    #[track_caller]
    pub fn send_event(&self, event: &Value) -> impl Future<Output = Answer> + use<'_> {
        self.send_event_before(event, Duration::from_secs(10))
    }

    #[track_caller]
    fn send_event_before(&self, event: &Value, deadline: Duration) -> impl Future<Output = Answer> + use<'_> {
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
            let reply = self.handler.handle(event).await.unwrap_or_else(|never| match never {});
            Answer::read(&serde_json::to_string(&reply).unwrap(), http_api)
        }
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

/// The context of an invocation that must end in this time.
fn context(deadline: Duration) -> Context {
    let mut context = Context::default();
    context.request_id = "lambda-request-id".to_owned();
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + deadline;
    context.deadline = deadline.as_millis().try_into().unwrap();
    context
}

/// The function as `main` starts it, on the database at `url`.
async fn handler(url: &str, settings: &BTreeMap<String, String>, log: fn(&str)) -> Handler {
    let settings = Settings::read(|name| settings.get(name).cloned().ok_or(VarError::NotPresent)).expect("settings");
    let store = Store::new(&sdk(url).await, settings.table_name, settings.projects_table);
    let keys = match settings.keys {
        KeySource::Given(keys) => Source::Given(keys),
        KeySource::Url(url) => {
            let issuer = Issuer::new(url, settings.issuer, settings.audience, None, store.clone());
            issuer.prime().await;
            Source::Issuer(Box::new(issuer))
        }
    };
    let log = Log { function: settings.function, write: log };
    Handler::new(Authenticator::new(keys, settings.claims), store, log)
}
