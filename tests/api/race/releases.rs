//! Editors, releasers and those who pause, on three flows of one place.
//!
//! Each write has a text of its own, so the table shows which call wrote which version and which release. The judge of the
//! updates judges the releases too: both are numbered, and a write may be bound to the number before it. Beside that, the
//! stream of the table has every write in the order of the commits. It shows whether something was ever live whose newest
//! version was not active.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use project_flows::flow::Timestamp;
use serde_json::{Value, json};

use super::{Call, MEMBERS, Told, Version, judge, set_to, shake, version};
use crate::proxy::Proxy;
use crate::support::{Api, PLACE, Request, page_request};

const FLOWS: usize = 3;
const EDITORS: usize = 32;
const RELEASERS: usize = 16;
const PAUSERS: usize = 8;

/// The sort key of what is in force.
const LIVE: &str = "LIVE#project_123456789#onboarding";

/// What a call was refused for, beside preconditions, and when. Each needs a reason in its time.
#[derive(Clone, Debug)]
struct Refusal {
    begin: u64,
    end: u64,
    flow: usize,
    /// The version that was to be released, or the newest that was known.
    version: u64,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The flow was not active.
    NotActive,
    /// The flow was live.
    Live,
    /// Nothing was live.
    NothingLive,
}

/// What all workers share.
struct Shared {
    paths: Vec<String>,
    clock: AtomicU64,
    left: AtomicU32,
}

