//! A network that fails on demand: a TCP proxy between the SDK and the engine.
//!
//! It also shows what `DynamoDB` does with transactions and a local engine does not: other writes of their items are
//! refused while they are under way, and reads of two of their items are no snapshot ("Amazon DynamoDB Transactions: How
//! it works" in its Developer Guide).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{body, head, operation, read_message};

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
    /// The engine carries the transaction out. For this long it is under way still, and all but one of its writes are
    /// seen; then its answer passes.
    Window(Unseen, Duration),
    /// The transaction is under way for this long, and then the engine carries it out. It has no answer.
    Stalled(Duration),
}

/// Which write of a transaction is not seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// The first of its writes.
    First,
    /// The second.
    Second,
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
    /// Whether calls are only counted.
    only_counts: bool,
    counts: Counts,
    connections: usize,
    under_way: Vec<Transaction>,
}

/// How many calls came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub all: usize,
    /// Those that met a fault.
    pub faulty: usize,
    /// Those that were refused because a transaction was under way.
    pub refused: usize,
}

/// A transaction under way.
struct Transaction {
    token: Value,
    /// The keys of its items that no other write may touch.
    locked: Vec<Value>,
    unseen: Option<UnseenWrite>,
    /// Whether the engine has carried it out.
    is_done: bool,
}

/// A write that is not seen yet: the item that it puts, and the one that is seen in its place.
struct UnseenWrite {
    item: Value,
    before: Option<Value>,
}

impl Plan {
    fn note(&mut self, call: Call) {
        self.counts.all += 1;
        self.counts.faulty += usize::from(call.faulty);
        self.counts.refused += usize::from(call.refused);
        if !self.only_counts {
            self.calls.push(call);
        }
    }

    /// The answer to a write that meets a transaction under way.
    fn refusal(&self, operation: &str, body: &Value) -> Option<Vec<u8>> {
        let locks = |key: &Value| self.under_way.iter().any(|transaction| transaction.locked.contains(key));
        match operation {
            "PutItem" => locks(&key_of(&body["Item"])).then(|| error(400, "TransactionConflictException", "conflict")),
            "TransactWriteItems" => {
                let token = &body["ClientRequestToken"];
                if self.under_way.iter().any(|transaction| &transaction.token == token) {
                    return Some(error(400, "TransactionInProgressException", "in progress"));
                }
                let code = |key| if locks(&key) { "TransactionConflict" } else { "None" };
                let codes: Vec<_> = keys(body).into_iter().map(code).collect();
                codes.contains(&"TransactionConflict").then(|| cancelled(&codes))
            }
            _ => None,
        }
    }

    /// What the answer of a read is while some writes are not seen.
    fn seen(&self, body: &Value, answer: Vec<u8>) -> Vec<u8> {
        let unseen: Vec<_> = self.under_way.iter().filter_map(|transaction| transaction.unseen.as_ref()).collect();
        let is_read = answer.starts_with(b"HTTP/1.1 200") && body.get("Item").is_none();
        if unseen.is_empty() || !is_read || body.get("IndexName").is_some() {
            return answer;
        }
        let Some(mut found) = body_of(&answer) else { return answer };
        // A summary has no key, and the function asks for summaries of earlier versions and of releases alone.
        let same = |found: &Value, item: &Value| match found.get("sk") {
            Some(_) => found == item,
            None => {
                item["listKey"].is_null() && ["_id", "version", "release"].iter().all(|name| found[name] == item[name])
            }
        };
        let seen = |found: Value| match unseen.iter().find(|write| same(&found, &write.item)) {
            Some(write) => write.before.clone(),
            None => Some(found),
        };
        let item = found.as_object_mut().and_then(|found| found.remove("Item"));
        if let Some(item) = item.and_then(&seen) {
            found["Item"] = item;
        }
        if let Some(items) = found["Items"].as_array_mut() {
            let limit = body["Limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
            *items = items.drain(..).filter_map(seen).take(limit).collect();
            found["Count"] = items.len().into();
        }
        response(200, &found.to_string())
    }
}

/// The key of an item.
fn key_of(item: &Value) -> Value {
    serde_json::json!({ "pk": item["pk"], "sk": item["sk"] })
}

/// The keys of a transaction's items.
fn keys(transaction: &Value) -> Vec<Value> {
    let writes = transaction["TransactItems"].as_array().unwrap().iter();
    let key = |write: &Value| match write.get("Put") {
        Some(put) => key_of(&put["Item"]),
        None => write["ConditionCheck"]["Key"].clone(),
    };
    writes.map(key).collect()
}

fn body_of(message: &[u8]) -> Option<Value> {
    serde_json::from_slice(body(message)?).ok()
}

/// A call that came.
#[derive(Debug, Clone)]
pub struct Call {
    /// As in `PutItem`.
    pub operation: String,
    /// What was sent.
    pub body: Value,
    /// Whether it met a fault.
    pub faulty: bool,
    /// Whether it was refused because a transaction was under way.
    pub refused: bool,
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
    /// Where it listens.
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
                tokio::spawn(async move { serve(client, &engine, plan).await });
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

