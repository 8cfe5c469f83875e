//! Tables with a damage each in what is released, and a flow that is withdrawn and paused between two reads of the check.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Flows;
use super::damages::{Damage, expect_findings};
use super::index::combine_with;
use crate::digest::sha256;
use crate::engine;
use crate::support::{fsck, newest_key, version_key};

/// The sort key of the release in force.
const HEAD: &str = "LIVE#project_123456789#onboarding";

/// What is left in the head of a place after a withdrawal.
const HEAD_OF_WITHDRAWAL: [&str; 10] =
    ["pk", "sk", "client", "project", "type", "release", "since", "action", "digest", "writeToken"];

/// The sort key of a release in the same place.
#[track_caller]
fn copy_key(flows: &Flows, number: u64) -> String {
    copy_key_in(flows, "onboarding", number)
}

#[track_caller]
fn copy_key_in(flows: &Flows, flow_type: &str, number: u64) -> String {
    let prefix = format!("RELEASE#project_123456789#{flow_type}#");
    let mut keys = flows.engine.items().into_iter().filter_map(|item| item["sk"]["S"].as_str().map(str::to_owned));
    keys.find(|key| key.starts_with(&prefix) && key.ends_with(&format!("#{number:010}"))).expect("a release")
}

/// The same release under another moment.
fn moved(flows: &Flows, number: u64, since: &str) -> Value {
    let mut item = flows.engine.item(&copy_key(flows, number));
    item["since"] = json!({ "S": since });
    item["changeKey"] = json!({ "S": format!("{since}#{}#r{number:010}", flows.live) });
    item["sk"] = json!({ "S": format!("RELEASE#project_123456789#onboarding#{since}#{number:010}") });
    item
}

/// Gives a release the digest that it has after the one with the digest `before`; `version` is that of its version.
fn seal(item: &mut Value, before: &str, version: &str) {
    let text = |name: &str| item[name]["S"].as_str();
    let second = format!("{}Z", &text("since").unwrap()[.."2024-01-15T10:30:00".len()]);
    let mut members = vec![format!("\"number\":{}", item["release"]["N"].as_str().unwrap())];
    if text("action") == Some("released") {
        members.push(format!("\"_id\":\"{}\"", text("_id").unwrap()));
        members.push(format!("\"version\":{}", item["version"]["N"].as_str().unwrap()));
    }
    members.push(format!("\"since\":\"{second}\""));
    members.extend(["by", "note"].iter().filter_map(|name| Some(format!("\"{name}\":\"{}\"", text(name)?))));
    let digest = sha256(&format!("{before}\n{version}\n{{{}}}", members.join(",")));
    item["digest"] = json!({ "S": digest });
}

/// The digest of an item.
#[track_caller]
fn digest_of(flows: &Flows, sort_key: &str) -> String {
    flows.engine.item(sort_key)["digest"]["S"].as_str().expect("a digest").to_owned()
}

/// Puts two releases in each other's place.
fn swap(flows: &Flows, one: u64, other: u64) {
    let keys = [one, other].map(|number| copy_key(flows, number));
    let items = keys.clone().map(|key| flows.engine.item(&key));
    for (item, (key, number)) in items.into_iter().rev().zip(keys.iter().zip([one, other])) {
        let since = key.rsplit('#').nth(1).unwrap();
        let mut item = item;
        item["sk"] = json!({ "S": key });
        item["release"] = json!({ "N": number.to_string() });
        item["since"] = json!({ "S": since });
        item["changeKey"] = json!({ "S": format!("{since}#{}#r{number:010}", flows.live) });
        flows.engine.put(engine::TABLE, &item);
    }
}

#[track_caller]
fn unset(flows: &Flows, sort_key: &str, attribute: &str) {
    flows.change(sort_key, |item| drop(item.as_object_mut().unwrap().remove(attribute)));
}

const LATER: &str = "2999-01-01T00:00:00.000Z";

