//! Times, memory and size: processes of all contestants in turns, each started anew, given a first event and some more.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::lambda::{Function, Share};

const STARTS: usize = 15;
const WARM: u32 = 200;

/// Someone who answers the event.
pub struct Contestant {
    pub name: &'static str,
    pub command: Command,
    /// What it is started from, which is dropped from the machine's memory before a cold start.
    pub files: Vec<PathBuf>,
}

/// What the starts of one contestant showed: medians, in milliseconds and megabytes.
#[derive(Default)]
pub struct Times {
    pub first_poll: f64,
    pub cold_poll: f64,
    pub first_answer: f64,
    pub warm: [f64; 3],
    pub cpu: f64,
    pub peak: f64,
}

/// What one process showed.
struct Start {
    first_poll: Duration,
    first_answer: Duration,
    warm: Vec<Duration>,
    cpu: Duration,
    peak: f64,
}

/// Starts all of them in turns.
pub async fn measure(contestants: &mut [Contestant], event: &str) -> Vec<Times> {
    let mut starts: Vec<Vec<Start>> = contestants.iter().map(|_| Vec::new()).collect();
    let mut cold: Vec<Vec<Duration>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..STARTS {
        for (contestant, (starts, cold)) in contestants.iter_mut().zip(starts.iter_mut().zip(&mut cold)) {
            starts.push(start(&mut contestant.command, event).await);
            forget(&contestant.files);
            let function = Function::start(&mut contestant.command).await;
            cold.push(function.first_poll);
            function.kill();
        }
    }
    let times = |(starts, cold): (Vec<Start>, Vec<Duration>)| {
        let mut warm: Vec<_> = starts.iter().flat_map(|start| start.warm.iter().copied()).collect();
        warm.sort_unstable();
        let percentile = |percent: usize| milliseconds(warm[(warm.len() - 1) * percent / 100]);
        Times {
            first_poll: milliseconds(median(starts.iter().map(|start| start.first_poll))),
            cold_poll: milliseconds(median(cold.into_iter())),
            first_answer: milliseconds(median(starts.iter().map(|start| start.first_answer))),
            warm: [50, 90, 99].map(percentile),
            cpu: milliseconds(median(starts.iter().map(|start| start.cpu))),
            peak: starts.iter().map(|start| start.peak).fold(0.0, f64::max),
        }
    };
    starts.into_iter().zip(cold).map(times).collect()
}

/// One process: its start, its first event, some more, and its end.
async fn start(command: &mut Command, event: &str) -> Start {
    let mut function = Function::start(command).await;
    let first_poll = function.first_poll;
    let (first_answer, answer) = function.invoke(event).await;
    assert!(!answer.starts_with("error"), "{answer}");
    let before = function.cpu();
    let mut warm = Vec::new();
    for _ in 0..WARM {
        warm.push(function.invoke(event).await.0);
    }
    let cpu = function.cpu().saturating_sub(before) / WARM;
    let peak = function.peak();
    function.kill();
    Start { first_poll, first_answer, warm, cpu, peak }
}

/// From the first event to its answer, for a function that is held to the share of a processor that its memory gives it
/// once it has started: Lambda gives a start a whole one. `None` where the machine does not let us.
pub async fn first_answer_at(command: &mut Command, event: &str, megabytes: u32) -> Option<f64> {
    let share = Share::of(megabytes)?;
    let mut answers = Vec::new();
    for _ in 0..STARTS {
        let mut function = Function::start(command).await;
        share.hold(&function);
        answers.push(function.invoke(event).await.0);
        function.kill();
    }
    Some(milliseconds(median(answers.into_iter())))
}

/// Drops files from the page cache.
fn forget(files: &[PathBuf]) {
    for file in files {
        let mut input = std::ffi::OsString::from("if=");
        input.push(file);
        let dropped = Command::new("dd").arg(input).args(["iflag=nocache", "count=0", "status=none"]).status();
        assert!(dropped.is_ok_and(|status| status.success()), "{}", file.display());
    }
}

/// The size of a contestant's files, in megabytes.
#[expect(clippy::cast_precision_loss, reason = "it is printed with three digits")]
pub fn size(files: &[PathBuf]) -> f64 {
    files.iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>() as f64 / 1e6
}

fn median<T: Ord + Copy>(figures: impl Iterator<Item = T>) -> T {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
