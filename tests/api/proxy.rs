//! A network that fails on demand: a TCP proxy between the SDK and the engine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call and its answer pass.
    None,
    /// The engine carries the call out; then the connection is closed without an answer.
    CloseAfterCommit,
    /// The engine carries the call out; then HTTP 500 is answered.
    ServerErrorAfterCommit,
    /// The engine carries the call out; then there is silence.
    HangAfterCommit,
    /// The connection is closed before the engine hears of the call.
    CloseBeforeCommit,
    /// Silence, and the engine never hears of the call.
    HangBeforeCommit,
}

/// What to do with the calls to come, and how many came.
#[derive(Default)]
struct Plan {
    /// For each operation, the faults of its next calls in turn.
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    calls: BTreeMap<String, usize>,
}

/// A proxy in front of an engine.
pub struct Proxy {
    pub url: String,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    /// A proxy in front of the engine at `engine`, which passes everything until it is told otherwise.
    pub async fn start(engine: &str) -> Self {
        let engine = engine.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plan = Arc::new(Mutex::new(Plan::default()));
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (engine, plan) = (engine.clone(), Arc::clone(&shared));
                tokio::spawn(async move { serve(client, &engine, &plan).await });
            }
        });
        Self { url, plan }
    }

    /// Fails the next calls of `operation`, one fault each.
    pub fn fail(&self, operation: &'static str, faults: &[Fault]) {
        self.plan.lock().unwrap().faults.entry(operation).or_default().extend(faults);
    }

    /// How many calls of `operation` came.
    pub fn calls(&self, operation: &str) -> usize {
        self.plan.lock().unwrap().calls.get(operation).copied().unwrap_or_default()
    }
}

/// One connection; it ends when either side ends it or a fault does.
async fn serve(mut client: TcpStream, engine: &str, plan: &Mutex<Plan>) -> Option<()> {
    loop {
        let request = read_message(&mut client).await?;
        let operation = operation(&request)?;
        let fault = {
            let mut plan = plan.lock().unwrap();
            *plan.calls.entry(operation.clone()).or_default() += 1;
            plan.faults.get_mut(operation.as_str()).and_then(VecDeque::pop_front).unwrap_or(Fault::None)
        };
        match fault {
            Fault::CloseBeforeCommit => return None,
            Fault::HangBeforeCommit => return hang(client).await,
            Fault::None | Fault::CloseAfterCommit | Fault::ServerErrorAfterCommit | Fault::HangAfterCommit => {}
        }
        let answer = forward(engine, &request).await?;
        match fault {
            Fault::None => client.write_all(&answer).await.ok()?,
            Fault::ServerErrorAfterCommit => {
                let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"lost"}"#;
                let head = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/x-amz-json-1.0";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                client.write_all(answer.as_bytes()).await.ok()?;
            }
            Fault::HangAfterCommit => return hang(client).await,
            Fault::CloseAfterCommit | Fault::CloseBeforeCommit | Fault::HangBeforeCommit => return None,
        }
    }
}

/// Says nothing until the other side gives up.
async fn hang(mut client: TcpStream) -> Option<()> {
    let _ = tokio::time::timeout(Duration::from_secs(20), client.read_u8()).await;
    None
}

async fn forward(engine: &str, request: &[u8]) -> Option<Vec<u8>> {
    let mut engine = TcpStream::connect(engine).await.ok()?;
    engine.write_all(request).await.ok()?;
    read_message(&mut engine).await
}

/// One HTTP/1.1 message with its body, as bytes (RFC 9112; both sides send a `Content-Length`).
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let head = loop {
        if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    };
    let length: usize = header(&message[..head], "content-length").map_or(0, |value| value.parse().unwrap());
    while message.len() < head + length {
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    }
    Some(message)
}

fn header<'head>(head: &'head [u8], name: &str) -> Option<&'head str> {
    let lines = std::str::from_utf8(head).ok()?.lines();
    let mut headers = lines.filter_map(|line| line.split_once(':'));
    headers.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The operation of a call to DynamoDB, as in `X-Amz-Target: DynamoDB_20120810.PutItem`.
fn operation(request: &[u8]) -> Option<String> {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n")?;
    let target = header(&request[..end], "x-amz-target")?;
    Some(target.rsplit_once('.')?.1.to_owned())
}