const DAMAGES: [Damage; 42] = [
    (
        "a release in the middle is missing",
        |flows| flows.remove(&copy_key(flows, 2)),
        &["PLACE: expected release 2, found nothing"],
    ),
    (
        "the last release is missing",
        |flows| flows.remove(&copy_key(flows, 4)),
        &["PLACE: expected release 4, found nothing"],
    ),
    (
        "all releases but the one in force are missing",
        |flows| (1..=4).for_each(|number| flows.remove(&copy_key(flows, number))),
        &["PLACE: expected releases 1 to 4, found nothing"],
    ),
    (
        "a release is there twice",
        |flows| flows.engine.put(engine::TABLE, &moved(flows, 2, LATER)),
        &["PLACE: release 2: expected it once, found it again, in force since 2999-01-01T00:00:00.000Z"],
    ),
    (
        "a release is in force later than the one after it",
        |flows| {
            let item = moved(flows, 2, LATER);
            flows.remove(&copy_key(flows, 2));
            flows.engine.put(engine::TABLE, &item);
        },
        &["PLACE: release 2: since: expected TIME or earlier, as release 4 has it, found 2999-01-01T00:00:00.000Z"],
    ),
    (
        "a release says that it is in force since another moment",
        |flows| flows.set(&copy_key(flows, 2), "since", LATER),
        &["PLACE: release 2: since: expected \"TIME\", found \"2999-01-01T00:00:00.000Z\""],
    ),
    (
        "a release says that it is another",
        |flows| flows.change(&copy_key(flows, 3), |item| item["release"] = json!({ "N": "2" })),
        &["PLACE: release 3: release: expected 3, found 2"],
    ),
    (
        "the number of a release is a string",
        |flows| flows.set(&copy_key(flows, 3), "release", "3"),
        &["PLACE: release 3: release: expected 3, found \"3\", a string where a number belongs"],
    ),
    (
        "a release is another client's, and in another place",
        |flows| {
            for (name, text) in [("client", "client_2"), ("project", "project_2"), ("type", "login")] {
                flows.set(&copy_key(flows, 1), name, text);
            }
        },
        &[
            "PLACE: release 1: client: expected \"client_123456789\", found \"client_2\"",
            "PLACE: release 1: project: expected \"project_123456789\", found \"project_2\"",
            "PLACE: release 1: type: expected \"onboarding\", found \"login\"",
        ],
    ),
    (
        "a withdrawal is another client's",
        |flows| flows.set(&copy_key(flows, 3), "client", "client_2"),
        &["PLACE: release 3: client: expected \"client_123456789\", found \"client_2\""],
    ),
    (
        "a release puts a draft in force",
        |flows| flows.set(&copy_key(flows, 2), "status", "draft"),
        &["PLACE: release 2: status: expected \"active\", found \"draft\""],
    ),
    (
        "a withdrawal has content",
        |flows| flows.set(&copy_key(flows, 3), "name", "secret"),
        &[
            "PLACE: release 3: name: expected another value, found something else, though release 2, which it withdraws, has it so",
        ],
    ),
    (
        "a release is in the lists of flows",
        |flows| flows.set(HEAD, "listKey", "anywhere"),
        &["PLACE: release 4, in force: listKey: expected nothing, found \"anywhere\""],
    ),
    (
        "a release cannot be read",
        |flows| unset(flows, &copy_key(flows, 2), "writeToken"),
        &["PLACE: release 2: writeToken: expected a token, found nothing"],
    ),
    (
        "the release in force cannot be read",
        |flows| flows.set(HEAD, "status", "archived"),
        &["PLACE: release 4, in force: expected a release that can be read, found: stored item: unreadable status"],
    ),
    (
        "the release in force has no number",
        |flows| unset(flows, HEAD, "release"),
        &["PLACE: release in force: expected a release that can be read, found: stored item: unreadable release"],
    ),
    (
        "the release in force is missing",
        |flows| flows.remove(HEAD),
        &["PLACE: expected one of the releases in force, which end at release 4, found none"],
    ),
    (
        "the release before the last is in force",
        |flows| {
            let mut item = flows.engine.item(&copy_key(flows, 3));
            item["sk"] = json!({ "S": HEAD });
            item.as_object_mut().unwrap().retain(|name, _| HEAD_OF_WITHDRAWAL.contains(&name.as_str()));
            flows.engine.put(engine::TABLE, &item);
        },
        &["PLACE: release 3, in force: expected release 4, the last, found release 3"],
    ),
    (
        "the first release is in force",
        |flows| {
            let mut item = flows.engine.item(&copy_key(flows, 1));
            item["sk"] = json!({ "S": HEAD });
            item.as_object_mut().unwrap().remove("changeKey");
            flows.engine.put(engine::TABLE, &item);
        },
        &["PLACE: release 1, in force: expected release 4, the last, found release 1"],
    ),
    (
        "the release in force has lost its note",
        |flows| unset(flows, HEAD, "note"),
        &["PLACE: release 4, in force: note: expected another value, found nothing, though the release has it so"],
    ),
    (
        "the release in force says that it is so since another moment",
        |flows| flows.set(HEAD, "since", LATER),
        &[
            "PLACE: release 4, in force: since: expected \"TIME\", found \"2999-01-01T00:00:00.000Z\", though the release \
           has it so",
        ],
    ),
    (
        "the release in force is so since no moment",
        |flows| flows.set(HEAD, "since", "yesterday"),
        &["PLACE: release 4, in force: since: expected an instant as in 2024-01-15T10:30:00.123Z, found \"yesterday\""],
    ),
    (
        "the content in force was rewritten",
        |flows| flows.set(HEAD, "configuration", r#"{"secret": 1}"#),
        &[
            "PLACE: release 4, in force: configuration: expected another value, found something else, though the release \
             has it so",
        ],
    ),
    (
        "the content of a release was rewritten",
        |flows| flows.set(&copy_key(flows, 2), "name", "Another"),
        &[
            "PLACE: release 2: name: expected another value, found something else, though version 3 of flow LIVE has it so",
        ],
    ),
    (
        "the content of a release in force was rewritten, and that of its copy",
        |flows| {
            for key in [HEAD, &copy_key(flows, 4)] {
                flows.set(key, "steps", "[]");
            }
        },
        &[
            "PLACE: release 4, in force: steps: expected another value, found something else, though version 2 of flow LIVE \
             has it so",
            "PLACE: release 4: steps: expected another value, found something else, though version 2 of flow LIVE has it so",
        ],
    ),
    (
        "a release names a version that does not exist",
        |flows| flows.change(&copy_key(flows, 2), |item| item["version"] = json!({ "N": "9" })),
        &["PLACE: release 2: expected version 9 of flow LIVE, which it names, found nothing"],
    ),
    (
        "a release names a flow that does not exist",
        |flows| flows.set(&copy_key(flows, 2), "_id", "project_flow_0123456789abcdefghjkmnpqrs"),
        &["PLACE: release 2: changeKey: expected \"TIME#project_flow_0123456789abcdefghjkmnpqrs#r0000000002\", found \
             \"TIME#LIVE#r0000000002\""],
    ),
    (
        "the version that a release names is missing",
        |flows| flows.remove(&format!("VERSION#{}#{:010}", flows.live, 3)),
        &[
            "LIVE: expected version 3 in the history, found nothing",
            "PLACE: release 2: expected version 3 of flow LIVE, which it names, found nothing",
        ],
    ),
    (
        "the newest version of a live flow is missing",
        |flows| flows.remove(&newest_key(&flows.live)),
        &[
            "LIVE: expected a newest version besides the history, which ends at version 3, found nothing",
            "PLACE: status of flow LIVE: expected \"active\", because the flow is live, found nothing",
        ],
    ),
    (
        "a paused flow is live",
        |flows| {
            let mut item = flows.engine.item(&copy_key_in(flows, "login", 1));
            let since = flows.engine.item("LIVE#project_123456789#login")["since"].clone();
            item["release"] = json!({ "N": "3" });
            item["since"] = since.clone();
            let since = since["S"].as_str().unwrap();
            let before = digest_of(flows, "LIVE#project_123456789#login");
            seal(&mut item, &before, &digest_of(flows, &version_key(&flows.paused, 4)));
            item["changeKey"] = json!({ "S": format!("{since}#{}#r0000000003", flows.paused) });
            item["sk"] = json!({ "S": format!("RELEASE#project_123456789#login#{since}#0000000003") });
            flows.engine.put(engine::TABLE, &item);
            item["sk"] = json!({ "S": "LIVE#project_123456789#login" });
            item.as_object_mut().unwrap().remove("changeKey");
            flows.engine.put(engine::TABLE, &item);
        },
        &["LOGIN: status of flow PAUSED: expected \"active\", because the flow is live, found \"paused\""],
    ),
    (
        "a release and what is in force have another author",
        |flows| {
            for key in [HEAD, &copy_key(flows, 4)] {
                flows.set(key, "by", "mallory");
            }
        },
        &["PLACE: release 4: digest: expected that of this release after the one before it, found another"],
    ),
    (
        "a release and what is in force are so since a moment before",
        |flows| {
            let moment = "2024-01-15T10:30:00.000Z";
            let item = moved(flows, 1, moment);
            flows.remove(&copy_key(flows, 1));
            flows.engine.put(engine::TABLE, &item);
        },
        &["PLACE: release 1: digest: expected that of this release after the one before it, found another"],
    ),
    (
        "two releases are in each other's place",
        |flows| swap(flows, 1, 2),
        &[
            "PLACE: release 1: digest: expected that of this release after the one before it, found another",
            "PLACE: release 2: digest: expected that of this release after the one before it, found another",
            "PLACE: release 3: digest: expected that of this release after the one before it, found another",
            "PLACE: release 3: name: expected another value, found something else, though release 2, which it withdraws, has it so",
            "PLACE: release 3: updatedAt: expected \"TIME\", found \"TIME\", though release 2, which it withdraws, has it so",
            "PLACE: release 3: version: expected 2, found 3, though release 2, which it withdraws, has it so",
        ],
    ),
    (
        "a release is left out and those after it are numbered anew",
        |flows| {
            flows.remove(&copy_key(flows, 1));
            for number in 2..=4 {
                let mut item = flows.engine.item(&copy_key(flows, number));
                flows.remove(&copy_key(flows, number));
                let since = item["since"]["S"].as_str().unwrap().to_owned();
                item["release"] = json!({ "N": (number - 1).to_string() });
                item["sk"] = json!({ "S": format!("RELEASE#project_123456789#onboarding#{since}#{:010}", number - 1) });
                item["changeKey"] = json!({ "S": format!("{since}#{}#r{:010}", flows.live, number - 1) });
                flows.engine.put(engine::TABLE, &item);
            }
            flows.change(HEAD, |item| item["release"] = json!({ "N": "3" }));
        },
        &[
            "PLACE: release 1: digest: expected that of this release after the one before it, found another",
            "PLACE: release 2: digest: expected that of this release after the one before it, found another",
            "PLACE: release 3: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "a release has no digest",
        |flows| unset(flows, &copy_key(flows, 2), "digest"),
        &["PLACE: release 2: digest: expected one, found nothing"],
    ),
    (
        "a release has another digest",
        |flows| flows.set(&copy_key(flows, 2), "digest", "secret"),
        &[
            "PLACE: release 2: digest: expected that of this release after the one before it, found another",
            "PLACE: release 3: digest: expected that of this release after the one before it, found another",
        ],
    ),
    (
        "a release says that it was a withdrawal",
        |flows| flows.set(&copy_key(flows, 2), "action", "withdrawn"),
        &[
            "PLACE: release 2: configuration: expected nothing, found something else",
            "PLACE: release 2: steps: expected nothing, found something else",
        ],
    ),
    (
        "a withdrawal says that it was a release",
        |flows| flows.set(&copy_key(flows, 3), "action", "released"),
        &[
            "PLACE: release 3: configuration: expected another value, found nothing, though version 3 of flow LIVE has it so",
            "PLACE: release 3: steps: expected another value, found nothing, though version 3 of flow LIVE has it so",
        ],
    ),
    (
        "a release is in the log of changes at another moment",
        |flows| flows.set(&copy_key(flows, 2), "changeKey", "2024-01-15T10:30:00.000Z#x#r0000000002"),
        &[
            "PLACE: release 2: changeKey: expected \"TIME#LIVE#r0000000002\", found \"2024-01-15T10:30:00.000Z#x#r0000000002\"",
        ],
    ),
    (
        "what is in force is in the log of changes",
        |flows| {
            let key = flows.engine.item(&copy_key(flows, 4))["changeKey"].clone();
            flows.change(HEAD, |item| item["changeKey"] = key);
        },
        &["PLACE: release 4, in force: changeKey: expected nothing, found \"TIME#LIVE#r0000000004\""],
    ),
    (
        "what is in force lacks steps for which there is room",
        |flows| {
            unset(flows, HEAD, "configuration");
            unset(flows, HEAD, "steps");
        },
        &[
            "PLACE: release 4, in force: configuration: expected another value, found nothing, though the release has it so",
            "PLACE: release 4, in force: steps: expected another value, found nothing, though the release has it so",
        ],
    ),
    (
        "the head of a withdrawal names what it withdrew",
        |flows| {
            let name = flows.engine.item(&copy_key_in(flows, "login", 2))["name"].clone();
            flows.change("LIVE#project_123456789#login", |item| item["name"] = name);
        },
        &["LOGIN: release 2, in force: name: expected nothing, found something else"],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damage_of_a_release_is_found_and_named_and_nothing_else_is_reported() {
    expect_findings(&DAMAGES).await;
}

/// A place in which a flow is live whenever the check looks at the place, and withdrawn and paused whenever it looks at the
/// flow. It has two more releases at each look at all of them.
struct Turns {
    flows: Flows,
    number: u64,
    is_live: bool,
}

impl Turns {
    fn turn(&mut self, read: &Value) {
        let flow = newest_key(&self.flows.live);
        let sort = read["Key"]["sk"]["S"].as_str().or(read["ExpressionAttributeValues"][":first"]["S"].as_str());
        let turns: &[bool] = match sort {
            Some(sort) if sort == flow => &[false],
            Some(sort) if sort.starts_with("RELEASE#project") => &[false, true],
            Some(sort) if sort.starts_with("LIVE#") || sort.starts_with("RELEASE#") => &[true],
            _ => &[],
        };
        for is_live in turns {
            if *is_live != self.is_live {
                self.release(*is_live);
            }
        }
    }

    /// Releases the flow, or withdraws and pauses it.
    fn release(&mut self, is_live: bool) {
        (self.is_live, self.number) = (is_live, self.number + 1);
        self.flows.set(&newest_key(&self.flows.live), "status", if is_live { "active" } else { "paused" });
        let since = self.flows.engine.item(HEAD)["since"].clone();
        let mut item = self.flows.engine.item(&copy_key(&self.flows, 4));
        if !is_live {
            item["action"] = json!({ "S": "withdrawn" });
            let has = |name: &String| !["configuration", "steps", "note"].contains(&name.as_str());
            item.as_object_mut().unwrap().retain(|name, _| has(name));
        }
        let since = since["S"].as_str().unwrap();
        item["release"] = json!({ "N": self.number.to_string() });
        item["since"] = json!({ "S": since });
        item["changeKey"] = json!({ "S": format!("{since}#{}#r{:010}", self.flows.live, self.number) });
        let version = if is_live { digest_of(&self.flows, &version_key(&self.flows.live, 2)) } else { String::new() };
        seal(&mut item, &digest_of(&self.flows, HEAD), &version);
        item["sk"] = json!({ "S": format!("RELEASE#project_123456789#onboarding#{since}#{:010}", self.number) });
        self.flows.engine.put(engine::TABLE, &item);
        item["sk"] = json!({ "S": HEAD });
        item.as_object_mut()
            .unwrap()
            .retain(|name, _| name != "changeKey" && (is_live || HEAD_OF_WITHDRAWAL.contains(&name.as_str())));
        self.flows.engine.put(engine::TABLE, &item);
    }
}

#[tokio::test]
async fn a_flow_that_is_withdrawn_and_paused_between_two_reads_is_no_finding() {
    let flows = Flows::create().await;
    let engine = flows.engine.clone();
    let turns = Arc::new(Mutex::new(Turns { flows, number: 4, is_live: true }));
    let at_read = Arc::clone(&turns);
    let url = combine_with(&engine, &engine, move |read| at_read.lock().unwrap().turn(read)).await;

    fsck(&url, engine::TABLE).await.expect_healthy();

    let number = turns.lock().unwrap().number;
    assert!(number > 6, "expected a place that changes during the check and again when it looks again, found {number}");
}
