//! Measures requests per second by the number of concurrent requests, as on Lambda Managed Instances. While the database
//! works, the process handles other requests.

use std::process::Command;
use std::time::Duration;

use serde::Serialize;

use crate::database::Front;
use crate::lambda::Function;

/// The time of a call to the database, about as long as with DynamoDB.
const DATABASE: Duration = Duration::from_millis(5);
const CONCURRENCIES: [u32; 3] = [1, 8, 64];
/// The number of requests for each concurrent one.
const EACH: u32 = 150;

/// Requests per second.
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
        // Warms up: opens the connections and reads the code.
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
