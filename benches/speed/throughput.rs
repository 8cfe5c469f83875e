//! Requests a second by how many are under way at a time, as on Lambda Managed Instances: the database takes its time, and
//! the process has the next request in hand meanwhile.

use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::database::Front;
use crate::lambda::Function;

/// What the database takes for a call, about as long as DynamoDB.
const DATABASE: Duration = Duration::from_millis(5);
const CONCURRENCIES: [u32; 3] = [1, 8, 64];
/// Requests for each that is under way.
const EACH: u32 = 150;

/// Requests a second.
#[derive(Serialize)]
pub struct Throughput {
    pub concurrency: u32,
    pub requests_per_second: f64,
    /// The processor time of a request, in milliseconds.
    pub cpu: f64,
}

/// Measures each concurrency once.
pub async fn measure(command: impl Fn() -> Command, event: &str, front: &Front) -> Vec<Throughput> {
    front.answer_after(DATABASE);
    let mut measured = Vec::new();
    for concurrency in CONCURRENCIES {
        let mut command = command();
        if concurrency > 1 {
            command.env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
        }
        let mut function = Function::start(&mut command).await;
        // The connections are open, and the code is read.
        answer(&mut function, event, concurrency).await;
        let before = function.cpu();
        let begin = std::time::Instant::now();
        let requests = concurrency * EACH;
        answer(&mut function, event, requests).await;
        let requests_per_second = f64::from(requests) / begin.elapsed().as_secs_f64();
        let cpu = function.cpu().saturating_sub(before).as_secs_f64() * 1_000.0 / f64::from(requests);
        function.kill();
        measured.push(Throughput { concurrency, requests_per_second, cpu });
    }
    front.answer_after(Duration::ZERO);
    measured
}

async fn answer(function: &mut Function, event: &str, requests: u32) {
    for _ in 0..requests {
        function.hand_out(event);
    }
    for _ in 0..requests {
        let (_, answer) = function.answer().await;
        assert!(answer.contains("201"), "{answer}");
    }
}
