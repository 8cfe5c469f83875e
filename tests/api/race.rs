//! Many writers on one flow, and a judge of the answers. `make race` runs them at length.
//!
//! Each update sets one member to a text of its own, so the history shows which call wrote which version. The judge gets
//! the requests, their times, their answers and the table at the end. It knows nothing of the function. The writers also
//! read the history and repeat the create: neither may show half of a transaction.

mod releases;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::{lost, throttled, unsent};
use crate::proxy::{Fault, Loss, Proxy, Unseen};
use crate::support::{Answer, Api, Request, page_request};

const WRITERS: usize = 64;
/// Each update sets one of these.
const MEMBERS: [&str; 3] = ["name", "description", "configuration"];

/// A call and its answer. Begin and end are numbers of one clock, which ticks once for each of them.
#[derive(Clone, Debug)]
struct Call {
    begin: u64,
    end: u64,
    /// The version of its precondition, if it had one.
    expected: Option<u64>,
    /// The text that it set its member to; a read has none.
    text: Option<String>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// 200: this version is written.
    Written(u64),
    /// 409 or 412: the flow is at this version.
    Conflict(u64),
    /// 503: nothing is written.
    Unavailable,
    /// 503: something may be written.
    Unknown,
    /// The version that was read.
    Read(u64),
}

/// A version in the table: its number, and the texts of its members.
type Version = (u64, [String; 3]);

/// Returns the first contradiction, if there is one.
fn judge(calls: &[Call], versions: &[Version]) -> Result<(), String> {
    // Versions 1..N, each once.
    for (index, (number, _)) in versions.iter().enumerate() {
        if *number != index as u64 + 1 {
            return Err(format!("expected version {}, found version {number}", index + 1));
        }
    }
    let newest = versions.len() as u64;

    // Each is built on the one before: one member differs, and one call set it.
    let texts: BTreeMap<_, _> = calls.iter().filter_map(|call| Some((call.text.as_deref()?, call))).collect();
    let (mut writers, mut seen): (BTreeMap<u64, &Call>, BTreeMap<&str, &u64>) = Default::default();
    for ((_, before), (number, after)) in versions.iter().zip(versions.iter().skip(1)) {
        let changed: Vec<_> = before.iter().zip(after).filter(|(before, after)| before != after).collect();
        let [(_, text)] = changed[..] else {
            return Err(format!("version {number}: expected one change, found {changed:?}"));
        };
        let writer = texts.get(text.as_str()).ok_or_else(|| format!("version {number}: nobody wrote {text}"))?;
        match writer.told {
            Told::Written(told) if told == *number => {}
            Told::Unknown => {}
            _ => return Err(format!("version {number} is there, and its writer was told otherwise: {writer:?}")),
        }
        if writer.expected.is_some_and(|expected| expected + 1 != *number) {
            return Err(format!("version {number} was bound to another one before it: {writer:?}"));
        }
        if let Some(other) = seen.insert(text.as_str(), number) {
            return Err(format!("versions {other} and {number} have one writer: {writer:?}"));
        }
        writers.insert(*number, writer);
    }

    // A call with an unknown outcome wrote one version or none. No version that a call was told of is lost.
    for call in calls {
        if let Told::Written(version) = call.told
            && !writers.get(&version).is_some_and(|writer| std::ptr::eq(*writer, call))
        {
            return Err(format!("a write is lost: {call:?}"));
        }
    }

    // Real-time order: a call that ended before another one began has the lower version.
    let mut earliest_end = u64::MAX;
    for (number, writer) in writers.iter().rev() {
        if earliest_end < writer.begin {
            return Err(format!("version {number} began after a later one had ended: {writer:?}"));
        }
        if let Told::Written(_) = writer.told {
            earliest_end = earliest_end.min(writer.end);
        }
    }

    // The latest time at which each version existed: the end of the first call that wrote or saw it. A call that saw a
    // later version proves the earlier ones too.
    let mut proved: BTreeMap<u64, u64> = BTreeMap::new();
    for call in calls {
        if let Told::Written(version) | Told::Read(version) | Told::Conflict(version) = call.told {
            let end = proved.entry(version).or_insert(u64::MAX);
            *end = call.end.min(*end);
        }
    }
    let mut earliest = u64::MAX;
    for end in proved.values_mut().rev() {
        earliest = earliest.min(*end);
        *end = earliest;
    }

    // A version that a read or a refusal reports was the newest at some time during the call.
    for call in calls {
        let seen = match call.told {
            Told::Read(version) => version,
            Told::Conflict(version) if call.expected != Some(version) => version,
            Told::Conflict(_) => return Err(format!("refused without a write that justifies it: {call:?}")),
            Told::Written(_) | Told::Unavailable | Told::Unknown => continue,
        };
        let begun = seen == 1 || writers.get(&seen).is_some_and(|writer| writer.begin < call.end);
        if !(1..=newest).contains(&seen) || !begun {
            return Err(format!("version {seen} was seen before it was written: {call:?}"));
        }
        if proved.range(seen + 1..).next().is_some_and(|(_, end)| *end < call.begin) {
            return Err(format!("version {seen} was seen after a later one was there: {call:?}"));
        }
        // The write that justifies a refusal: that of the version after the expected one.
        let refused = call.expected.filter(|_| matches!(call.told, Told::Conflict(_)));
        if let Some(after) = refused.map(|expected| expected + 1)
            && writers.get(&after).is_none_or(|writer| writer.begin > call.end)
        {
            return Err(format!("refused before version {after} was written: {call:?}"));
        }
    }
    Ok(())
}

