//! Requests through a network and a database that fail. `make faults` prints the tables.

mod create;
mod deadline;
mod outage;
mod release;
mod times;
mod update;
mod windows;

use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::proxy::{Fault, Loss, When};
use crate::support::{Answer, Api, Request};

/// The database does the call, and its answer is lost.
pub const fn lost(loss: Loss) -> Fault {
    Fault::Lost(When::AfterCommit, loss)
}

/// The call is lost before the database does it.
pub const fn unsent(loss: Loss) -> Fault {
    Fault::Lost(When::BeforeCommit, loss)
}

/// The database refuses the call for now.
pub const fn throttled(code: &'static str) -> Fault {
    Fault::Error(400, code, "slow down")
}

/// The database refuses the call for the time of its signature.
const EXPIRED: Fault = Fault::Error(
    400,
    "InvalidSignatureException",
    "Signature expired: 20240115T103000Z is now earlier than 20240115T103500Z (20240115T104000Z - 5 min.)",
);

/// More faults than a request has attempts.
fn always(fault: Fault) -> Vec<Fault> {
    vec![fault; 1_000]
}

const UNAVAILABLE: &str = "TEMPORARILY_UNAVAILABLE";
const UNKNOWN: &str = "OUTCOME_UNKNOWN";

/// How long `DynamoDB` takes to finish a transaction that has stalled.
const STALL: Duration = Duration::from_secs(5);

/// The time that a request has.
const DEADLINE: Duration = Duration::from_secs(10);

/// The faults that one request meets, and what must come of it.
struct Row {
    name: &'static str,
    /// One for each write, in turn.
    writes: Vec<Fault>,
    /// One for each read, in turn.
    reads: Vec<Fault>,
    status: i64,
    /// The code of a failure; a success has none.
    code: &'static str,
    /// How many items the table has after the answer: one for each version of each flow.
    items: usize,
}

fn row(name: &'static str, writes: Vec<Fault>, status: i64, code: &'static str, items: usize) -> Row {
    Row { name, writes, reads: Vec::new(), status, code, items }
}

impl Row {
    /// Sends the request, and checks the answer and the number of items.
    async fn expect_answer(&self, api: &Api, request: &Request) -> Met {
        let start = Instant::now();
        let answer = api.send_before(request, DEADLINE).await;
        let time = start.elapsed();
        assert!(time < DEADLINE, "an answer before the deadline");
        expect(&answer, self.status, self.code);
        let items = api.engine.items().len();
        assert_eq!(items, self.items, "the items of the table");
        Met { answer, items, time }
    }
}

/// What came of a row.
struct Met {
    answer: Answer,
    /// The items of the table after the answer.
    items: usize,
    time: Duration,
}

#[track_caller]
fn expect(answer: &Answer, status: i64, code: &str) {
    let found = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((answer.status, found.as_str()), (status, code), "{answer:?}");
    assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
    answer.expect_headers();
}

/// Does something when it is its turn: most of it waits, but an attempt has a second, and processors are few.
async fn in_turn<T>(meeting: impl Future<Output = T>) -> T {
    static TURNS: Semaphore = Semaphore::const_new(16);
    let _turn = TURNS.acquire().await.expect("a turn");
    meeting.await
}

/// Waits for the meetings, which run in parallel, and prints a line for each.
async fn print_table(title: &str, meetings: Vec<(String, impl Future<Output = Met> + Send + 'static)>) {
    let meetings: Vec<_> = meetings.into_iter().map(|(name, meeting)| (name, tokio::spawn(in_turn(meeting)))).collect();
    println!("{title:48} {:30} {:>5} {:>8}", "answer", "items", "time");
    for (name, meeting) in meetings {
        let Met { answer, items, time } = meeting.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let code = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        println!("{name:48} {:30} {items:5} {:5} ms", format!("{} {code}", answer.status), time.as_millis());
    }
}
