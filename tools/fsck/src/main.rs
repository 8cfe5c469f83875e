//! Checks that a table is sound. It only reads, and prints a line for each finding: what was expected, what was found, and
//! where. docs/restore.md says what it checks, what it costs and which permissions it needs.
//!
//! ```sh
//! TABLE_NAME=… cargo run --bin fsck
//! ```
//!
//! Exit status 0: nothing found. 1: findings. 2: it could not finish.
//!
//! This file starts up and goes from client to client, eight at a time; `partition` checks the items of one. It reads flows
//! and their histories side by side, in the order of their ids, and then places, releases and reviews. So it holds one flow or
//! place at a time, and a page of 250 items from each side. An index has another order: both sides are added up in 1,024
//! sums, and single items are compared only where the sums differ.
//!
//! Memory and time of a debug build at full pace, on a local engine and two shared cores (`make fsck-at-scale`). One flow in ten
//! has three earlier versions, and two releases in a place of its own:
//!
//! | Flows | Clients | Items | Peak memory | Read units | Time |
//! |---|---|---|---|---|---|
//! | 1,000 | 1 | 1,600 | 19.5 MB | 832 | 2.4 s |
//! | 10,000 | 1 | 16,000 | 19.9 MB | 8,280 | 15.6 s |
//! | 1,000 | 100 | 1,600 | 17.9 MB | 1,302 | 2.4 s |
//! | 10,000 | 1,000 | 16,000 | 17.7 MB | 13,002 | 16.7 s |

mod index;
mod life;
mod list;
mod live;
mod look;
mod partition;
mod place;
mod releases;
mod report;
mod table;

use std::collections::BTreeSet;
use std::env;
use std::process::ExitCode;
use std::sync::Arc;

use aws_config::BehaviorVersion;
use tokio::task::JoinSet;

use index::Expected;
use place::INDEXES;
use report::Report;
use table::{Part, Table, Unfinished};

/// How many clients are checked at the same time. Clients with few flows mostly wait for answers.
const AT_A_TIME: usize = 8;
/// A third of the limit of a partition, so that the function can still read.
const READ_UNITS_PER_SECOND: f64 = 1_000.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let report = Arc::new(Report::default());
    match run(&report).await {
        Ok(read_units) => {
            report.remark();
            let counts = format!("{}, read units {read_units:.0}", report.counts());
            match report.findings() {
                0 => {
                    println!("healthy: {counts}");
                    ExitCode::SUCCESS
                }
                findings => {
                    println!("findings: {findings} in {counts}");
                    ExitCode::from(1)
                }
            }
        }
        Err(Unfinished(reason)) => {
            eprintln!("could not finish: {reason} (findings so far: {}, in {})", report.findings(), report.counts());
            ExitCode::from(2)
        }
    }
}

async fn run(report: &Arc<Report>) -> Result<f64, Unfinished> {
    let name = env::var("TABLE_NAME").ok().filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| Unfinished("TABLE_NAME: expected the name of the table, found nothing".to_owned()))?;
    let sdk = Box::pin(aws_config::defaults(BehaviorVersion::latest()).load()).await;
    let table = Arc::new(Table::new(&sdk, name, read_units_per_second()?));

    let mut checks = JoinSet::new();
    let mut next = table.next_partition(None).await?;
    while let Some(name) = next {
        next = table.next_partition(Some(&name)).await?;
        let (table, report) = (Arc::clone(&table), Arc::clone(report));
        start(&mut checks, async move { partition::check(&table, &report, &name).await }).await?;
    }
    // Clients that are in an index but not in the table.
    let mut strangers = BTreeSet::new();
    for index in &INDEXES {
        let mut next = table.next_indexed_client(index, None).await?;
        while let Some(name) = next {
            next = table.next_indexed_client(index, Some(&name)).await?;
            if !table.walk(Part::whole(&place::partition_of(&name))).any().await? {
                strangers.insert(name);
            }
        }
    }
    for name in strangers {
        let (table, report) = (Arc::clone(&table), Arc::clone(report));
        let expected = Expected::new(Some(&name));
        start(&mut checks, async move { index::check(&table, &report, &name, &expected).await }).await?;
    }
    while let Some(ended) = checks.join_next().await {
        ended.map_err(|error| Unfinished(error.to_string()))??;
    }
    Ok(table.read_units().await)
}

/// Starts a check as soon as fewer than [`AT_A_TIME`] are running.
async fn start(
    checks: &mut JoinSet<Result<(), Unfinished>>,
    check: impl Future<Output = Result<(), Unfinished>> + Send + 'static,
) -> Result<(), Unfinished> {
    if checks.len() >= AT_A_TIME
        && let Some(ended) = checks.join_next().await
    {
        ended.map_err(|error| Unfinished(error.to_string()))??;
    }
    checks.spawn(check);
    Ok(())
}

fn read_units_per_second() -> Result<f64, Unfinished> {
    const NAME: &str = "READ_UNITS_PER_SECOND";
    let Ok(text) = env::var(NAME) else { return Ok(READ_UNITS_PER_SECOND) };
    let pace = text.parse().ok().filter(|pace| *pace >= 1.0 && f64::is_finite(*pace));
    pace.ok_or_else(|| Unfinished(format!("{NAME}: expected a number from 1, found {text:?}")))
}
