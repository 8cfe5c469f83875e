//! Plays Lambda for one process: the Runtime API, which gives events and takes answers, and a share of a processor.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use crate::http::{body, head, read_message};

/// The longest start, which must also fit a run under valgrind.
const PATIENCE: Duration = Duration::from_mins(2);

/// A process that polls for events.
pub struct Function {
    process: Child,
    /// From the start of the process to its first request for an event.
    pub first_poll: Duration,
    events: mpsc::UnboundedSender<String>,
    answers: mpsc::UnboundedReceiver<(Instant, String)>,
    handed_out: mpsc::UnboundedReceiver<Instant>,
    number: u64,
}

/// The queues of events and answers that the connections of the Runtime API share.
struct Shared {
    polls: mpsc::UnboundedSender<Instant>,
    events: Mutex<mpsc::UnboundedReceiver<String>>,
    handed_out: mpsc::UnboundedSender<Instant>,
    answers: mpsc::UnboundedSender<(Instant, String)>,
}

impl Function {
    /// Starts `command`, and waits for it to ask for an event.
    pub async fn start(command: &mut Command) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (polls, mut polled) = mpsc::unbounded_channel();
        let (events, next) = mpsc::unbounded_channel();
        let (out, handed_out) = mpsc::unbounded_channel();
        let (answered, answers) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { polls, events: Mutex::new(next), handed_out: out, answers: answered });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        let begin = Instant::now();
        let process = command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).stdout(Stdio::null()).spawn().unwrap();
        let poll = tokio::time::timeout(PATIENCE, polled.recv()).await;
        let poll = poll.unwrap_or_else(|_| panic!("no poll: {command:?}")).unwrap();
        Self { process, first_poll: poll - begin, events, answers, handed_out, number: 0 }
    }

    /// Gives an event to the process; returns the time until the answer, and the answer.
    pub async fn invoke(&mut self, event: &str) -> (Duration, String) {
        self.hand_out(event);
        let begin = self.handed_out.recv().await.unwrap();
        let (end, answer) = self.answer().await;
        (end - begin, answer)
    }

    /// Queues an event for the next poll.
    pub fn hand_out(&mut self, event: &str) {
        self.number += 1;
        let head = format!(
            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-{:012x}\r\n\
             lambda-runtime-deadline-ms: 4102444800000\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
             lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.number,
            event.len()
        );
        self.events.send(head + event).unwrap();
    }

    pub async fn answer(&mut self) -> (Instant, String) {
        tokio::time::timeout(PATIENCE, self.answers.recv()).await.expect("an answer in time").unwrap()
    }

    /// The processor time that the process has used.
    pub fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let nanoseconds = threads.filter_map(|thread| {
            let statistics = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            statistics.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// The peak memory of the process, in megabytes.
    pub fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u32 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        f64::from(kibibytes) / 1_024.0
    }

    /// Freezes the process (`STOP`), or lets it go on (`CONT`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{name}");
    }

    /// Closes the Runtime API, so that the process ends by itself and valgrind prints its counts.
    pub async fn end(self) {
        let Self { mut process, events, answers, .. } = self;
        drop((events, answers));
        let deadline = Instant::now() + PATIENCE;
        while process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// One connection to the Runtime API ("Using the Lambda runtime API" in the AWS Lambda Developer Guide).
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    loop {
        let request = read_message(&mut stream).await?;
        let head = head(&request)?;
        if head.starts_with("GET") {
            let _ = shared.polls.send(Instant::now());
            let event = shared.events.lock().await.recv().await?;
            let _ = shared.handed_out.send(Instant::now());
            stream.write_all(event.as_bytes()).await.ok()?;
        } else {
            let end = Instant::now();
            let body = String::from_utf8_lossy(body(&request)?).into_owned();
            let kind = if head.lines().next()?.contains("/error") { "error: " } else { "" };
            let _ = shared.answers.send((end, format!("{kind}{body}")));
            stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.ok()?;
        }
    }
}

/// A control group that limits its processes to a share of one processor. Lambda sets that share by memory: 1,769 MB is one
/// processor ("Configure Lambda function memory" in the AWS Lambda Developer Guide).
pub struct Share(PathBuf);

impl Share {
    const GROUPS: &str = "/sys/fs/cgroup/cpu";

    /// The share for this memory size, or `None` if the machine does not allow control groups.
    pub fn of(megabytes: u32) -> Option<Self> {
        let share = Self(PathBuf::from(Self::GROUPS).join(format!("project-flows-{megabytes}")));
        fs::create_dir_all(&share.0).ok()?;
        let period = 20_000;
        fs::write(share.0.join("cpu.cfs_period_us"), period.to_string()).ok()?;
        fs::write(share.0.join("cpu.cfs_quota_us"), (period * megabytes / 1_769).to_string()).ok()?;
        Some(share)
    }

    /// Limits a function to this share from now on.
    pub fn hold(&self, function: &Function) {
        fs::write(self.0.join("cgroup.procs"), function.process.id().to_string()).unwrap();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The kernel keeps the group until its last process has ended.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