    /// Whether a transaction can be seen half-way: the engine has carried it out, and one of its writes is hidden.
    pub fn is_half_seen(&self) -> bool {
        self.plan
            .lock()
            .unwrap()
            .under_way
            .iter()
            .any(|transaction| transaction.is_done && transaction.unseen.is_some())
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.plan.lock().unwrap().connections
    }

    /// How many calls of `operation` came.
    pub fn calls(&self, operation: &str) -> usize {
        self.plan.lock().unwrap().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// Only counts the calls from now on: a long race would fill the memory with them.
    pub fn only_count(&self) {
        self.plan.lock().unwrap().only_counts = true;
    }

    /// How many calls came.
    pub fn counts(&self) -> Counts {
        self.plan.lock().unwrap().counts
    }

    /// The calls that came since this was last asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.plan.lock().unwrap().calls)
    }
}

/// One connection; it ends when either side ends it or a fault does.
async fn serve(mut client: TcpStream, engine: &str, plan: Arc<Mutex<Plan>>) -> Option<()> {
    loop {
        let request = read_message(&mut client).await?;
        let operation = operation(&request)?.to_owned();
        let sent = body_of(&request)?;
        let refusal = plan.lock().unwrap().refusal(&operation, &sent);
        if let Some(refusal) = refusal {
            plan.lock().unwrap().note(Call { operation, body: sent, faulty: false, refused: true });
            client.write_all(&refusal).await.ok()?;
            continue;
        }
        let fault = {
            let mut plan = plan.lock().unwrap();
            let planned = plan.faults.get_mut(operation.as_str()).and_then(VecDeque::pop_front);
            let fault = planned.or_else(|| plan.chance.get_mut(operation.as_str())?.next()).unwrap_or(Fault::None);
            plan.note(Call { operation, body: sent.clone(), faulty: fault != Fault::None, refused: false });
            fault
        };
        match fault {
            Fault::None => {
                let hidden = plan.lock().unwrap().under_way.iter().filter(|one| one.unseen.is_some()).count();
                let answer = match sent["Limit"].as_u64() {
                    // What is not seen does not count.
                    Some(limit) if hidden > 0 && sent.get("IndexName").is_none() => {
                        let mut more = sent.clone();
                        more["Limit"] = (limit + hidden as u64).into();
                        forward(engine, &with_body(&request, &more)?).await?
                    }
                    _ => forward(engine, &request).await?,
                };
                let answer = plan.lock().unwrap().seen(&sent, answer);
                client.write_all(&answer).await.ok()?;
            }
            Fault::Window(which, time) => {
                let write = &sent["TransactItems"][usize::from(which == Unseen::Second)]["Put"];
                let before = get(engine, &request, write).await;
                let unseen = UnseenWrite { item: write["Item"].clone(), before };
                // All in one: nobody sees the write before it is hidden.
                begin(&plan, &sent, vec![key_of(&unseen.item)], Some(unseen));
                let answer = forward(engine, &request).await?;
                if answer.starts_with(b"HTTP/1.1 200") {
                    done(&plan, &sent);
                    tokio::time::sleep(time).await;
                }
                end(&plan, &sent);
                client.write_all(&answer).await.ok()?;
            }
            Fault::Stalled(time) => {
                begin(&plan, &sent, keys(&sent), None);
                let (engine, plan) = (engine.to_owned(), Arc::clone(&plan));
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    let _ = forward(&engine, &request).await;
                    end(&plan, &sent);
                });
                return hang(client).await;
            }
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

fn begin(plan: &Mutex<Plan>, transaction: &Value, locked: Vec<Value>, unseen: Option<UnseenWrite>) {
    let token = transaction["ClientRequestToken"].clone();
    plan.lock().unwrap().under_way.push(Transaction { token, locked, unseen, is_done: false });
}

fn done(plan: &Mutex<Plan>, transaction: &Value) {
    let token = &transaction["ClientRequestToken"];
    let mut plan = plan.lock().unwrap();
    for one in plan.under_way.iter_mut().filter(|one| &one.token == token) {
        one.is_done = true;
    }
}

fn end(plan: &Mutex<Plan>, transaction: &Value) {
    plan.lock().unwrap().under_way.retain(|one| one.token != transaction["ClientRequestToken"]);
}

/// The item that a put would replace; `request` is what the put came in.
async fn get(engine: &str, request: &[u8], put: &Value) -> Option<Value> {
    let get = serde_json::json!({ "TableName": put["TableName"], "Key": key_of(&put["Item"]) });
    let get = String::from_utf8(with_body(request, &get)?).ok()?.replacen("TransactWriteItems", "GetItem", 1);
    body_of(&forward(engine, get.as_bytes()).await?)?.get("Item").cloned()
}

/// A request with another body.
fn with_body(request: &[u8], body: &Value) -> Option<Vec<u8>> {
    let body = body.to_string();
    let lines = head(request)?.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    let head = lines.collect::<Vec<_>>().join("\r\n");
    Some(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
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
