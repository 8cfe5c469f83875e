//! The real binary, between a stand-in for Lambda's Runtime API and a real engine.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::engine;
use crate::proxy::{Fault, Loss, Proxy, When};
use crate::support::{Answer, Engine, JWKS, Request, page_request, page_request_with, sdk};

/// Lambda's Runtime API: hands out events, takes answers.
/// ("Using the Lambda runtime API for custom runtimes" in the AWS Lambda Developer Guide.)
pub struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<(String, String)>,
}

#[derive(Clone)]
struct Shared {
    events: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>>,
    answers: mpsc::UnboundedSender<(String, String)>,
}

async fn next(State(shared): State<Shared>) -> Response {
    let Some(event) = shared.events.lock().await.recv().await else { return StatusCode::GONE.into_response() };
    let headers = [
        ("lambda-runtime-aws-request-id", "lambda-request-id"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
    ];
    (headers, event).into_response()
}

async fn answer(State(shared): State<Shared>, Path((_, kind)): Path<(String, String)>, body: String) -> StatusCode {
    shared.answers.send((kind, body)).unwrap();
    StatusCode::ACCEPTED
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let (events, receiver) = mpsc::unbounded_channel();
        let (sender, answers) = mpsc::unbounded_channel();
        let shared = Shared { events: Arc::new(tokio::sync::Mutex::new(receiver)), answers: sender };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
            .with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, events, answers }
    }

    pub async fn invoke(&mut self, event: &str) -> (String, String) {
        self.hand_out(event);
        self.answer().await
    }

    fn hand_out(&self, event: &str) {
        self.events.send(event.to_owned()).unwrap();
    }

    async fn answer(&mut self) -> (String, String) {
        tokio::time::timeout(Duration::from_secs(30), self.answers.recv()).await.expect("an answer in time").unwrap()
    }
}

/// The function as a process, killed when the test ends.
pub struct Process(Child, Arc<Mutex<String>>);

impl Process {
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_project-flows"))
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&log));
        collect(child.stderr.take().unwrap(), Arc::clone(&log));
        Self(child, log)
    }

    /// All that it has written so far.
    pub fn output(&self) -> String {
        self.1.lock().unwrap().clone()
    }

    /// The lines of the log, once there are `count`.
    pub async fn log(&self, count: usize) -> Vec<Value> {
        for _ in 0..1_000 {
            let log = self.output();
            if log.matches('\n').count() >= count {
                return log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("expected {count} lines, found {:?}", self.output());
    }
}

/// Adds all that comes out of a process to its log.
fn collect(mut output: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn lambda<'a>(runtime: &'a RuntimeApi, engine: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("AWS_LAMBDA_RUNTIME_API", &runtime.address),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_DYNAMODB", engine),
        ("TABLE_NAME", engine::TABLE),
        ("JWKS", JWKS),
        ("ALLOW_SHARED_SECRETS", "true"),
    ]
}

