//! Measures the first request after a freeze, with connections to the database that were kept, closed or forgotten while
//! the process was frozen.

use std::process::Command;
use std::time::Duration;

use crate::database::{Front, Rest};
use crate::lambda::Function;
use crate::times::median;

const TRIALS: usize = 15;
/// How long the closing of a connection takes to arrive.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than the function keeps an idle connection.
const LONG: Duration = Duration::from_secs(305);

/// Prints the time from the end of the freeze to the answer.
pub async fn measure(command: &mut Command, event: &str, front: &Front) {
    println!("{:40} {:>10}", "the connection, while the process is frozen", "answer, ms");
    for (name, rest) in [("is kept", Rest::Kept), ("is closed", Rest::Closed), ("is forgotten", Rest::Forgotten)] {
        let mut answers = Vec::new();
        for _ in 0..TRIALS {
            answers.push(thaw(command, event, front, rest, PAUSE).await);
        }
        println!("{name:40} {:10.2}", median(answers.into_iter()));
    }
    let long = thaw(command, event, front, Rest::Forgotten, LONG).await;
    println!("{:40} {:10.2}", format!("is forgotten in a freeze of {LONG:?}"), median([long].into_iter()));
}

async fn thaw(command: &mut Command, event: &str, front: &Front, rest: Rest, pause: Duration) -> Duration {
    let mut function = Function::start(command).await;
    function.invoke(event).await;
    function.signal("STOP");
    front.let_rest(rest);
    tokio::time::sleep(pause).await;
    // As on Lambda, the event waits before the process goes on.
    function.hand_out(event);
    tokio::time::sleep(PAUSE).await;
    let begin = std::time::Instant::now();
    function.signal("CONT");
    let (end, answer) = function.answer().await;
    assert!(answer.contains("201"), "{answer}");
    function.kill();
    end - begin
}