impl Shared {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Whether there is another attempt to make.
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// What a worker saw.
#[derive(Default)]
struct Seen {
    /// For each flow, the calls that read or write its versions.
    flows: [Vec<Call>; FLOWS],
    releases: Vec<Call>,
    refusals: Vec<Refusal>,
    /// The answers to releases, and what was live: number, since, and the flow.
    answers: BTreeMap<u64, (String, Value)>,
}

/// A worker: sends requests to a function of its own, and keeps what was answered.
struct Worker {
    number: usize,
    api: Api,
    shared: Arc<Shared>,
}

impl Worker {
    async fn run(self, role: Role) -> Seen {
        let Shared { paths, .. } = &*self.shared;
        let mut seen = Seen::default();
        let mut known = [2; FLOWS];
        let (mut live, mut turn) = (1, 0);
        while self.shared.take() {
            turn += 1;
            let (flow, text) = ((self.number + turn) % FLOWS, format!("{}-{turn}", self.number));
            let path = &paths[flow];
            let (request, of_flow, expected) = match role {
                Role::Edit => {
                    let member = MEMBERS[self.number % MEMBERS.len()];
                    let (request, expected) = super::update(path, member, &text, known[flow], turn);
                    (request, true, expected)
                }
                Role::Pause => {
                    let status = if turn % 2 == 0 { "active" } else { "paused" };
                    // The name tells who wrote the version.
                    (Request::put(path, json!({ "status": status, "name": text })), true, None)
                }
                Role::Release => {
                    let request =
                        if turn % 8 == 7 { Request::delete(PLACE) } else { Request::release(path, known[flow]) };
                    let request = request.query(&format!("note={text}"));
                    if turn % 3 == 0 {
                        (request.header("if-match", &format!("\"{live}\"")), false, Some(live))
                    } else {
                        (request, false, None)
                    }
                }
            };
            let begin = self.shared.tick();
            let answer = self.api.send(&request).await;
            let end = self.shared.tick();
            let answer = answer.json();
            let refused = |why| Refusal { begin, end, flow, version: known[flow], why };
            let told = match answer["message"].as_str() {
                None if of_flow => Told::Written(answer["data"]["version"].as_u64().unwrap()),
                // What was live already is answered as it is, with the note of its own release.
                None => {
                    let number = answer["release"]["number"].as_u64().unwrap();
                    if answer["release"]["note"] == text.as_str() {
                        let since = answer["release"]["since"].as_str().unwrap().to_owned();
                        seen.answers.insert(number, (since, answer["data"].clone()));
                        Told::Written(number)
                    } else {
                        Told::Read(number)
                    }
                }
                Some("VERSION_CONFLICT") if of_flow => super::told(&answer),
                Some("VERSION_CONFLICT") => Told::Conflict(release_found(&answer)),
                Some("FLOW_NOT_ACTIVE") => refuse(&mut seen, refused(Why::NotActive)),
                Some("FLOW_IS_LIVE") => refuse(&mut seen, refused(Why::Live)),
                Some("NO_LIVE_FLOW") => refuse(&mut seen, refused(Why::NothingLive)),
                Some("TEMPORARILY_UNAVAILABLE") => Told::Unavailable,
                Some("OUTCOME_UNKNOWN") => Told::Unknown,
                Some(_) => panic!("expected an answer that a race can have, found {answer}"),
            };
            let text = (!matches!(told, Told::Read(_))).then_some(text);
            let call = Call { begin, end, expected: expected.filter(|_| text.is_some()), text, told };
            let log = if of_flow { &mut seen.flows[flow] } else { &mut seen.releases };
            log.push(call);

            // What is there now: the newest version of the flow, and for releasers what is live.
            let begin = self.shared.tick();
            let answer = self.api.get(path).await;
            let end = self.shared.tick();
            if answer.status == 200 {
                known[flow] = answer.json()["data"]["version"].as_u64().unwrap();
                let told = Told::Read(known[flow]);
                seen.flows[flow].push(Call { begin, end, expected: None, text: None, told });
            }
            if role == Role::Release {
                let begin = self.shared.tick();
                let answer = self.api.get(PLACE).await;
                let end = self.shared.tick();
                if answer.status == 200 {
                    let (release, data) = (&answer.json()["release"], &answer.json()["data"]);
                    live = release["number"].as_u64().unwrap();
                    seen.answers.insert(live, (release["since"].as_str().unwrap().to_owned(), data.clone()));
                    seen.releases.push(Call { begin, end, expected: None, text: None, told: Told::Read(live) });
                } else if answer.status == 404 {
                    let version = known[flow];
                    refuse(&mut seen, Refusal { begin, end, flow, version, why: Why::NothingLive });
                }
            }
        }
        seen
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Edit,
    Release,
    Pause,
}

/// The release in a refusal such as "…, found release 3" or "…, found release 4, a withdrawal".
fn release_found(answer: &Value) -> u64 {
    let error = answer["details"][0]["error"].as_str().unwrap();
    let found = error.split_once("found release ").unwrap().1;
    found.split(',').next().unwrap().parse().unwrap()
}

/// Keeps a refusal. To those who judge the numbers, it says only that nothing was written.
fn refuse(seen: &mut Seen, refusal: Refusal) -> Told {
    seen.refusals.push(refusal);
    Told::Unavailable
}

/// A release in the table.
#[derive(Clone, Debug)]
struct Released {
    number: u64,
    since: String,
    note: String,
    item: Value,
}

impl Released {
    fn of(item: &Value) -> Option<Self> {
        item["sk"]["S"].as_str()?.starts_with("RELEASE#").then(|| Self {
            number: item["release"]["N"].as_str().unwrap().parse().unwrap(),
            since: item["since"]["S"].as_str().unwrap().to_owned(),
            note: item["note"]["S"].as_str().unwrap_or_default().to_owned(),
            item: item.clone(),
        })
    }

    /// The flow that is live from then on.
    fn names(&self) -> Option<&str> {
        self.item["_id"]["S"].as_str().filter(|_| self.item["action"]["S"] != "withdrawn")
    }

