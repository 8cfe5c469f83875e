//! The real binary as a process, between a stand-in for Lambda's Runtime API and a database.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Answer, Change, Request, settings};

/// The function as a process, which is killed when the test ends.
pub struct Process {
    runtime: RuntimeApi,
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts the function on the database at `url`.
    pub async fn start(url: &str) -> Self {
        Self::start_with(url, &[]).await
    }

    /// The same with other settings.
    pub async fn start_with(url: &str, changes: &[Change<'_>]) -> Self {
        let runtime = RuntimeApi::start().await;
        let more = [
            ("AWS_LAMBDA_RUNTIME_API", runtime.address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_DYNAMODB", url),
        ];
        let mut child = Command::new(env!("CARGO_BIN_EXE_project-flows"))
            .env_clear()
            .envs(settings(&more, changes))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&output));
        collect(child.stderr.take().unwrap(), Arc::clone(&output));
        Self { runtime, child, output }
    }

    /// Sends a request as an event, and waits for the answer.
    pub async fn send(&mut self, request: &Request) -> Answer {
        self.hand_out(request);
        self.answer().await
    }

    /// Makes a request the next event.
    pub fn hand_out(&self, request: &Request) {
        self.runtime.hand_out(&request.event().to_string());
    }

    /// Waits for the next answer.
    pub async fn answer(&mut self) -> Answer {
        let (kind, response) = self.runtime.answer().await;
        assert_eq!(kind, "response", "{response}");
        Answer::read(&response, true)
    }

    /// Sends an event, and waits for what the function posts: its kind, `response` or `error`, and its text.
    pub async fn invoke(&mut self, event: &str) -> (String, String) {
        self.runtime.hand_out(event);
        self.runtime.answer().await
    }

    /// All that the process has written so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits for `count` lines in the log, and returns all lines.
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

    /// Waits until the process has written this text.
    pub async fn expect_output(&self, text: &str) {
        for _ in 0..1_000 {
            if self.output().contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("expected {text:?}, found {:?}", self.output());
    }

    /// Waits for the process to end, and says whether it reports success.
    pub fn succeeds(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Appends everything that a process writes.
fn collect(mut stream: impl Read + Send + 'static, output: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            output.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    });
}

/// Lambda's Runtime API: hands out events, takes answers.
/// ("Using the Lambda runtime API for custom runtimes" in the AWS Lambda Developer Guide.)
struct RuntimeApi {
    address: String,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<(String, String)>,
}

impl RuntimeApi {
    async fn start() -> Self {
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

    fn hand_out(&self, event: &str) {
        self.events.send(event.to_owned()).unwrap();
    }

    async fn answer(&mut self) -> (String, String) {
        tokio::time::timeout(Duration::from_secs(30), self.answers.recv()).await.expect("an answer in time").unwrap()
    }
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
