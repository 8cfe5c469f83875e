//! Compares the speed of the function with an empty function, the bare SDK, Node.js and Python: `make bench`.
//!
//! It plays Lambda's Runtime API and a database behind TLS, so that it measures the function alone. All contestants answer
//! the same event in turns in one run: the machine is shared, so only the ratios are reliable. `make check-speed` counts
//! instructions instead, which hardly depend on other processes. docs/performance.md shows the results.

// A benchmark that cannot go on has failed, so a panic is right.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod contestants;
mod database;
mod freeze;
mod instructions;
mod lambda;
mod operations;
mod report;
mod throughput;
mod times;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use contestants::Stage;
use database::Front;
use instructions::Instructions;
use network::http;
use operations::{OPERATIONS, Operation};
use report::Report;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The committed instructions of each operation: for the first answer, and for each later one.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");
/// The latest measured times.
const TIMES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed.json");
/// The drawing of these times in docs/performance.md.
const DRAWING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/speed.svg");
/// How far the committed instructions may be exceeded, in per cent.
const TOLERANCE: u64 = 3;
/// How often a figure that is too high is counted again.
const RECOUNTS: usize = 3;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let front = database::serve(scratch).await;
    let stage = Stage { database: front.url.clone(), folder: scratch.to_owned() };
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => times(&stage, &front, scratch).await,
        ["freeze"] => freeze::measure(&mut stage.ours(), &OPERATIONS[0].event(), &front).await,
        ["instructions", ref names @ ..] => compare(&stage, scratch, names).await,
        ["record"] => record(&stage, scratch).await,
        ["check"] => return check(&stage, scratch).await,
        _ => {
            eprintln!(
                "error: expected nothing, `freeze`, `check`, `record`, or `instructions` and names of operations"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Measures times, memory and size of a create for all contestants; writes a file and draws.
async fn times(stage: &Stage, front: &Front, scratch: &Path) {
    let event = OPERATIONS[0].event();
    let contestants = times::measure(&mut stage.contestants(), &event, scratch).await;
    let throughput = throughput::measure(|| stage.ours(), &event, front).await;
    let report = Report { contestants, throughput };
    print!("{}", report.table());
    fs::write(TIMES, serde_json::to_string_pretty(&report).unwrap() + "\n").unwrap();
    fs::write(DRAWING, report.drawing()).unwrap();
}

/// Counts the instructions of each operation, of two at a time: other processes hardly change the counts.
async fn count(stage: &Stage, scratch: &Path) -> BTreeMap<&'static str, Instructions> {
    let mut counted = BTreeMap::new();
    for pair in OPERATIONS.chunks(2) {
        let mut counts = JoinSet::new();
        for operation in pair {
            let (name, count) = (operation.name, count_one(stage, scratch, operation));
            counts.spawn(async move { (name, count.await) });
        }
        counted.extend(counts.join_all().await);
    }
    counted
}

fn count_one(stage: &Stage, scratch: &Path, operation: &Operation) -> impl Future<Output = Instructions> + use<> {
    let profile = scratch.join(format!("cachegrind.{}", operation.name));
    let (command, event) = (stage.ours(), operation.event());
    async move { instructions::count(&command, &event, &profile).await }
}

/// Compares with the committed figures; fails if one is too high.
async fn check(stage: &Stage, scratch: &Path) -> ExitCode {
    let committed: Value = serde_json::from_str(&fs::read_to_string(COMMITTED).unwrap()).unwrap();
    let expected = |name: &str, kind: &str| {
        committed[name][kind].as_u64().unwrap_or_else(|| panic!("{name}: no committed figure"))
    };
    let is_high = |name: &str, kind: &str, found: u64| found * 100 > expected(name, kind) * (100 + TOLERANCE);
    let mut too_high = 0;
    println!("{:10} {:>24} {:>24}", "operation", "first answer", "each after it");
    let mut counted = count(stage, scratch).await;
    for operation in OPERATIONS.iter() {
        let name = operation.name;
        let found = counted.get_mut(name).unwrap();
        // On a busy machine a call can time out and be repeated, every time. So what is too high is counted again, alone.
        for _ in 0..RECOUNTS {
            if is_high(name, "first", found.first) || is_high(name, "warm", found.warm) {
                let again = count_one(stage, scratch, operation).await;
                *found = Instructions { first: found.first.min(again.first), warm: found.warm.min(again.warm) };
            }
        }
        let mut figure = |kind: &str, found: u64| {
            let high = is_high(name, kind, found);
            too_high += u32::from(high);
            let sign = if high { "!" } else { " " };
            #[expect(clippy::cast_precision_loss, reason = "it is printed with two digits")]
            let percent = (found as f64 / expected(name, kind) as f64 - 1.0) * 100.0;
            format!("{found:>14} {percent:>+6.2} %{sign}")
        };
        println!("{name:10} {} {}", figure("first", found.first), figure("warm", found.warm));
    }
    if too_high > 0 {
        eprintln!("error: {too_high} figures are more than {TOLERANCE} % above those of benches/instructions.json");
        eprintln!("where they are owed, `make check-speed RECORD=1` writes them anew");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Writes the figures that later runs are compared with.
async fn record(stage: &Stage, scratch: &Path) {
    let mut figures = json!({});
    for (name, Instructions { first, warm }) in count(stage, scratch).await {
        figures[name] = json!({ "first": first, "warm": warm });
    }
    fs::write(COMMITTED, format!("{figures:#}\n")).unwrap();
    println!("{figures:#}");
}

/// Compares the function with the bare calls of the SDK, in the named operations or in all.
async fn compare(stage: &Stage, scratch: &Path, names: &[&str]) {
    println!(
        "{:10} {:>14} {:>14} {:>12} {:>12} {:>10}",
        "operation", "first", "first, raw", "warm", "warm, raw", "above"
    );
    for operation in OPERATIONS.iter().filter(|operation| names.is_empty() || names.contains(&operation.name)) {
        let profile = scratch.join(format!("cachegrind.{}", operation.name));
        let event = operation.event();
        let ours = instructions::count(&stage.ours(), &event, &profile).await;
        let raw = instructions::count(&stage.raw(operation.calls), &event, &scratch.join("cachegrind.raw")).await;
        println!(
            "{:10} {:>14} {:>14} {:>12} {:>12} {:>10}",
            operation.name,
            ours.first,
            raw.first,
            ours.warm,
            raw.warm,
            i64::try_from(ours.warm).unwrap() - i64::try_from(raw.warm).unwrap(),
        );
    }
}