    /// `since` as the API shows it.
    fn second(&self) -> String {
        format!("{}Z", &self.since[.."2024-01-15T10:30:00".len()])
    }
}

/// What the stream shows at one time: the status of each flow, and which flow is live.
#[derive(Default)]
struct Moment {
    statuses: BTreeMap<String, String>,
    live: Option<String>,
}

/// Whether something was ever live whose newest version was not active.
fn judge_order(records: &[Value]) -> Result<(), String> {
    let mut now = Moment::default();
    for record in records {
        let write = &record["dynamodb"]["NewImage"];
        let sort = write["sk"]["S"].as_str().unwrap();
        if sort.starts_with("FLOW#") {
            let text = |name: &str| write[name]["S"].as_str().unwrap().to_owned();
            now.statuses.insert(text("_id"), text("status"));
        } else if sort.starts_with("LIVE#") {
            now.live = write["_id"]["S"].as_str().map(str::to_owned);
        }
        let Some(live) = &now.live else { continue };
        if now.statuses.get(live).is_none_or(|status| status != "active") {
            return Err(format!("{live} is live and {:?} after the write of {sort}", now.statuses.get(live)));
        }
    }
    Ok(())
}

/// Whether each release is a copy of the version that it names, and the head is the last of them.
fn judge_copies(items: &[Value], releases: &[Released]) -> Result<(), String> {
    const COPIED: [&str; 11] = [
        "_id",
        "project",
        "type",
        "status",
        "version",
        "name",
        "description",
        "configuration",
        "steps",
        "createdAt",
        "updatedAt",
    ];
    let is_version = |item: &&Value| {
        let sort = item["sk"]["S"].as_str().unwrap();
        sort.starts_with("FLOW#") || sort.starts_with("VERSION#")
    };
    let versions: BTreeMap<_, _> = items
        .iter()
        .filter(is_version)
        .map(|item| ((item["_id"]["S"].as_str().unwrap(), item["version"]["N"].as_str().unwrap()), item))
        .collect();
    let mut last_since = "";
    for release in releases {
        if release.since.as_str() <= last_since {
            return Err(format!("release {}: since goes from {last_since} to {}", release.number, release.since));
        }
        last_since = &release.since;
        let Some(id) = release.names() else { continue };
        let version = release.item["version"]["N"].as_str().unwrap();
        let named = versions.get(&(id, version));
        let named = named.ok_or_else(|| format!("release {} names no version: {id} {version}", release.number))?;
        let differs = COPIED.iter().find(|name| release.item[**name] != named[**name]);
        if let Some(name) = differs {
            return Err(format!("release {} has another {name} than version {version}", release.number));
        }
        if named["status"]["S"] != "active" {
            return Err(format!("release {} puts a version in force that is not active", release.number));
        }
    }
    let head = items.iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with("LIVE#"));
    let (head, last) = (head.ok_or("no head")?, releases.last().ok_or("no release")?);
    for name in COPIED.iter().chain(&["release", "since", "note", "writeToken"]) {
        let is_kept = match *name {
            // A large flow stands in the item of the release alone.
            "configuration" | "steps" => head.get(name).is_some(),
            "project" | "type" | "release" | "since" | "note" | "writeToken" => true,
            // A withdrawal leaves no flow.
            _ => last.names().is_some(),
        };
        if head.get(name) != last.item.get(name).filter(|_| is_kept) {
            return Err(format!("the head has another {name} than release {}", last.number));
        }
    }
    Ok(())
}

/// Every change of the client, by pages of a hundred.
async fn log(api: &Api) -> Vec<Value> {
    let (mut changes, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/v2/project-flows/changes?limit=100{cursor}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        changes.extend(page.json()["data"].as_array().unwrap().iter().cloned());
        match page.json()["pagination"]["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return changes,
        }
    }
}

/// Whether each write is in the log of changes exactly once, those of a flow and those of a place in the order of their
/// numbers, the latest first.
fn judge_log(items: &[Value], log: &[Value]) -> Result<(), String> {
    // The flow or the place, the number, and what was done to which version.
    type Write = (String, u64, String, u64);
    let number = |item: &Value, name: &str| item[name]["N"].as_str().map_or(0, |number| number.parse().unwrap());
    let is_write = |item: &&Value| !item["sk"]["S"].as_str().unwrap().starts_with("LIVE#");
    let mut expected: Vec<Write> = items
        .iter()
        .filter(is_write)
        .map(|item| {
            let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
            let version = number(item, "version");
            match number(item, "release") {
                0 => (text("_id"), version, text("action"), version),
                release => (text("project"), release, text("action"), version),
            }
        })
        .collect();
    let found: Vec<Write> = log
        .iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap().to_owned();
            let version = change["version"].as_u64().unwrap();
            match change["release"].as_u64() {
                None => (text("_id"), version, text("action"), version),
                Some(release) => (text("project"), release, text("action"), version),
            }
        })
        .collect();
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for (row, number, ..) in &found {
        if next.insert(row, *number).is_some_and(|later| later != number + 1) {
            return Err(format!("the log has {row} {number} in the wrong place"));
        }
    }
    let mut sorted = found.clone();
    sorted.sort();
    expected.sort();
    if sorted.len() != expected.len() {
        return Err(format!("expected {} changes in the log, found {}", expected.len(), sorted.len()));
    }
    match sorted.iter().zip(&expected).find(|(found, expected)| found != expected) {
        Some((found, expected)) => Err(format!("expected {expected:?} in the log, found {found:?}")),
        None => Ok(()),
    }
}

