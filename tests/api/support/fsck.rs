//! `make fsck` on a local table: the real binary and what it reports.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::process::Command;

/// The report of one run.
#[derive(Debug)]
pub struct Checked {
    pub status: i32,
    /// All lines but the last, sorted: clients are checked in parallel.
    pub findings: Vec<String>,
    /// The last line.
    pub closing: String,
    pub error: String,
    /// The peak of its memory, in megabytes.
    pub peak: f64,
}

impl Checked {
    #[track_caller]
    pub fn expect_healthy(&self) {
        assert!(self.status == 0 && self.findings.is_empty() && self.closing.starts_with("healthy: "), "{self:?}");
    }
}

/// Builds the binary, because `cargo test --test api` alone does not.
pub fn build_fsck() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--bin", "fsck"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
        Path::new(env!("CARGO_BIN_EXE_project-flows")).with_file_name("fsck")
    })
}

/// Checks the table of this name in the database at `url`.
pub async fn fsck(url: &str, table: &str) -> Checked {
    fsck_with(url, &[("TABLE_NAME", table)]).await
}

/// Runs a check with these variables in its environment.
pub async fn fsck_with(url: &str, variables: &[(&str, &str)]) -> Checked {
    let process = Command::new(build_fsck())
        .env_clear()
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_ENDPOINT_URL_DYNAMODB", url)
        .env("READ_UNITS_PER_SECOND", "1000000")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", process.id().unwrap());
    let output = process.wait_with_output();
    tokio::pin!(output);
    let mut peak = 0.0;
    let output = loop {
        match tokio::time::timeout(Duration::from_millis(5), &mut output).await {
            Ok(output) => break output.unwrap(),
            Err(_) => peak = peak_memory(&status).unwrap_or(peak),
        }
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut findings: Vec<_> = text.lines().map(str::to_owned).collect();
    let closing = findings.pop().unwrap_or_default();
    findings.sort();
    let error = String::from_utf8(output.stderr).unwrap();
    Checked { status: output.status.code().unwrap(), findings, closing, error, peak }
}

/// The peak memory of a process in megabytes, from its file `status` under `/proc`.
fn peak_memory(status: &str) -> Option<f64> {
    let status = std::fs::read_to_string(status).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1_024.0)
}
