//! Looks again at what seems off, before it is reported: the function may be writing it.

use std::time::Duration;

use crate::report::Report;
use crate::table::Unfinished;

/// The looks at what may be in a transaction, and the pause between them. Together they take longer than `DynamoDB` needs
/// to finish a stalled transaction.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// One look at a flow or a place.
pub struct Look {
    pub findings: Vec<String>,
    /// Whether it looks as it does while only one of a transaction's writes is visible: reads of two items are no snapshot.
    pub is_half_way: bool,
}

/// Looks again and reports the findings. If a transaction may be under way, only findings of every look count.
pub async fn again<F: Future<Output = Result<Look, Unfinished>>>(
    report: &Report,
    place: &str,
    look: impl Fn() -> F,
) -> Result<(), Unfinished> {
    let Look { mut findings, mut is_half_way } = look().await?;
    for _ in 1..LOOKS {
        if !is_half_way || findings.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let next = look().await?;
        findings.retain(|says| next.findings.contains(says));
        is_half_way = next.is_half_way;
    }
    for says in &findings {
        report.finding(place, says);
    }
    Ok(())
}