/// When a number was perhaps the newest: not before its writer began, and not after the next one's had ended.
struct Lifetimes(BTreeMap<u64, (u64, u64)>);

impl Lifetimes {
    fn of<'call>(calls: &'call [Call], writer: impl Fn(u64) -> Option<&'call Call>, count: u64) -> Self {
        let mut lifetimes = BTreeMap::new();
        for number in 1..=count {
            let begin = writer(number).map_or(0, |call| call.begin);
            let next = writer(number + 1).filter(|next| matches!(next.told, Told::Written(_)));
            let read = calls.iter().filter(|call| matches!(call.told, Told::Read(read) if read > number));
            let seen = read.map(|call| call.end).min().unwrap_or(u64::MAX);
            lifetimes.insert(number, (begin, next.map_or(u64::MAX, |next| next.end).min(seen)));
        }
        Self(lifetimes)
    }

    /// Whether one of these numbers was perhaps the newest during a refused call.
    fn meets(&self, refusal: &Refusal, mut counts: impl FnMut(u64) -> bool) -> bool {
        self.0.iter().any(|(number, (begin, end))| *begin < refusal.end && *end > refusal.begin && counts(*number))
    }
}

/// Finds each write by its text.
fn writers<'call>(calls: &'call [Call], texts: &BTreeMap<u64, Vec<String>>) -> BTreeMap<u64, &'call Call> {
    let by_text: BTreeMap<_, _> = calls.iter().filter_map(|call| Some((call.text.as_deref()?, call))).collect();
    let writer = |texts: &Vec<String>| texts.iter().find_map(|text| by_text.get(text.as_str()).copied());
    texts.iter().filter_map(|(number, texts)| Some((*number, writer(texts)?))).collect()
}

/// Whether each refusal had a reason in its time.
fn judge_refusals(
    refusals: &[Refusal],
    flows: &[(Vec<Call>, BTreeMap<u64, &Value>)],
    ids: &[String],
    releases: (&[Call], &[Released]),
) -> Result<(), String> {
    let (calls, releases) = releases;
    let notes = releases.iter().map(|release| (release.number, vec![release.note.clone()])).collect();
    let of_releases = writers(calls, &notes);
    let count = releases.len() as u64;
    let lifetimes = Lifetimes::of(calls, |number| of_releases.get(&number).copied(), count);
    let of_flows: Vec<_> = flows
        .iter()
        .map(|(calls, versions)| {
            let texts = versions.iter().map(|(number, item)| (*number, version(item).1.to_vec())).collect();
            // A text of an earlier version stands in later ones too: only the one that changed tells the writer.
            let of_versions = writers_of_changes(calls, &texts);
            Lifetimes::of(calls, |number| of_versions.get(&number).copied(), versions.len() as u64)
        })
        .collect();
    for refusal in refusals {
        let release = |number: u64| &releases[usize::try_from(number - 1).unwrap()];
        let is_justified = match refusal.why {
            Why::NotActive => {
                let is_active = |number: u64| flows[refusal.flow].1[&number]["status"]["S"] == "active";
                !is_active(refusal.version) || of_flows[refusal.flow].meets(refusal, |number| !is_active(number))
            }
            Why::Live => lifetimes.meets(refusal, |number| release(number).names() == Some(&ids[refusal.flow])),
            Why::NothingLive => lifetimes.meets(refusal, |number| release(number).names().is_none()),
        };
        if !is_justified {
            return Err(format!("refused without a write that justifies it: {refusal:?}"));
        }
    }
    Ok(())
}

/// The same where each number has several texts, of which one is new.
fn writers_of_changes<'call>(calls: &'call [Call], texts: &BTreeMap<u64, Vec<String>>) -> BTreeMap<u64, &'call Call> {
    let changed = texts.iter().zip(texts.iter().skip(1)).map(|((_, before), (number, after))| {
        (*number, after.iter().filter(|text| !before.contains(text)).cloned().collect())
    });
    writers(calls, &changed.collect())
}

