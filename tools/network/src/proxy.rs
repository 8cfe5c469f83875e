//! A network that fails on demand: a TCP proxy between the SDK and the engine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{body, operation, read_message};

/// What happens to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call and its answer pass.
    None,
    /// Before the engine hears of the call, or after it has carried it out.
    Lost(When, Loss),
    /// The engine never hears of the call; this error is answered instead.
    Error(u16, &'static str, &'static str),
    /// The engine never hears of the transaction; it is cancelled with these codes.
    Cancelled(&'static [&'static str]),
    /// The engine carries the call out; its answer comes in pieces of this many bytes, this far apart.
    Drip(usize, Duration),
    /// The call and its answer pass; then the connection is closed, as it is while the function is frozen.
    CloseIdle,
}

/// When an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The engine never hears of the call.
    BeforeCommit,
    /// The engine has carried it out.
    AfterCommit,
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// There is silence.
    Hang,
    /// Half of an answer, and then the connection is closed.
    Cut,
    /// An error of the server.
    Status(u16),
    /// A success that is no JSON.
    Garbage,
}

/// What to do with the calls to come, and how many came.
#[derive(Default)]
struct Plan {
    /// For each operation, the faults of its next calls in turn.
    faults: BTreeMap<&'static str, VecDeque<Fault>>,
    /// For each operation, the faults that its calls meet by chance.
    chance: BTreeMap<&'static str, Chance>,
    /// The calls that came, and whether each met a fault.
    calls: Vec<Call>,
    connections: usize,
}

/// A call that came: its operation, its body, and whether it met a fault.
#[derive(Debug, Clone)]
pub struct Call {
    pub operation: String,
    pub body: Value,
    pub faulty: bool,
}

/// Faults at random: the same ones in the same order each time.
struct Chance {
    one_in: u64,
    faults: Vec<Fault>,
    state: u64,
}

impl Chance {
    fn next(&mut self) -> Option<Fault> {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        let mut random = || {
            self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = self.state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bits ^ (bits >> 31)
        };
        let meets = random() % self.one_in == 0;
        let which = usize::try_from(random() % self.faults.len() as u64).unwrap();
        meets.then(|| self.faults[which].clone())
    }
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
                plan.lock().unwrap().connections += 1;
                tokio::spawn(async move { serve(client, &engine, &plan).await });
            }
        });
        Self { url, plan }
    }

    /// Fails the next calls of `operation`, one fault each.
    pub fn fail(&self, operation: &'static str, faults: &[Fault]) {
        self.plan.lock().unwrap().faults.entry(operation).or_default().extend(faults.iter().cloned());
    }

    /// Fails one call of `operation` in `one_in`, with one of `faults`.
    pub fn shake(&self, operation: &'static str, one_in: u64, faults: &[Fault]) {
        let chance = Chance { one_in, faults: faults.to_vec(), state: 1 };
        self.plan.lock().unwrap().chance.insert(operation, chance);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        let mut plan = self.plan.lock().unwrap();
        plan.faults.clear();
        plan.chance.clear();
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.plan.lock().unwrap().connections
    }

    /// How many calls of `operation` came.
    pub fn calls(&self, operation: &str) -> usize {
        self.plan.lock().unwrap().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// The calls that came since this was last asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.plan.lock().unwrap().calls)
    }
}

/// One connection; it ends when either side ends it or a fault does.
async fn serve(mut client: TcpStream, engine: &str, plan: &Mutex<Plan>) -> Option<()> {
    loop {
        let request = read_message(&mut client).await?;
        let operation = operation(&request)?.to_owned();
        let fault = {
            let mut plan = plan.lock().unwrap();
            let planned = plan.faults.get_mut(operation.as_str()).and_then(VecDeque::pop_front);
            let fault = planned.or_else(|| plan.chance.get_mut(operation.as_str())?.next()).unwrap_or(Fault::None);
            let body = serde_json::from_slice(body(&request)?).ok()?;
            plan.calls.push(Call { operation, body, faulty: fault != Fault::None });
            fault
        };
        match fault {
            Fault::None => client.write_all(&forward(engine, &request).await?).await.ok()?,
            Fault::Lost(when, loss) => {
                let answer = match when {
                    When::BeforeCommit => response(200, "{}"),
                    When::AfterCommit => forward(engine, &request).await?,
                };
                match loss {
                    Loss::Close => return None,
                    Loss::Reset => {
                        client.set_zero_linger().ok()?;
                        return None;
                    }
                    Loss::Hang => return hang(client).await,
                    Loss::Cut => {
                        client.write_all(&answer[..answer.len() / 2]).await.ok()?;
                        return None;
                    }
                    Loss::Status(status) => {
                        client.write_all(&error(status, "InternalServerError", "lost")).await.ok()?;
                    }
                    Loss::Garbage => client.write_all(&response(200, "<html>")).await.ok()?,
                }
            }
            Fault::Error(status, code, message) => client.write_all(&error(status, code, message)).await.ok()?,
            Fault::Cancelled(codes) => client.write_all(&cancelled(codes)).await.ok()?,
            Fault::Drip(bytes, pause) => {
                client.set_nodelay(true).ok()?;
                for piece in forward(engine, &request).await?.chunks(bytes) {
                    client.write_all(piece).await.ok()?;
                    tokio::time::sleep(pause).await;
                }
            }
            Fault::CloseIdle => {
                client.write_all(&forward(engine, &request).await?).await.ok()?;
                return None;
            }
        }
    }
}

fn response(status: u16, body: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0");
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    response(status, &format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"{message}"}}"#))
}

fn cancelled(codes: &[&str]) -> Vec<u8> {
    let message = |code: &str| match code {
        "ValidationError" => "Item size has exceeded the maximum allowed size".to_owned(),
        other => other.to_owned(),
    };
    let reason = |code: &&str| format!(r#"{{"Code":"{code}","Message":"{}"}}"#, message(code));
    let reasons: Vec<_> = codes.iter().map(reason).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    let reasons = reasons.join(",");
    response(400, &format!(r#"{{"__type":"{kind}","message":"cancelled","CancellationReasons":[{reasons}]}}"#))
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
