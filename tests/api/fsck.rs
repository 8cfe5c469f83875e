//! `make fsck`: the real binary on tables that are sound, and on tables with one damage each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::engine;
use crate::http::{body, read_message};
use crate::proxy::Proxy;
use crate::support::{Api, CLIENT, Engine, Request, id, page_request, page_request_with, path, set};

/// What a run came to.
#[derive(Debug)]
pub struct Checked {
    pub status: i32,
    /// The lines but for the last, in alphabetical order: clients are checked side by side.
    pub findings: Vec<String>,
    /// The last line.
    pub closing: String,
    pub error: String,
    peak: f64,
}

impl Checked {
    #[track_caller]
    pub fn expect_healthy(&self) {
        assert!(self.status == 0 && self.findings.is_empty() && self.closing.starts_with("healthy: "), "{self:?}");
    }
}

/// The binary as it is built now: `cargo test --test api` alone would leave an old one, or none.
fn binary() -> &'static Path {
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

/// Checks the table of this name at `url`.
pub async fn fsck(url: &str, table: &str) -> Checked {
    fsck_with(url, &[("TABLE_NAME", table)]).await
}

async fn fsck_with(url: &str, variables: &[(&str, &str)]) -> Checked {
    let process = Command::new(binary())
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
            Err(_) => peak = memory(&status).unwrap_or(peak),
        }
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut findings: Vec<_> = text.lines().map(str::to_owned).collect();
    let closing = findings.pop().unwrap_or_default();
    findings.sort();
    let error = String::from_utf8(output.stderr).unwrap();
    Checked { status: output.status.code().unwrap(), findings, closing, error, peak }
}

/// The most memory that a process has had, in megabytes.
fn memory(status: &str) -> Option<f64> {
    let status = std::fs::read_to_string(status).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1_024.0)
}

/// The flows of a table in all states of their lives.
struct Flows {
    engine: Engine,
    /// At version 4, with a key, by [`CLIENT`].
    keyed: String,
    /// At version 1, by [`CLIENT`].
    new: String,
    /// At version 3, deleted, by [`CLIENT`].
    deleted: String,
}

async fn flows() -> Flows {
    let api = Api::start().await;
    let new = api.send(&Request::create(page_request())).await;
    let keyed = api.send(&Request::create(page_request()).key("key")).await;
    for number in 2..=4 {
        set(&api, &path(&keyed), "name", json!(format!("Version {number}"))).await;
    }
    let deleted = api.send(&Request::create(page_request())).await;
    set(&api, &path(&deleted), "description", Value::Null).await;
    assert_eq!(api.send(&Request::of("DELETE", &path(&deleted))).await.status, 200);
    let restored = api.send(&Request::create(page_request_with("type", json!("login")))).await;
    assert_eq!(api.send(&Request::of("DELETE", &path(&restored))).await.status, 200);
    let restore = Request::of("POST", &format!("{}/versions/1/restore", path(&restored)));
    assert_eq!(api.send(&restore).await.status, 200);
    set(&api, &path(&restored), "status", json!("active")).await;
    for client in ["client_2", "client#3", "~"] {
        assert_eq!(api.send(&Request::create(page_request()).client(client)).await.status, 201);
    }
    Flows { keyed: id(&keyed), new: id(&new), deleted: id(&deleted), engine: api.engine }
}

/// Where the earlier version of a flow is.
fn version(id: &str, version: u64) -> String {
    format!("VERSION#{id}#{version:010}")
}

/// Where the newest version of a flow is.
fn newest(id: &str) -> String {
    format!("FLOW#{id}")
}

impl Flows {
    /// The same in a table of their own.
    async fn copy(&self) -> Self {
        let engine = Engine::start().await;
        for item in self.engine.items() {
            engine.put(engine::TABLE, &item);
        }
        Self { engine, keyed: self.keyed.clone(), new: self.new.clone(), deleted: self.deleted.clone() }
    }

    #[track_caller]
    fn item(&self, sort: &str) -> Value {
        let items = self.engine.items();
        items.into_iter().find(|item| item["pk"]["S"] == format!("CLIENT#{CLIENT}") && item["sk"]["S"] == sort).unwrap()
    }

    #[track_caller]
    fn change(&self, sort: &str, change: impl FnOnce(&mut Value)) {
        let mut item = self.item(sort);
        change(&mut item);
        self.engine.put(engine::TABLE, &item);
    }

