//! The request after a freeze: what it takes when its connections to the database were kept, closed or forgotten while
//! the process stood still.

use std::process::Command;
use std::time::Duration;

use crate::database::{Front, Rest};
use crate::lambda::Function;
use crate::times::median;

const TRIALS: usize = 15;
/// What a closing takes to arrive.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than the function lets a connection rest.
const LONG: Duration = Duration::from_secs(305);

/// Prints the time from the thaw to the answer.
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
    // The event is there before the process is, as on Lambda.
    function.hand_out(event);
    tokio::time::sleep(PAUSE).await;
    let begin = std::time::Instant::now();
    function.signal("CONT");
    let (end, answer) = function.answer().await;
    assert!(answer.contains("201"), "{answer}");
    function.kill();
    end - begin
}