#[tokio::test]
async fn the_binary_answers_events_and_logs_one_line_for_each() {
    let engine = Engine::start().await;
    let mut runtime = RuntimeApi::start().await;
    let process = Process::start(&lambda(&runtime, &engine.url));
    let request = Request::create(page_request());

    let (kind, first) = runtime.invoke(&request.event().to_string()).await;
    assert_eq!(kind, "response");
    let first = Answer::read(&first, true);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(engine.items().len(), 1);

    let (_, second) = runtime.invoke(&request.clone().without("authorization").event().to_string()).await;
    Answer::read(&second, true).expect(401, "MISSING_TOKEN");

    let (_, third) = runtime.invoke(&request.clone().header("authorization", "Basic x").event().to_string()).await;
    Answer::read(&third, true).expect(401, "INVALID_TOKEN");

    let lines = process.log(3).await;
    let [created, refused, invalid] = &lines[..] else { panic!("expected a line for each, found {lines:?}") };
    assert_eq!((created.get("cause"), refused.get("cause")), (None, None));
    assert_eq!(invalid["cause"], "another scheme than bearer");
    assert_eq!(created["request.id"], "gateway-request-id");
    assert_eq!(created["http.route"], "POST /v2/project-flows");
    assert_eq!(created["http.status"], 201);
    assert_eq!(created["client"], "client_123456789");
    assert_eq!(created["flow.id"], first.json()["data"]["_id"]);
    assert!(created["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&created["cold_start"], &refused["cold_start"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!((created.get("code"), &refused["code"]), (None, &Value::from("MISSING_TOKEN")));
    let token = request.headers["authorization"].strip_prefix("Bearer ").unwrap();
    for secret in [token, "Complete Onboarding Flow", "verificationCode", "dGhpcyBrZXk"] {
        assert!(!process.output().contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn an_event_of_another_kind_is_an_error_to_the_runtime_and_the_next_is_answered() {
    let engine = Engine::start().await;
    let mut runtime = RuntimeApi::start().await;
    let _process = Process::start(&lambda(&runtime, &engine.url));

    for event in ["5", "null", r#"{"headers": 5}"#, r#"{"body": {}}"#, "not JSON", ""] {
        let (kind, body) = runtime.invoke(event).await;
        assert_eq!(kind, "error", "{event}: {body}");
    }
    let (kind, empty) = runtime.invoke("{}").await;
    assert_eq!(kind, "response");
    Answer::read(&empty, false).expect(401, "MISSING_TOKEN");
    let (_, answer) = runtime.invoke(&Request::create(page_request()).event().to_string()).await;
    assert_eq!(Answer::read(&answer, true).status, 201);
}

#[tokio::test]
async fn the_connection_to_the_table_is_open_before_the_first_event() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut runtime = RuntimeApi::start().await;
    let _process = Process::start(&lambda(&runtime, &proxy.url));

    let (_, answer) = runtime.invoke(&Request::create(page_request()).event().to_string()).await;

    assert_eq!(Answer::read(&answer, true).status, 201);
    assert_eq!((proxy.calls("GetItem"), proxy.calls("PutItem")), (1, 1));
    assert_eq!(proxy.connections(), 1);
    // The read that opens it is one that the table takes, and finds nothing.
    let client = aws_sdk_dynamodb::Client::new(&sdk(&engine.url).await);
    let key = project_flows::item::impossible_key();
    let read = client.get_item().table_name(engine::TABLE).set_key(Some(key)).send().await.unwrap();
    assert_eq!(read.item, None);
}

/// As on Lambda Managed Instances: while one request waits for the database, the next one is answered.
#[tokio::test]
async fn several_requests_are_under_way_at_a_time_where_lambda_says_so() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut runtime = RuntimeApi::start().await;
    let mut variables = lambda(&runtime, &proxy.url);
    variables.push(("AWS_LAMBDA_MAX_CONCURRENCY", "8"));
    let _process = Process::start(&variables);
    let create = |name| Request::create(page_request_with("name", json!(name))).event().to_string();

    proxy.fail("PutItem", &[Fault::Lost(When::BeforeCommit, Loss::Hang)]);
    runtime.hand_out(&create("held up"));
    while proxy.calls("PutItem") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    runtime.hand_out(&create("in between"));

    for name in ["in between", "held up"] {
        let (_, answer) = runtime.answer().await;
        let answer = Answer::read(&answer, true);
        assert_eq!((answer.status, &answer.json()["data"]["name"]), (201, &json!(name)));
    }
}

/// `sam local` hands over an empty variable where the template leaves one out.
#[tokio::test]
async fn an_empty_endpoint_is_as_good_as_none() {
    let engine = Engine::start().await;
    let mut runtime = RuntimeApi::start().await;
    let mut variables = lambda(&runtime, &engine.url);
    variables.retain(|(name, _)| *name != "AWS_ENDPOINT_URL_DYNAMODB");
    variables.extend([("AWS_ENDPOINT_URL_DYNAMODB", ""), ("AWS_ENDPOINT_URL", &engine.url)]);
    let _process = Process::start(&variables);

    let (_, answer) = runtime.invoke(&Request::create(page_request()).event().to_string()).await;

    assert_eq!(Answer::read(&answer, true).status, 201);
}

/// Without an endpoint it trusts the authorities of AWS alone; without a region it has no address to call.
#[tokio::test]
async fn the_binary_starts_with_the_authorities_of_aws() {
    let mut runtime = RuntimeApi::start().await;
    let mut variables = lambda(&runtime, "");
    variables.retain(|(name, _)| *name != "AWS_REGION");
    let process = Process::start(&variables);

    let (kind, answer) = runtime.invoke(&Request::create(page_request()).event().to_string()).await;

    assert_eq!(kind, "response");
    assert!(Answer::read(&answer, true).status >= 500);
    let lines = process.log(1).await;
    assert_eq!(lines[0]["cause"], "PutItem: dispatch failure: Invalid Configuration: Missing Region");
}

/// Among the keys of an issuer are those for other purposes: it starts, and says which.
#[tokio::test]
async fn the_binary_warns_of_each_key_that_it_leaves_out() {
    let engine = Engine::start().await;
    let mut runtime = RuntimeApi::start().await;
    let mut jwks: Value = serde_json::from_str(JWKS).unwrap();
    let secret = "bm90IGZvciB0aGUgbG9n";
    jwks["keys"].as_array_mut().unwrap().extend([
        json!({ "kty": "oct", "kid": "b", "use": "enc", "k": secret }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": secret }),
    ]);
    let jwks = jwks.to_string();
    let mut variables = lambda(&runtime, &engine.url);
    variables.retain(|(name, _)| *name != "JWKS");
    variables.push(("JWKS", &jwks));
    let process = Process::start(&variables);

    let (_, answer) = runtime.invoke(&Request::create(page_request()).event().to_string()).await;

    assert_eq!(Answer::read(&answer, true).status, 201);
    let lines = process.log(3).await;
    let warned: Vec<_> = lines.iter().take(2).map(|line| (&line["level"], &line["message"])).collect();
    let level = &json!("WARN");
    let expected = [
        json!(r#"JWKS: keys[1]: left out, "use" is "enc" ("kid" "b")"#),
        json!(r#"JWKS: keys[2]: left out, "kty" is "AKP""#),
    ];
    assert_eq!(warned, expected.iter().map(|message| (level, message)).collect::<Vec<_>>());
    assert!(!process.output().contains(secret));
}

#[tokio::test]
async fn the_binary_does_not_start_without_its_settings() {
    let engine = Engine::start().await;
    let runtime = RuntimeApi::start().await;
    let all = lambda(&runtime, &engine.url);
    for (missing, sentence) in [
        ("TABLE_NAME", "TABLE_NAME: expected the name of the table, found nothing"),
        ("JWKS", "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), found nothing"),
        ("AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_RUNTIME_API: expected the address of the Lambda runtime, found nothing"),
    ] {
        let some: Vec<_> = all.iter().copied().filter(|(name, _)| *name != missing).collect();
        let mut process = Process::start(&some);
        let lines = process.log(1).await;
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["level"], &lines[0]["message"]), (&Value::from("ERROR"), &Value::from(sentence)));
        assert!(!process.0.wait().unwrap().success());
    }
}