/// The outcome of a race.
struct Race {
    calls: Vec<Call>,
    /// The number of calls to the database that met a fault, and of all but those that a transaction under way refused.
    hits: (usize, usize),
    versions: Vec<Version>,
    seconds: f64,
}

/// Without other faults, one transaction in twenty meets these: for a while, readers see half of it.
const WINDOWS: [Fault; 2] =
    [Fault::Window(Unseen::First, Duration::from_millis(3)), Fault::Window(Unseen::Second, Duration::from_millis(3))];

/// One transaction in twenty is seen half-way. With faults, one call to the database in five meets one.
fn shake(proxy: &Proxy, faults: bool) {
    proxy.only_count();
    proxy.shake("TransactWriteItems", 20, &WINDOWS);
    if faults {
        let both = [
            unsent(Loss::Close),
            lost(Loss::Close),
            lost(Loss::Reset),
            unsent(Loss::Status(500)),
            lost(Loss::Status(500)),
            lost(Loss::Cut),
            throttled("ThrottlingException"),
        ];
        proxy.shake("GetItem", 5, &both);
        let conflict = Fault::Cancelled(&["TransactionConflict", "None"]);
        let writes = [&both[..], &WINDOWS, &[conflict, lost(Loss::Hang), unsent(Loss::Hang)]].concat();
        // A stall holds up all writers, so it is one fault in a hundred.
        let writes = [&vec![writes; 8].concat()[..], &[Fault::Stalled(Duration::from_millis(1_500))]].concat();
        proxy.shake("TransactWriteItems", 5, &writes);
        proxy.shake("PutItem", 5, &[&both[..], &[throttled("TransactionConflictException")]].concat());
        proxy.shake("Query", 5, &both);
    }
}

/// Runs `attempts` updates by 64 writers.
async fn race(attempts: u32, faults: bool) -> Race {
    let direct = Api::start().await;
    let proxy = Proxy::start(&direct.engine.url).await;
    let create = Request::create(first()).key("race");
    let created = direct.send(&create).await;
    let path = created.path();
    shake(&proxy, faults);

    let (clock, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU32::new(attempts)));
    let start = Instant::now();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (path, clock, left) = (path.clone(), Arc::clone(&clock), Arc::clone(&left));
        let (create, created) = (create.clone(), created.clone());
        let api = direct.behind(&proxy).await;
        writers.push(tokio::spawn(async move {
            let mut calls: Vec<Call> = Vec::new();
            let mut known = 1;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let number = calls.len();
                let text = format!("{writer}-{number}");
                let (request, expected) = update(&path, MEMBERS[writer % 3], &text, known, number);
                let begin = clock.fetch_add(1, Ordering::SeqCst);
                let answer = api.send(&request).await;
                let end = clock.fetch_add(1, Ordering::SeqCst);
                let told = told(&answer.json());
                calls.push(Call { begin, end, expected, text: Some(text), told });
                if let Told::Written(version) = told {
                    known = version;
                    // Only sometimes, because the updates are to race.
                    match number % 16 {
                        3 => expect_version(&api.get(&format!("{path}/versions/{}", version - 1)).await, version - 1),
                        7 => expect_versions(&api.get(&format!("{path}/versions?limit=3")).await, version),
                        11 => expect_replay(&api.send(&create).await, &created),
                        _ => {}
                    }
                    continue;
                }
                let begin = clock.fetch_add(1, Ordering::SeqCst);
                let answer = api.get(&path).await;
                let end = clock.fetch_add(1, Ordering::SeqCst);
                if answer.status == 200 {
                    known = answer.json()["data"]["version"].as_u64().unwrap();
                    calls.push(Call { begin, end, expected: None, text: None, told: Told::Read(known) });
                }
            }
            calls
        }));
    }
    let mut calls = Vec::new();
    for writer in writers {
        calls.append(&mut writer.await.unwrap());
    }
    let seconds = start.elapsed().as_secs_f64();

    // No attempt is still under way. The engine has answered each one before its writer went on, and those that the proxy
    // held back never reach the engine.
    let mut versions: Vec<_> = direct.engine.items().iter().map(version).collect();
    versions.sort();
    let met = proxy.counts();
    let hits = (met.faulty, met.all - met.refused);
    Race { calls, hits, versions, seconds }
}

