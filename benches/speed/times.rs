//! Measures times, memory and size. Starts new processes of all contestants in turns, and sends each a first event and more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::contestants::Contestant;
use crate::lambda::{Function, Share};

const STARTS: usize = 15;
const WARM: u32 = 200;
/// The number of starts from files that are not in the page cache.
const COLD_STARTS: usize = 5;
/// The number of starts and of requests at a share of a processor.
const HELD_STARTS: usize = 5;
const HELD_WARM: u32 = 40;
/// The memory sizes that give these shares, in megabytes.
const MEMORIES: [u32; 3] = [128, 256, 512];

/// The results of one contestant: medians, in milliseconds and megabytes.
#[derive(Serialize)]
pub struct Times {
    pub name: &'static str,
    /// From the start of its process to its first request for an event.
    pub start: f64,
    /// The same, if its files must be read from the disk.
    pub cold_start: f64,
    /// From the first event to its answer.
    pub first_answer: f64,
    /// The same for later events.
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    /// The processor time of a later event.
    pub cpu: f64,
    /// The peak memory of all its processes.
    pub memory: f64,
    /// The size of the package.
    pub package: f64,
    /// The same at the processor share of each memory size; empty if the machine does not allow control groups.
    pub held: Vec<Held>,
}

/// Times at a share of a processor.
#[derive(Serialize)]
pub struct Held {
    pub megabytes: u32,
    pub first_answer: f64,
    pub p50: f64,
}

/// The results of one process.
struct Run {
    start: Duration,
    first_answer: Duration,
    warm: Vec<Duration>,
    cpu: Duration,
    memory: f64,
}

/// Starts all contestants in turns.
pub async fn measure(contestants: &mut [Contestant], event: &str, scratch: &Path) -> Vec<Times> {
    let mut runs: Vec<Vec<Run>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut cold: Vec<Vec<Duration>> = contestants.iter().map(|_| Vec::new()).collect();
    for round in 0..STARTS {
        for (contestant, (runs, cold)) in contestants.iter_mut().zip(runs.iter_mut().zip(&mut cold)) {
            runs.push(run(&mut contestant.command, event, WARM, None).await);
            if round < COLD_STARTS {
                forget(&contestant.read);
                let function = Function::start(&mut contestant.command).await;
                cold.push(function.first_poll);
                function.kill();
            }
        }
    }
    let mut times = Vec::new();
    for (contestant, (runs, cold)) in contestants.iter_mut().zip(runs.into_iter().zip(cold)) {
        let mut held = Vec::new();
        for (megabytes, share) in MEMORIES.iter().filter_map(|megabytes| Some((*megabytes, Share::of(*megabytes)?))) {
            let mut runs = Vec::new();
            for _ in 0..HELD_STARTS {
                runs.push(run(&mut contestant.command, event, HELD_WARM, Some(&share)).await);
            }
            let first_answer = median(runs.iter().map(|run| run.first_answer));
            held.push(Held { megabytes, first_answer, p50: percentile(&runs, 50) });
        }
        times.push(Times {
            name: contestant.name,
            start: median(runs.iter().map(|run| run.start)),
            cold_start: median(cold.into_iter()),
            first_answer: median(runs.iter().map(|run| run.first_answer)),
            p50: percentile(&runs, 50),
            p90: percentile(&runs, 90),
            p99: percentile(&runs, 99),
            cpu: median(runs.iter().map(|run| run.cpu)),
            memory: runs.iter().map(|run| run.memory).fold(0.0, f64::max),
            package: zipped(&contestant.package, scratch),
            held,
        });
    }
    times
}

/// Runs one process: its start, its first event, more events, and its end. The share of a processor applies only after the
/// start, because Lambda gives a start a whole processor.
async fn run(command: &mut Command, event: &str, warm: u32, share: Option<&Share>) -> Run {
    let mut function = Function::start(command).await;
    let start = function.first_poll;
    if let Some(share) = share {
        share.hold(&function);
    }
    let (first_answer, answer) = function.invoke(event).await;
    assert!(!answer.starts_with("error") && !answer.contains(r#""error\""#), "{command:?}: {answer}");
    let before = function.cpu();
    let mut durations = Vec::new();
    for _ in 0..warm {
        durations.push(function.invoke(event).await.0);
    }
    let cpu = function.cpu().saturating_sub(before) / warm;
    let memory = function.peak();
    function.kill();
    Run { start, first_answer, warm: durations, cpu, memory }
}

/// Drops files, and all files in folders, from the page cache.
fn forget(paths: &[PathBuf]) {
    const SCRIPT: &str = "
import os, sys
def forget(path):
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
for path in sys.argv[1:]:
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            [forget(found) for name in names if os.path.isfile(found := os.path.join(folder, name))]
    else:
        forget(path)
";
    let dropped = Command::new("python3").args(["-c", SCRIPT]).args(paths).status();
    assert!(dropped.is_ok_and(|status| status.success()), "{paths:?}");
}

/// The size of a zip of it, in megabytes.
#[expect(clippy::cast_precision_loss, reason = "it is printed with three digits")]
fn zipped(package: &Path, scratch: &Path) -> f64 {
    let zip: PathBuf = scratch.join("package.zip");
    let made = Command::new("python3").args(["-m", "zipfile", "-c"]).args([&zip, package]).status();
    assert!(made.is_ok_and(|status| status.success()), "{}", package.display());
    fs::metadata(zip).unwrap().len() as f64 / 1e6
}

fn percentile(runs: &[Run], percent: usize) -> f64 {
    let mut durations: Vec<_> = runs.iter().flat_map(|run| run.warm.iter().copied()).collect();
    durations.sort_unstable();
    milliseconds(durations[(durations.len() - 1) * percent / 100])
}

pub fn median(durations: impl Iterator<Item = Duration>) -> f64 {
    let mut durations: Vec<_> = durations.collect();
    durations.sort_unstable();
    milliseconds(durations[durations.len() / 2])
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