/// Creates the flows, each active at version 2. Returns their paths and ids.
async fn create_flows(direct: &Api) -> (Vec<String>, Vec<String>) {
    let (mut paths, mut ids) = (Vec::new(), Vec::new());
    for flow in 0..FLOWS {
        let mut content = page_request();
        if flow == 0 {
            // It has no room in the item of what is live.
            content["steps"][0]["config"]["hint"] = json!("h".repeat(5_000));
        }
        for member in MEMBERS {
            content[member] = set_to(member, &format!("first {flow} {member}"));
        }
        let path = direct.create_from(&Request::create(content)).await;
        // The same change as those who pause make: a status, and a text of its own.
        let active = json!({ "status": "active", "name": format!("second {flow}") });
        assert_eq!(direct.send(&Request::put(&path, active)).await.status, 200);
        ids.push(path.rsplit('/').next().unwrap().to_owned());
        paths.push(path);
    }
    (paths, ids)
}

/// Runs a race, prints its outcome and has it judged.
async fn run(attempts: u32, faults: bool) {
    let direct = Api::start().await;
    direct.engine.enable_stream("NEW_IMAGE");
    let proxy = Proxy::start(&direct.engine.url).await;
    let (paths, ids) = create_flows(&direct).await;
    assert_eq!(direct.send(&Request::release(&paths[0], 2).query("note=first")).await.status, 200);
    shake(&proxy, faults);

    let shared = Arc::new(Shared { paths, clock: AtomicU64::new(0), left: AtomicU32::new(attempts) });
    let (start, first_second) = (Instant::now(), SystemTime::now());
    let mut workers = Vec::new();
    for number in 0..EDITORS + RELEASERS + PAUSERS {
        let role = match number {
            0..EDITORS => Role::Edit,
            number if number < EDITORS + RELEASERS => Role::Release,
            _ => Role::Pause,
        };
        let worker = Worker { number, api: direct.behind(&proxy).await, shared: Arc::clone(&shared) };
        workers.push(tokio::spawn(worker.run(role)));
    }
    let asked = ask(&direct, &shared).await;
    let mut all = Seen::default();
    for worker in workers {
        let mut seen = worker.await.unwrap();
        for (flow, calls) in all.flows.iter_mut().zip(&mut seen.flows) {
            flow.append(calls);
        }
        all.releases.append(&mut seen.releases);
        all.refusals.append(&mut seen.refusals);
        all.answers.append(&mut seen.answers);
    }
    let seconds = start.elapsed().as_secs_f64();

    let items = direct.engine.items();
    let mut releases: Vec<_> = items.iter().filter_map(Released::of).collect();
    releases.sort_by_key(|release| release.number);
    let verdict = async {
        judge_order(&direct.engine.records())?;
        judge_copies(&items, &releases)?;
        let numbers: Vec<Version> = releases
            .iter()
            .map(|release| (release.number, [release.note.clone(), String::new(), String::new()]))
            .collect();
        judge(&all.releases, &numbers).map_err(|error| format!("releases: {error}"))?;
        let mut flows = Vec::new();
        for (calls, id) in all.flows.iter().zip(&ids) {
            let of_flow = items.iter().filter(|item| item["_id"]["S"] == id.as_str() && item.get("release").is_none());
            let versions: BTreeMap<_, _> = of_flow.map(|item| (version(item).0, item)).collect();
            // The judge takes the first version for the one before the race.
            let numbers: Vec<_> = versions.values().map(|item| version(item)).collect();
            let mut calls_from_first = calls.clone();
            calls_from_first.push(Call {
                begin: 0,
                end: 0,
                expected: None,
                text: Some(numbers[1].1[0].clone()),
                told: Told::Written(2),
            });
            judge(&calls_from_first, &numbers).map_err(|error| format!("{id}: {error}"))?;
            flows.push((calls_from_first, versions));
        }
        judge_log(&items, &log(&direct).await)?;
        judge_refusals(&all.refusals, &flows, &ids, (&all.releases, &releases))
    };
    let verdict: Result<(), String> = verdict.await;
    let moments = judge_moments(&direct, &releases, &all.answers, first_second).await;
    let asked = judge_asked(&asked, &ask_again(&direct, &asked).await);

    let met = proxy.counts();
    let count = |why: Why| all.refusals.iter().filter(|refusal| refusal.why == why).count();
    let unknown = all.flows.iter().flatten().chain(&all.releases).filter(|call| call.told == Told::Unknown).count();
    println!(
        "{attempts} attempts by {EDITORS} editors, {RELEASERS} releasers and {PAUSERS} who pause, {} of {} calls {}: {} \
         releases, {} versions, {} refused as not active, {} as live, {} as nothing live, {unknown} unknown; {:.0} attempts a \
         second; asOf of settled seconds, and the oldest that has changed: {asked:?}; verdict: {}",
        met.faulty,
        met.all,
        if faults { "faulty" } else { "seen half-way" },
        releases.len(),
        items.len() - releases.len() - 1,
        count(Why::NotActive),
        count(Why::Live),
        count(Why::NothingLive),
        f64::from(attempts) / seconds,
        verdict.as_ref().and(moments.as_ref()).map_or_else(String::as_str, |()| "nothing lost, doubled or skipped"),
    );
    verdict.unwrap();
    moments.unwrap();
    asked.unwrap();
    assert!(releases.len() > attempts as usize / 200, "hardly anything was released");
    // A short race through faults has few releases.
    for why in [Why::NotActive, Why::Live, Why::NothingLive].into_iter().filter(|_| attempts >= 1_000) {
        assert!(count(why) > 0, "the race has no {why:?}");
    }
}

