//! Counts instructions with valgrind. The counts hardly vary between runs, unless the machine is so busy that calls time out
//! and are repeated. So each run is done three times, and the smallest count is used.
//!
//! The cost of a warm request is the difference between two runs, with 110 and with 10 warm requests, divided by 100.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::lambda::Function;

const FEW: u64 = 10;
const MANY: u64 = 110;
const TIMES: usize = 3;

/// The instructions of one contestant for one operation.
#[derive(Debug, Clone, Copy)]
pub struct Instructions {
    /// From the start to the first answer.
    pub first: u64,
    /// For each later request.
    pub warm: u64,
}

/// Counts. valgrind runs `command`, which starts the contestant, and writes the counts of each function to `profile`.
pub async fn count(command: &Command, event: &str, profile: &Path) -> Instructions {
    let [mut first, mut few, mut many] = [u64::MAX; 3];
    for _ in 0..TIMES {
        first = first.min(run(command, event, 1, profile).await);
        few = few.min(run(command, event, 1 + FEW, profile).await);
        many = many.min(run(command, event, 1 + MANY, profile).await);
    }
    Instructions { first, warm: (many - few) / (MANY - FEW) }
}

/// All instructions of a process that answers this number of requests.
async fn run(command: &Command, event: &str, requests: u64, profile: &Path) -> u64 {
    let mut valgrind = Command::new("valgrind");
    // Not callgrind: it is slower, so a handshake can outlast the timeout of a connection, and is counted twice.
    valgrind.args(["--quiet", "--tool=cachegrind", "--cache-sim=no"]);
    // A file takes valgrind's warnings of the processor's caches, which are not simulated.
    valgrind.arg(format!("--log-file={}.log", profile.display()));
    valgrind.arg(format!("--cachegrind-out-file={}", profile.display()));
    valgrind.arg(command.get_program()).args(command.get_args()).env_clear();
    valgrind.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut function = Function::start(&mut valgrind).await;
    for _ in 0..requests {
        let (_, answer) = function.invoke(event).await;
        assert!(!answer.starts_with("error"), "{answer}");
    }
    function.end().await;
    let profile = fs::read_to_string(profile).expect("what valgrind has counted");
    let total = profile.lines().find_map(|line| line.strip_prefix("summary: ")).expect("a total");
    total.trim().parse().unwrap()
}