    #[track_caller]
    fn set(&self, sort: &str, attribute: &str, text: &str) {
        self.change(sort, |item| item[attribute] = json!({ "S": text }));
    }

    #[track_caller]
    fn remove(&self, sort: &str) {
        let item = self.item(sort);
        let delete = json!({ "TableName": engine::TABLE, "Key": { "pk": item["pk"], "sk": item["sk"] } });
        self.engine.database.delete_item(serde_json::from_value(delete).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_table_with_flows_in_all_states_of_their_lives_is_healthy() {
    let flows = flows().await;
    let proxy = Proxy::start(&flows.engine.url).await;

    let checked = fsck(&proxy.url, engine::TABLE).await;

    checked.expect_healthy();
    let (counts, read_units) = checked.closing.rsplit_once(", ").unwrap();
    assert_eq!(counts, "healthy: clients 4, flows 7, versions 15, items 15");
    assert!(read_units.starts_with("read units "), "{read_units}");
    // It only reads, and what it reads of the table is not out of date.
    for call in proxy.take_calls() {
        assert!(["GetItem", "Query", "Scan"].contains(&call.operation.as_str()), "{call:?}");
        let consistent = call.body["ConsistentRead"] == true;
        assert_eq!(consistent, call.body.get("IndexName").is_none(), "{call:?}");
    }
}

#[tokio::test]
async fn an_empty_table_is_healthy() {
    let engine = Engine::start().await;
    let checked = fsck(&engine.url, engine::TABLE).await;
    checked.expect_healthy();
    assert!(checked.closing.starts_with("healthy: clients 0, flows 0, versions 0, items 0, "), "{checked:?}");
}

/// A damage, and what is said of it, in which KEYED, NEW and DELETED stand for the ids of flows, and TIME for the moment
/// that they were created at.
type Damage = (&'static str, fn(&Flows), &'static [&'static str]);

/// What begins every finding of a flow of [`CLIENT`].
const OF: &str = "client \"client_123456789\", flow ";

const DAMAGES: [Damage; 33] = [
    (
        "a version in the middle is missing",
        |flows| flows.remove(&version(&flows.keyed, 2)),
        &["KEYED: expected version 2 in the history, found nothing"],
    ),
    (
        "the first version is missing",
        |flows| flows.remove(&version(&flows.keyed, 1)),
        &["KEYED: expected version 1 in the history, found nothing"],
    ),
    (
        "the version before the newest is missing",
        |flows| flows.remove(&version(&flows.keyed, 3)),
        &["KEYED: expected version 3 in the history, found nothing"],
    ),
    (
        "the whole history is missing",
        |flows| (1..=3).for_each(|number| flows.remove(&version(&flows.keyed, number))),
        &["KEYED: expected versions 1 to 3 in the history, found nothing"],
    ),
    (
        "the newest version is missing",
        |flows| flows.remove(&newest(&flows.keyed)),
        &["KEYED: expected a newest version besides the history, which ends at version 3, found nothing"],
    ),
    (
        "the number of the newest version is too high",
        |flows| flows.change(&newest(&flows.keyed), |item| item["version"] = json!({ "N": "6" })),
        &["KEYED: expected versions 4 to 5 in the history, found nothing"],
    ),
    (
        "the number of the newest version is too low",
        |flows| flows.change(&newest(&flows.keyed), |item| item["version"] = json!({ "N": "2" })),
        &["KEYED: expected a history that ends before version 2, which is the newest, found versions 2 to 3 in it"],
    ),
    (
        "the number of the newest version is a string",
        |flows| flows.set(&newest(&flows.keyed), "version", "4"),
        &["KEYED: version 4, the newest: version: expected 4, found \"4\", a string where a number belongs"],
    ),
    (
        "a version of the history says that it is another",
        |flows| flows.change(&version(&flows.keyed, 2), |item| item["version"] = json!({ "N": "1" })),
        &["KEYED: version 2: version: expected 2, found 1"],
    ),
    (
        "the configuration is not JSON",
        |flows| flows.set(&newest(&flows.keyed), "configuration", "{\"secret\": "),
        &[
            "KEYED: version 4, the newest: expected a flow that can be read, found: stored flow: unreadable configuration",
        ],
    ),
    (
        "the configuration has a member twice",
        |flows| flows.set(&version(&flows.keyed, 3), "configuration", r#"{"secret": 1, "secret": 2}"#),
        &["KEYED: version 3: expected content that can be read, found: stored flow: unreadable configuration"],
    ),
    (
        "the configuration breaks the rules",
        |flows| flows.set(&version(&flows.keyed, 3), "configuration", r#"{"securityThresholds": {"secret": 2}}"#),
        &["KEYED: version 3: configuration: expected what its rules allow, found INVALID_CONFIGURATION"],
    ),
    (
        "the steps break the rules",
        |flows| flows.set(&newest(&flows.new), "steps", "[]"),
        &["NEW: version 1, the newest: steps: expected what its rules allow, found INVALID_STEPS"],
    ),
    (
        "the status is unknown",
        |flows| flows.set(&newest(&flows.keyed), "status", "archived"),
        &["KEYED: version 4, the newest: expected a flow that can be read, found: stored flow: unreadable status"],
    ),
    (
        "the newest version has no number",
        |flows| flows.change(&newest(&flows.keyed), |item| drop(item.as_object_mut().unwrap().remove("version"))),
        &["KEYED: newest version: expected a flow that can be read, found: stored flow: unreadable version"],
    ),
    (
        "the moment of a version is none",
        |flows| flows.set(&version(&flows.keyed, 2), "updatedAt", "yesterday"),
        &["KEYED: version 2: updatedAt: expected an instant as in 2024-01-15T10:30:00Z, found \"yesterday\""],
    ),
    (
        "a version was written before the one before it",
        |flows| flows.set(&version(&flows.keyed, 3), "updatedAt", "2024-01-15T10:30:00Z"),
        &["KEYED: version 3: updatedAt: expected TIME or later, when the version before was written, \
           found 2024-01-15T10:30:00Z"],
    ),
    (
        "the newest version was written before the one before it",
        |flows| flows.set(&newest(&flows.keyed), "updatedAt", "2024-01-15T10:30:00Z"),
        &["KEYED: version 4, the newest: updatedAt: expected TIME or later, when the version before was written, \
           found 2024-01-15T10:30:00Z"],
    ),
    (
        "the newest version is another client's",
        |flows| flows.set(&newest(&flows.keyed), "client", "client_2"),
        &["KEYED: version 4, the newest: client: expected \"client_123456789\", found \"client_2\""],
    ),
    (
        "a version of the history is another client's",
        |flows| flows.set(&version(&flows.keyed, 1), "client", "client_2"),
        &["KEYED: version 1: client: expected \"client_123456789\", found \"client_2\""],
    ),
    (
        "a version says that it is another flow's",
        |flows| flows.set(&version(&flows.keyed, 1), "_id", &flows.new),
        &["KEYED: version 1: _id: expected \"KEYED\", found \"NEW\""],
    ),
    (
        "the project of a version is another",
        |flows| flows.set(&version(&flows.keyed, 2), "project", "project_2"),
        &[
            "KEYED: version 2: project: expected \"project_123456789\", found \"project_2\", though it never changes and \
           the newest version has it so",
        ],
    ),
    (
        "the type of a version is another",
        |flows| flows.set(&version(&flows.keyed, 2), "type", "login"),
        &["KEYED: version 2: type: expected \"onboarding\", found \"login\", though it never changes and the newest \
           version has it so"],
    ),
    (
        "the creation of a version is another",
        |flows| flows.set(&version(&flows.keyed, 2), "createdAt", "2024-01-15T10:30:00Z"),
        &[
            "KEYED: version 2: createdAt: expected \"TIME\", found \"2024-01-15T10:30:00Z\", though it never changes and \
           the newest version has it so",
        ],
    ),
    (
        "the fingerprint of a version is another",
        |flows| flows.set(&version(&flows.keyed, 1), "fingerprint", "secret"),
        &[
            "KEYED: version 1: fingerprint: expected another value, found something else, though it never changes and the \
           newest version has it so",
        ],
    ),
    (
        "no list shows a flow",
        |flows| flows.change(&newest(&flows.keyed), |item| drop(item.as_object_mut().unwrap().remove("listKey"))),
        &["KEYED: version 4, the newest: listKey: expected \"TIME#KEYED\", found nothing"],
    ),
    (
        "lists show a flow at the place of another",
        |flows| {
            flows.change(&newest(&flows.keyed), |item| {
                item["listKey"] = flows.item(&newest(&flows.new))["listKey"].clone();
            });
        },
        &["KEYED: version 4, the newest: listKey: expected \"TIME#KEYED\", found \"TIME#NEW\""],
    ),
    (
        "lists show a deleted flow",
        |flows| flows.set(&newest(&flows.deleted), "listKey", "anywhere"),
        &["DELETED: version 3, the newest: listKey: expected nothing, found \"anywhere\""],
    ),
    (
        "lists show an earlier version",
        |flows| flows.set(&version(&flows.keyed, 2), "listKey", "anywhere"),
        &["KEYED: version 2: listKey: expected nothing, found \"anywhere\""],
    ),
    (
        "a version has an attribute of no flow",
        |flows| flows.set(&version(&flows.keyed, 2), "note", "secret"),
        &["KEYED: version 2: note: expected nothing, found something else"],
    ),
    (
        "a client has items of another kind",
        |flows| {
            let item = flows.item(&newest(&flows.new));
            let short = format!("VERSION#{}#1", flows.new);
            for sort in ["A", "FLOW#1", "GOAL#1", &short, "\u{10ffff}", "\u{10ffff}\u{10ffff}"] {
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
        },
        &[
            "partition \"CLIENT#client_123456789\", item \"A\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"FLOW#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"GOAL#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"VERSION#NEW#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"\\u{10ffff}\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"\\u{10ffff}\\u{10ffff}\": OTHER KIND",
        ],
    ),
    (
        "a partition is nobody's",
        |flows| {
            for partition in ["NOBODY", "CLIENT#", "CLIENT#with space"] {
                let key = json!({ "pk": { "S": partition }, "sk": { "S": newest(&flows.new) } });
                flows.engine.put(engine::TABLE, &key);
            }
        },
        &[
            "partition \"CLIENT#\", item \"FLOW#NEW\": OTHER KIND",
            "partition \"CLIENT#with space\", item \"FLOW#NEW\": OTHER KIND",
            "partition \"NOBODY\", item \"FLOW#NEW\": OTHER KIND",
        ],
    ),
    (
        "two damages at once",
        |flows| {
            flows.remove(&version(&flows.keyed, 1));
            flows.remove(&version(&flows.deleted, 2));
        },
        &[
            "DELETED: expected version 2 in the history, found nothing",
            "KEYED: expected version 1 in the history, found nothing",
        ],
    ),
];

#[tokio::test]
async fn each_damage_is_found_and_named_and_nothing_else_is() {
    let sound = flows().await;
    // The flows are made within a second or two.
    let mut times = BTreeSet::new();
    for item in sound.engine.items() {
        times.extend(["createdAt", "updatedAt"].map(|name| item[name]["S"].as_str().unwrap().to_owned()));
    }
    let unnamed = |line: &String| {
        let line = times.iter().fold(line.clone(), |line, one| line.replace(one, "TIME"));
        line.replace(&sound.keyed, "KEYED").replace(&sound.new, "NEW").replace(&sound.deleted, "DELETED")
    };
    for (name, damage, expected) in DAMAGES {
        let flows = sound.copy().await;
        damage(&flows);

        let checked = fsck(&flows.engine.url, engine::TABLE).await;

        let mut found: Vec<_> = checked.findings.iter().map(unnamed).collect();
        found.sort();
        let kind = "expected a flow of a client or an earlier version of one, found an item of another kind";
        let whole = |line: &&str| {
            if line.starts_with("partition") { line.replace("OTHER KIND", kind) } else { format!("{OF}{line}") }
        };
        assert_eq!(found, expected.iter().map(whole).collect::<Vec<_>>(), "{name}");
        assert_eq!((checked.status, checked.error.as_str()), (1, ""), "{name}");
        assert!(checked.closing.starts_with(&format!("findings: {} in ", expected.len())), "{checked:?}");
        for secret in ["secret", "Onboarding Flow", "verificationCode", "Version 4"] {
            assert!(checked.findings.iter().all(|line| !line.contains(secret)), "{name}: {checked:?}");
        }
    }
}

/// A database whose table is that of one engine, and whose index that of another.
async fn parted(table: &Engine, index: &Engine) -> String {
    parted_with(table, index, || ()).await
}

/// The same, where `happens` before and after each read of the index.
async fn parted_with(table: &Engine, index: &Engine, happens: impl Fn() + Clone + Send + 'static) -> String {
    let engines = [&table.url, &index.url].map(|url| url.strip_prefix("http://").unwrap().to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (engines, happens) = (engines.clone(), happens.clone());
            tokio::spawn(async move {
                while let Some(request) = read_message(&mut client).await {
                    let call: Value = serde_json::from_slice(body(&request)?).ok()?;
                    let of_index = call.get("IndexName").is_some();
                    if of_index {
                        happens();
                    }
                    let mut engine = TcpStream::connect(&engines[usize::from(of_index)]).await.ok()?;
                    engine.write_all(&request).await.ok()?;
                    let answer = read_message(&mut engine).await?;
                    if of_index {
                        happens();
                    }
                    client.write_all(&answer).await.ok()?;
                }
                Some(())
            });
        }
    });
    url
}

#[tokio::test]
async fn an_index_that_disagrees_with_the_table_is_found() {
    let flows = flows().await;
    let index = Engine::start().await;
    let items = flows.engine.items();
    let list_key = |id: &str| flows.item(&newest(id))["listKey"]["S"].as_str().unwrap().to_owned();
    // The index is that of a table where one flow is not yet, one was not yet deleted, and one not yet changed.
    let deleted_at = list_key(&flows.new).replace(&flows.new, &flows.deleted);
    for item in &items {
        let mut item = item.clone();
        match &item["sk"]["S"] {
            sort if *sort == newest(&flows.new) => continue,
            sort if *sort == newest(&flows.deleted) => item["listKey"] = json!({ "S": deleted_at }),
            sort if *sort == newest(&flows.keyed) => {
                item["version"] = json!({ "N": "3" });
                item["name"] = json!({ "S": "Version 3" });
            }
            _ => {}
        }
        index.put(engine::TABLE, &item);
    }
    // And there was another client.
    let mut stray = flows.item(&newest(&flows.new));
    stray["pk"] = json!({ "S": "CLIENT#gone" });
    stray["client"] = json!({ "S": "gone" });
    index.put(engine::TABLE, &stray);

    let checked = fsck(&parted(&flows.engine, &index).await, engine::TABLE).await;

    let new_at = list_key(&flows.new);
    let mut expected = [
        format!(
            "{OF}{}: index newest-first: expected an entry at {new_at:?} of client {CLIENT:?}, found nothing",
            flows.new
        ),
        format!("{OF}{}: index newest-first: name: expected another value, found something else", flows.keyed),
        format!("{OF}{}: index newest-first: version: expected 4, found 3", flows.keyed),
        format!(
            "{OF}{}: index newest-first: expected nothing at {deleted_at:?} of client {CLIENT:?}, as in the table, found an \
             entry",
            flows.deleted
        ),
        format!(
            "client \"gone\", flow {}: index newest-first: expected nothing at {new_at:?} of client \"gone\", as in the \
             table, found an entry",
            flows.new
        ),
    ];
    expected.sort();
    assert_eq!(checked.findings, expected);
    assert_eq!(checked.status, 1);
}

#[tokio::test]
async fn an_index_that_is_behind_is_no_finding_once_it_has_caught_up() {
    let flows = flows().await;
    let index = Engine::start().await;
    for item in flows.engine.items().iter().filter(|item| item["sk"]["S"] != newest(&flows.new)) {
        index.put(engine::TABLE, item);
    }
    let url = parted(&flows.engine, &index).await;
    let catches_up = async {
        // After the first look at the index, before the second: an item that was just written is given two seconds.
        tokio::time::sleep(Duration::from_millis(700)).await;
        index.put(engine::TABLE, &flows.item(&newest(&flows.new)));
    };
    // So that it is seen as just written.
    flows.change(&newest(&flows.new), |item| {
        item["updatedAt"] = json!({ "S": "2999-01-01T00:00:00Z" });
    });

    binary();
    let (checked, ()) = tokio::join!(fsck(&url, engine::TABLE), catches_up);

    checked.expect_healthy();
}

#[tokio::test]
async fn a_flow_that_changes_at_every_look_is_counted_and_is_no_finding() {
    let flows = flows().await;
    let changes = std::sync::Arc::new(AtomicU32::new(0));
    let (database, mut item) = (flows.engine.database.clone(), flows.item(&newest(&flows.new)));
    item["updatedAt"] = json!({ "S": "2999-01-01T00:00:00Z" });
    let change = move || {
        let mut item = item.clone();
        item["name"] = json!({ "S": format!("Change {}", changes.fetch_add(1, Ordering::Relaxed)) });
        let put = json!({ "TableName": engine::TABLE, "Item": item });
        database.put_item(serde_json::from_value(put).unwrap()).unwrap();
    };
    let url = parted_with(&flows.engine, &flows.engine, change).await;

    let checked = fsck(&url, engine::TABLE).await;

    checked.expect_healthy();
    assert!(checked.closing.contains(", flows too busy to compare with the index 1, "), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_all_the_while_is_healthy() {
    let api = std::sync::Arc::new(Api::start().await);
    binary();
    // Flows that come and go, and one that is written all the time.
    let writers = [20, 20, u32::MAX].map(|updates| {
        let api = std::sync::Arc::clone(&api);
        tokio::spawn(async move {
            loop {
                let path = path(&api.send(&Request::create(page_request())).await);
                for number in 1..=updates {
                    set(&api, &path, "name", json!(format!("{number}"))).await;
                }
                api.send(&Request::of("DELETE", &path)).await;
            }
        })
    });
    tokio::time::sleep(Duration::from_millis(500)).await;

    let checked = fsck(&api.engine.url, engine::TABLE).await;

    checked.expect_healthy();
    for writer in writers {
        assert!(!writer.is_finished());
        writer.abort();
    }
}

#[tokio::test]
async fn a_check_that_cannot_finish_says_why() {
    let flows = flows().await;
    let url = &flows.engine.url;
    let keys = json!({
        "TableName": "without-index",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
        "BillingMode": "PAY_PER_REQUEST",
    });
    flows.engine.database.create_table(serde_json::from_value(keys).unwrap()).unwrap();
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[], "could not finish: TABLE_NAME: expected the name of the table, found nothing"),
        (&[("TABLE_NAME", "")], "could not finish: TABLE_NAME: expected the name of the table, found nothing"),
        (&[("TABLE_NAME", "none")], "could not finish: Scan: ResourceNotFoundException: "),
        (&[("TABLE_NAME", "without-index")], "could not finish: Scan of the index: ValidationException: "),
        (
            &[("TABLE_NAME", engine::TABLE), ("READ_UNITS_PER_SECOND", "0")],
            "could not finish: READ_UNITS_PER_SECOND: expected a number from 1, found \"0\"",
        ),
    ];
    for (variables, expected) in rows {
        let checked = fsck_with(url, variables).await;
        assert_eq!((checked.status, checked.closing.as_str()), (2, ""), "{checked:?}");
        assert!(checked.error.starts_with(expected), "expected {expected}, found {checked:?}");
    }
}

/// What a check takes: one flow in ten has a history of three.
#[tokio::test]
#[ignore = "minutes: `make fsck-at-scale`"]
async fn at_scale_memory_is_bounded() {
    let mut peaks = Vec::new();
    for (flows, clients) in [(1_000, 1), (10_000, 1), (1_000, 100), (10_000, 1_000)] {
        let api = Api::start().await;
        for number in 0..flows {
            let client = format!("client_{}", number % clients);
            let created = api.send(&Request::create(page_request()).client(&client)).await;
            assert_eq!(created.status, 201);
            for name in ["2", "3", "4"].iter().filter(|_| number / clients % 10 == 0) {
                let update = Request::put(&path(&created), json!({ "name": name })).client(&client);
                assert_eq!(api.send(&update).await.status, 200);
            }
        }
        let begin = Instant::now();
        let checked = fsck(&api.engine.url, engine::TABLE).await;
        let seconds = begin.elapsed().as_secs_f64();
        println!("{:.1} MB at most, {seconds:.1} s; {}", checked.peak, checked.closing);
        checked.expect_healthy();
        peaks.push(checked.peak);
    }
    for (small, large) in [(peaks[0], peaks[1]), (peaks[2], peaks[3])] {
        assert!(large < small * 1.25, "expected memory that does not grow with the table, found {peaks:?} MB");
    }
}