fn first() -> Value {
    let mut first = page_request();
    for member in MEMBERS {
        first[member] = set_to(member, "first");
    }
    first
}

fn set_to(member: &str, text: &str) -> Value {
    if member == "configuration" { json!({ "set": text }) } else { json!(text) }
}

/// An update with the known version as its precondition: in its header, in its body, or not at all.
fn update(path: &str, member: &str, text: &str, known: u64, number: usize) -> (Request, Option<u64>) {
    let mut body = json!({ member: set_to(member, text) });
    match number % 3 {
        0 => (Request::put(path, body).header("if-match", &format!("\"{known}\"")), Some(known)),
        1 => {
            body["version"] = json!(known);
            (Request::put(path, body), Some(known))
        }
        _ => (Request::put(path, body), None),
    }
}

#[track_caller]
fn is_unavailable(answer: &Answer) -> bool {
    answer.status == 503 && ["TEMPORARILY_UNAVAILABLE", "OUTCOME_UNKNOWN"].contains(&answer.code().as_str())
}

/// A writer of a version can read the version before it.
#[track_caller]
fn expect_version(answer: &Answer, version: u64) {
    assert!(is_unavailable(answer) || answer.json()["data"]["version"] == version, "version {version}: {answer:?}");
}

/// The list begins with this version or a later one, and has no gap.
#[track_caller]
fn expect_versions(answer: &Answer, written: u64) {
    if is_unavailable(answer) {
        return;
    }
    let versions: Vec<_> =
        answer.json()["data"].as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
    assert!(versions[0] >= written, "expected version {written} or a later one first: {answer:?}");
    assert!(versions.windows(2).all(|pair| pair[0] == pair[1] + 1), "expected no gap: {answer:?}");
}

/// A replay is the first answer again, although the flow has changed.
#[track_caller]
fn expect_replay(answer: &Answer, first: &Answer) {
    assert!(is_unavailable(answer) || (answer.status, &answer.text) == (201, &first.text), "{answer:?}, {first:?}");
}

fn told(answer: &Value) -> Told {
    match answer["message"].as_str() {
        None => Told::Written(answer["data"]["version"].as_u64().unwrap()),
        Some("VERSION_CONFLICT") => {
            let found = answer["details"][0]["error"].as_str().unwrap().rsplit_once(' ').unwrap().1;
            Told::Conflict(found.parse().unwrap())
        }
        Some("TEMPORARILY_UNAVAILABLE") => Told::Unavailable,
        Some("OUTCOME_UNKNOWN") => Told::Unknown,
        Some(_) => panic!("expected an answer that a race can have, found {answer}"),
    }
}

fn version(item: &Value) -> Version {
    let number = item["version"]["N"].as_str().unwrap().parse().unwrap();
    (number, MEMBERS.map(|member| item[member]["S"].as_str().unwrap().replace("{\"set\":\"", "").replace("\"}", "")))
}