/// What was live in a second, as it was asked while the race ran.
struct Asked {
    moment: Timestamp,
    /// How long ago the second had begun.
    age: Duration,
    live: Option<u64>,
}

/// How old a second is whose answer stays the same: a call to the database takes three seconds at most, and no transaction
/// stalls for more than two.
const SETTLED: Duration = Duration::from_secs(6);

/// The number of the release that was in force at a moment.
async fn live_at(api: &Api, moment: &Timestamp) -> Option<u64> {
    let answer = api.get(&format!("{PLACE}?asOf={moment}")).await;
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    answer.json()["release"]["number"].as_u64()
}

/// Asks for what was live some seconds before, again and again.
async fn ask(api: &Api, shared: &Shared) -> Vec<Asked> {
    let mut asked = Vec::new();
    while shared.left.load(Ordering::Relaxed) > 0 {
        for age in [1, 2, 4, 6, 7, 8, 9].map(Duration::from_secs) {
            let now = SystemTime::now();
            let moment = Timestamp::from(now - age);
            let live = live_at(api, &moment).await;
            asked.push(Asked { moment, age, live });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    asked
}

/// Asks for the same seconds once more.
async fn ask_again(api: &Api, asked: &[Asked]) -> BTreeMap<String, Option<u64>> {
    let mut now = BTreeMap::new();
    for Asked { moment, .. } in asked {
        if !now.contains_key(moment.as_str()) {
            now.insert(moment.to_string(), live_at(api, moment).await);
        }
    }
    now
}

/// Whether the answers of settled seconds have stayed the same. `now` says what is answered at the end. Returns how many
/// were compared, and the greatest age of a second whose answer has changed.
fn judge_asked(asked: &[Asked], now: &BTreeMap<String, Option<u64>>) -> Result<(usize, Duration), String> {
    let changed: Vec<_> = asked.iter().filter(|one| now[one.moment.as_str()] != one.live).collect();
    if let Some(Asked { moment, age, live }) = changed.iter().find(|one| one.age >= SETTLED) {
        let found = now[moment.as_str()];
        return Err(format!("{moment}: release {live:?} was live, as asked {age:?} later, and now {found:?} was"));
    }
    let latest = changed.iter().map(|one| one.age).max().unwrap_or_default();
    Ok((asked.iter().filter(|one| one.age >= SETTLED).count(), latest))
}

/// Whether every second of the run knows what was live, as the answers said.
async fn judge_moments(
    api: &Api,
    releases: &[Released],
    answers: &BTreeMap<u64, (String, Value)>,
    first: SystemTime,
) -> Result<(), String> {
    for (number, (since, data)) in answers {
        let release = &releases[usize::try_from(number - 1).unwrap()];
        let stored =
            |name: &str| release.item[name]["S"].as_str().map(|text| serde_json::from_str::<Value>(text).unwrap());
        let is_whole =
            ["configuration", "steps"].iter().all(|name| data.is_null() || stored(name).as_ref() == Some(&data[name]));
        if release.second() != *since || release.names() != data["_id"].as_str() || !is_whole {
            return Err(format!("release {number}: answered since {since}, {}, found {release:?}", data["_id"]));
        }
    }
    let seconds = first.elapsed().unwrap().as_secs() + 1;
    for second in 0..=seconds {
        let moment = Timestamp::from(first + Duration::from_secs(second));
        let in_force = releases.iter().rev().find(|release| release.second().as_str() <= moment.as_str());
        let answer = api.get(&format!("{PLACE}?asOf={moment}")).await;
        let expected = in_force.filter(|release| release.names().is_some());
        let found = (answer.status == 200).then(|| answer.json()["release"]["number"].as_u64().unwrap());
        if found != expected.map(|release| release.number) {
            return Err(format!("{moment}: expected {expected:?}, found {answer:?}"));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_is_active_and_every_release_is_there_whoever_races() {
    run(1_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_is_active_and_every_release_is_there_despite_faults() {
    run(500, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make race`"]
async fn at_length_20_000_attempts_to_release() {
    run(20_000, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make race`"]
async fn at_length_5_000_attempts_to_release_despite_faults() {
    run(5_000, true).await;
}

/// A table with two releases, of which the second withdraws the first, and its stream.
async fn fair() -> (Vec<Value>, Vec<Value>) {
    let api = Api::start().await;
    api.engine.enable_stream("NEW_IMAGE");
    let path = api.create_active().await;
    for request in [Request::release(&path, 2).query("note=a"), Request::delete(PLACE).query("note=b")] {
        assert_eq!(api.send(&request).await.status, 200);
    }
    (api.engine.items(), api.engine.records())
}

fn releases_of(items: &[Value]) -> Vec<Released> {
    let mut releases: Vec<_> = items.iter().filter_map(Released::of).collect();
    releases.sort_by_key(|release| release.number);
    releases
}

#[tokio::test]
async fn the_judge_finds_each_copy_that_is_none() {
    let (items, _) = fair().await;
    assert_eq!(judge_copies(&items, &releases_of(&items)), Ok(()));
    let breaks: [(&str, &str, &str, Value); 6] = [
        ("another name", "RELEASE#", "name", json!("Other")),
        ("names no version", "RELEASE#", "version", json!("7")),
        ("since goes from", "RELEASE#", "since", json!("2099-01-01T00:00:00.000Z")),
        ("not active", "FLOW#", "status", json!("draft")),
        ("the head has another note", "LIVE#", "note", json!("c")),
        ("the head has another release", "LIVE#", "release", json!("1")),
    ];
    for (expected, sort, name, value) in breaks {
        let mut broken = items.clone();
        let is_first = |item: &&mut Value| {
            item["sk"]["S"].as_str().unwrap().starts_with(sort) && item["release"] != json!({ "N": "2" })
                || sort == "LIVE#"
        };
        let of_sort = |item: &&mut Value| item["sk"]["S"].as_str().unwrap().starts_with(sort);
        for item in broken.iter_mut().filter(of_sort).filter(is_first) {
            let kind = if ["version", "release"].contains(&name) { "N" } else { "S" };
            item[name] = json!({ kind: value });
        }
        // A release whose flow is not active has a copy of that flow.
        if name == "status" {
            broken.iter_mut().filter(|item| item["release"] == json!({ "N": "1" })).for_each(|item| {
                item["status"] = json!({ "S": "draft" });
            });
        }
        let found = judge_copies(&broken, &releases_of(&broken)).expect_err(expected);
        assert!(found.contains(expected), "expected {expected}, found {found}");
    }
}

#[tokio::test]
async fn the_judge_finds_a_change_that_is_missing_twice_or_in_the_wrong_place() {
    let api = Api::start().await;
    let path = api.create_active().await;
    for request in [Request::release(&path, 2), Request::delete(PLACE), Request::release(&path, 2)] {
        assert_eq!(api.send(&request).await.status, 200);
    }
    let (items, fair) = (api.engine.items(), log(&api).await);
    assert_eq!(judge_log(&items, &fair), Ok(()));
    let missing = fair[1..].to_vec();
    let twice = [&fair[..1], &fair].concat();
    let mut swapped = fair.clone();
    swapped.swap(0, 1);
    let mut renamed = fair.clone();
    renamed[0]["action"] = json!("withdrawn");
    for (log, expected) in
        [(missing, "expected 5 changes"), (twice, "wrong place"), (swapped, "wrong place"), (renamed, "expected (")]
    {
        let found = judge_log(&items, &log).expect_err(expected);
        assert!(found.contains(expected), "expected {expected}, found {found}");
    }
}

#[tokio::test]
async fn the_judge_finds_what_was_live_and_not_active() {
    let (_, records) = fair().await;
    assert_eq!(judge_order(&records), Ok(()));
    // The release, before the flow was active.
    let mut early = records.clone();
    let release = early.iter().position(|record| record["dynamodb"]["NewImage"]["sk"]["S"] == LIVE).unwrap();
    let release = early.remove(release);
    early.insert(1, release);
    assert!(judge_order(&early).unwrap_err().contains("draft"));
    // A pause before the withdrawal.
    let mut paused = records.clone();
    let withdrawal = paused.iter().rposition(|record| record["dynamodb"]["NewImage"]["sk"]["S"] == LIVE).unwrap();
    let mut pause = paused[1].clone();
    pause["dynamodb"]["NewImage"]["sk"] = paused[0]["dynamodb"]["NewImage"]["sk"].clone();
    pause["dynamodb"]["NewImage"]["status"] = json!({ "S": "paused" });
    paused.insert(withdrawal, pause);
    assert!(judge_order(&paused).unwrap_err().contains("paused"));
}

#[test]
fn the_judge_finds_a_settled_second_whose_answer_has_changed() {
    let moment = Timestamp::parse("2024-01-15T10:30:00Z").unwrap();
    let asked = |age, live| Asked { moment: moment.clone(), age, live };
    let judged = |asked: &[Asked]| judge_asked(asked, &BTreeMap::from([(moment.to_string(), Some(3))]));
    let second = Duration::from_secs(1);
    assert_eq!(judged(&[asked(second, Some(2)), asked(SETTLED, Some(3)), asked(SETTLED, Some(3))]), Ok((2, second)));
    for live in [None, Some(2)] {
        assert!(judged(&[asked(SETTLED, live)]).unwrap_err().contains("now Some(3) was"));
    }
}

#[test]
fn the_judge_finds_a_refusal_without_a_reason() {
    let call = |begin, end, text: &str, told| Call { begin, end, expected: None, text: Some(text.to_owned()), told };
    let item = |names: Option<&str>| names.map_or(json!({}), |id| json!({ "_id": { "S": id } }));
    let release =
        |number, note: &str, names| Released { number, since: String::new(), note: note.to_owned(), item: item(names) };
    let calls = [call(0, 10, "a", Told::Written(1)), call(20, 30, "b", Told::Written(2))];
    let releases = [release(1, "a", Some("flow")), release(2, "b", None)];
    let (draft, active) = (json!({ "version": { "N": "1" } }), json!({ "version": { "N": "2" } }));
    let member = |item: &Value, status: &str, text: &str| {
        let mut item = item.clone();
        item["status"] = json!({ "S": status });
        for name in MEMBERS {
            item[name] = json!({ "S": format!("{name}{text}") });
        }
        item
    };
    let (draft, active) = (member(&draft, "draft", ""), member(&active, "active", "2"));
    let flow_calls = vec![call(0, 5, "name2", Told::Written(2))];
    let flows = [(flow_calls, BTreeMap::from([(1, &draft), (2, &active)]))];
    let judged = |begin, end, version, why| {
        let refusal = Refusal { begin, end, flow: 0, version, why };
        judge_refusals(&[refusal], &flows, &["flow".to_owned()], (&calls, &releases))
    };
    assert_eq!(judged(12, 15, 2, Why::Live), Ok(()));
    assert_eq!(judged(25, 40, 2, Why::NothingLive), Ok(()));
    assert_eq!(judged(12, 15, 1, Why::NotActive), Ok(()), "the version that was to be released");
    for (begin, end, why) in [(31, 40, Why::Live), (12, 15, Why::NothingLive), (50, 60, Why::NotActive)] {
        let found = judged(begin, end, 2, why).unwrap_err();
        assert!(found.contains("without a write that justifies it"), "{found}");
    }
}