/// Runs a race, prints its outcome and has it judged.
async fn run(attempts: u32, faults: bool) {
    let Race { calls, hits, versions, seconds } = race(attempts, faults).await;
    let count = |counts: fn(&Told) -> bool| calls.iter().filter(|call| counts(&call.told)).count();
    let verdict = judge(&calls, &versions);
    println!(
        "{attempts} updates by {WRITERS} writers, {}: {} written, {} conflicts, {} unavailable, {} unknown, {} reads; \
         {} versions; {:.0} updates a second; verdict: {}",
        if faults { format!("{} of {} calls faulty", hits.0, hits.1) } else { format!("{} seen half-way", hits.0) },
        count(|told| matches!(told, Told::Written(_))),
        count(|told| matches!(told, Told::Conflict(_))),
        count(|told| *told == Told::Unavailable),
        count(|told| *told == Told::Unknown),
        count(|told| matches!(told, Told::Read(_))),
        versions.len(),
        f64::from(attempts) / seconds,
        verdict.as_ref().map_or_else(String::as_str, |()| "nothing lost, doubled or skipped"),
    );
    verdict.unwrap();
    if faults {
        let percent = hits.0 * 100 / hits.1;
        assert!((15..=25).contains(&percent), "expected one call in five to meet a fault, found {percent} %");
    }
    assert_eq!(calls.iter().filter(|call| call.text.is_some()).count(), attempts as usize);
    assert!(versions.len() > attempts as usize / 20, "hardly anything was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_writers_lose_no_update_write_none_twice_and_skip_no_version() {
    run(1_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_writers_lose_no_update_write_none_twice_and_skip_no_version_despite_faults() {
    run(500, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make race`"]
async fn at_length_100_000_updates() {
    run(100_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make race`"]
async fn at_length_10_000_updates_despite_faults() {
    run(10_000, true).await;
}

/// Calls without a contradiction: two writes, a refusal, a read and two failures.
fn fair() -> (Vec<Call>, Vec<Version>) {
    let call = |begin, end, expected, text: &str, told| {
        let text = (!text.is_empty()).then(|| text.to_owned());
        Call { begin, end, expected, text, told }
    };
    let calls = vec![
        call(0, 3, Some(1), "a", Told::Written(2)),
        call(1, 6, Some(1), "b", Told::Conflict(2)),
        call(4, 7, None, "c", Told::Written(3)),
        call(8, 9, None, "", Told::Read(3)),
        call(10, 11, None, "d", Told::Unavailable),
        call(12, 13, None, "e", Told::Unknown),
    ];
    let texts = |one: &str, two: &str| [one.to_owned(), two.to_owned(), "x".to_owned()];
    (calls, vec![(1, texts("x", "x")), (2, texts("a", "x")), (3, texts("a", "c"))])
}

type Break = fn(&mut Vec<Call>, &mut Vec<Version>);

#[test]
fn the_judge_finds_each_contradiction() {
    let (calls, versions) = fair();
    assert_eq!(judge(&calls, &versions), Ok(()));
    let late = {
        let mut versions = versions.clone();
        versions.push((4, ["a".to_owned(), "c".to_owned(), "e".to_owned()]));
        versions
    };
    assert_eq!(judge(&calls, &late), Ok(()), "an unknown outcome may be a version");

    let breaks: [(&str, Break); 14] = [
        ("expected version 2, found version 3", |_, versions| drop(versions.remove(1))),
        ("expected version 3, found version 2", |_, versions| versions.insert(1, versions[1].clone())),
        ("expected one change", |_, versions| versions[2].1[0] = "x".to_owned()),
        ("nobody wrote", |_, versions| versions[2].1[1] = "z".to_owned()),
        ("its writer was told otherwise", |calls, _| calls[2].told = Told::Unavailable),
        ("was told otherwise", |calls, _| calls[2].told = Told::Written(4)),
        ("was bound to another", |calls, _| calls[2].expected = Some(1)),
        ("have one writer", |_, versions| {
            versions.push((4, ["e", "c", "x"].map(str::to_owned)));
            versions.push((5, ["e", "e", "x"].map(str::to_owned)));
        }),
        ("a write is lost", |calls, _| calls[4].told = Told::Written(4)),
        ("a write is lost", |_, versions| drop(versions.pop())),
        ("began after a later one had ended", |calls, _| (calls[0].begin, calls[0].end) = (8, 9)),
        ("seen after a later one was there", |calls, _| calls[3].told = Told::Read(2)),
        ("seen after a later one was there", |calls, versions| {
            // No call was told that it is written, but a read has seen it.
            calls[5] = Call { begin: 4, end: 20, ..calls[5].clone() };
            versions.push((4, ["a", "c", "e"].map(str::to_owned)));
            calls[3].told = Told::Read(4);
            calls.push(Call { begin: 10, end: 11, ..calls[3].clone() });
            calls[6].told = Told::Read(3);
        }),
        ("without a write that justifies it", |calls, _| calls[1].told = Told::Conflict(1)),
    ];
    for (expected, change) in breaks {
        let (mut calls, mut versions) = fair();
        change(&mut calls, &mut versions);
        let found = judge(&calls, &versions).expect_err(expected);
        assert!(found.contains(expected), "expected {expected}, found {found}");
    }
    let mut early = fair();
    early.0[3].begin = 0;
    early.0[3].end = 2;
    assert!(judge(&early.0, &early.1).unwrap_err().contains("before it was written"));
    let mut unjustified = fair();
    unjustified.0[1] = Call { expected: Some(3), told: Told::Conflict(2), ..unjustified.0[1].clone() };
    assert!(judge(&unjustified.0, &unjustified.1).unwrap_err().contains("refused before"));
}
