//! Tables with one damage each: it is found and named, and nothing else is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Flows, OF};
use crate::engine;
use crate::support::{build_fsck, fsck, newest_key, version_key};

/// A damage, what makes it, and the findings.
///
/// In a finding, KEYED, NEW, DELETED, LIVE, PAUSED and REVIEWED stand for the ids of flows, PLACE, LOGIN and REVIEWS for places, and TIME for a time
/// at which the table was made. OTHER KIND stands for a longer text. Each finding about a flow goes on after [`OF`].
pub type Damage = (&'static str, fn(&Flows), &'static [&'static str]);

const DAMAGES: [Damage; 39] = [
    (
        "the content of a version was rewritten",
        |flows| flows.set(&version_key(&flows.keyed, 2), "name", "Another"),
        &["KEYED: version 2: digest: expected that of this version after the one before it, found another"],
    ),
    (
        "the author of a version was rewritten",
        |flows| flows.set(&version_key(&flows.keyed, 3), "by", "another"),
        &["KEYED: version 3: digest: expected that of this version after the one before it, found another"],
    ),
    (
        "the newest version was rewritten with its digest",
        |flows| flows.set(&newest_key(&flows.keyed), "digest", "LzoMKCqE6KhfVry3eBqJiYexHakvjyWyBk8KLGQaWDU"),
        &["KEYED: version 4, the newest: digest: expected that of this version after the one before it, found another"],
    ),
    (
        "a version has lost its digest",
        |flows| {
            flows.change(&version_key(&flows.keyed, 2), |item| drop(item.as_object_mut().unwrap().remove("digest")));
        },
        &["KEYED: version 2: digest: expected one, as the version before has, found nothing"],
    ),
    (
        "an issuer's keys are no keys",
        |flows| {
            let item = json!({ "pk": { "S": "KEYS" }, "sk": { "S": "https://issuer.example/keys" },
                "jwks": { "S": "{}" }, "fetchedAt": { "N": "1" }, "triedAt": { "N": "1" } });
            flows.engine.put(engine::TABLE, &item);
        },
        &[
            "partition \"KEYS\", item \"https://issuer.example/keys\": jwks: expected a JWK Set with a usable key, found \
           another text",
        ],
    ),
    (
        "the time when an issuer's keys were fetched is no number",
        |flows| {
            let item = json!({ "pk": { "S": "KEYS" }, "sk": { "S": "https://issuer.example/keys" },
                "fetchedAt": { "S": "today" }, "triedAt": { "N": "1" } });
            flows.engine.put(engine::TABLE, &item);
        },
        &[
            "partition \"KEYS\", item \"https://issuer.example/keys\": fetchedAt: expected milliseconds since 1970, found \
           something else",
        ],
    ),
    (
        "a version in the middle is missing",
        |flows| flows.remove(&version_key(&flows.keyed, 2)),
        &["KEYED: expected version 2 in the history, found nothing"],
    ),
    (
        "the first version is missing",
        |flows| flows.remove(&version_key(&flows.keyed, 1)),
        &["KEYED: expected version 1 in the history, found nothing"],
    ),
    (
        "the version before the newest is missing",
        |flows| flows.remove(&version_key(&flows.keyed, 3)),
        &["KEYED: expected version 3 in the history, found nothing"],
    ),
    (
        "the whole history is missing",
        |flows| (1..=3).for_each(|number| flows.remove(&version_key(&flows.keyed, number))),
        &["KEYED: expected versions 1 to 3 in the history, found nothing"],
    ),
    (
        "the newest version is missing",
        |flows| flows.remove(&newest_key(&flows.keyed)),
        &["KEYED: expected a newest version besides the history, which ends at version 3, found nothing"],
    ),
    (
        "the number of the newest version is too high",
        |flows| flows.change(&newest_key(&flows.keyed), |item| item["version"] = json!({ "N": "6" })),
        &[
            "KEYED: expected versions 4 to 5 in the history, found nothing",
            "KEYED: version 6, the newest: changeKey: expected \"TIME#KEYED#0000000006\", found \"TIME#KEYED#0000000004\"",
        ],
    ),
    (
        "the number of the newest version is too low",
        |flows| flows.change(&newest_key(&flows.keyed), |item| item["version"] = json!({ "N": "2" })),
        &[
            "KEYED: expected a history that ends before version 2, which is the newest, found versions 2 to 3 in it",
            "KEYED: version 2, the newest: changeKey: expected \"TIME#KEYED#0000000002\", found \"TIME#KEYED#0000000004\"",
        ],
    ),
    (
        "the number of the newest version is a string",
        |flows| flows.set(&newest_key(&flows.keyed), "version", "4"),
        &["KEYED: version 4, the newest: version: expected 4, found \"4\", a string where a number belongs"],
    ),
    (
        "a version of the history says that it is another",
        |flows| flows.change(&version_key(&flows.keyed, 2), |item| item["version"] = json!({ "N": "1" })),
        &["KEYED: version 2: version: expected 2, found 1"],
    ),
    (
        "the configuration is not JSON",
        |flows| flows.set(&newest_key(&flows.keyed), "configuration", "{\"secret\": "),
        &[
            "KEYED: version 4, the newest: expected a flow that can be read, found: stored item: unreadable configuration",
        ],
    ),
    (
        "the configuration has a member twice",
        |flows| flows.set(&version_key(&flows.keyed, 3), "configuration", r#"{"secret": 1, "secret": 2}"#),
        &["KEYED: version 3: expected content that can be read, found: stored item: unreadable configuration"],
    ),
    (
        "the status is unknown",
        |flows| flows.set(&newest_key(&flows.keyed), "status", "archived"),
        &["KEYED: version 4, the newest: expected a flow that can be read, found: stored item: unreadable status"],
    ),
    (
        "the newest version has no number",
        |flows| flows.change(&newest_key(&flows.keyed), |item| drop(item.as_object_mut().unwrap().remove("version"))),
        &["KEYED: newest version: expected a flow that can be read, found: stored item: unreadable version"],
    ),
    (
        "the time of a version is not a time",
        |flows| flows.set(&version_key(&flows.keyed, 2), "updatedAt", "yesterday"),
        &[
            "KEYED: version 2: changeKey: expected \"yesterday#KEYED#0000000002\", found \"TIME#KEYED#0000000002\"",
            "KEYED: version 2: updatedAt: expected an instant as in 2024-01-15T10:30:00.123Z, found \"yesterday\"",
        ],
    ),
    (
        "a version was written before the one before it",
        |flows| flows.set(&version_key(&flows.keyed, 3), "updatedAt", "2024-01-15T10:30:00.000Z"),
        &[
            "KEYED: version 3: changeKey: expected \"2024-01-15T10:30:00.000Z#KEYED#0000000003\", found \"TIME#KEYED#0000000003\"",
            "KEYED: version 3: updatedAt: expected TIME or later, when the version before was written, \
           found 2024-01-15T10:30:00.000Z",
        ],
    ),
    (
        "the newest version was written before the one before it",
        |flows| flows.set(&newest_key(&flows.keyed), "updatedAt", "2024-01-15T10:30:00.000Z"),
        &[
            "KEYED: version 4, the newest: changeKey: expected \"2024-01-15T10:30:00.000Z#KEYED#0000000004\", found \
           \"TIME#KEYED#0000000004\"",
            "KEYED: version 4, the newest: updatedAt: expected TIME or later, when the version before was written, \
           found 2024-01-15T10:30:00.000Z",
        ],
    ),
    (
        "the newest version is another client's",
        |flows| flows.set(&newest_key(&flows.keyed), "client", "client_2"),
        &["KEYED: version 4, the newest: client: expected \"client_123456789\", found \"client_2\""],
    ),
    (
        "a version of the history is another client's",
        |flows| flows.set(&version_key(&flows.keyed, 1), "client", "client_2"),
        &["KEYED: version 1: client: expected \"client_123456789\", found \"client_2\""],
    ),
    (
        "a version says that it is another flow's",
        |flows| flows.set(&version_key(&flows.keyed, 1), "_id", &flows.new),
        &["KEYED: version 1: _id: expected \"KEYED\", found \"NEW\""],
    ),
    (
        "the project of a version is another",
        |flows| flows.set(&version_key(&flows.keyed, 2), "project", "project_2"),
        &[
            "KEYED: version 2: project: expected \"project_123456789\", found \"project_2\", though it never changes and \
           the newest version has it so",
        ],
    ),
    (
        "the type of a version is another",
        |flows| flows.set(&version_key(&flows.keyed, 2), "type", "login"),
        &["KEYED: version 2: type: expected \"onboarding\", found \"login\", though it never changes and the newest \
           version has it so"],
    ),
    (
        "the creation of a version is another",
        |flows| flows.set(&version_key(&flows.keyed, 2), "createdAt", "2024-01-15T10:30:00.000Z"),
        &[
            "KEYED: version 2: createdAt: expected \"TIME\", found \"2024-01-15T10:30:00.000Z\", though it never changes and \
           the newest version has it so",
        ],
    ),
    (
        "the fingerprint of a version is another",
        |flows| flows.set(&version_key(&flows.keyed, 1), "fingerprint", "secret"),
        &[
            "KEYED: version 1: fingerprint: expected another value, found something else, though it never changes and the \
           newest version has it so",
        ],
    ),
    (
        "no list shows a flow",
        |flows| flows.change(&newest_key(&flows.keyed), |item| drop(item.as_object_mut().unwrap().remove("listKey"))),
        &["KEYED: version 4, the newest: listKey: expected \"TIME#KEYED\", found nothing"],
    ),
    (
        "lists show a flow in the place of another one",
        |flows| {
            flows.change(&newest_key(&flows.keyed), |item| {
                item["listKey"] = flows.engine.item(&newest_key(&flows.new))["listKey"].clone();
            });
        },
        &["KEYED: version 4, the newest: listKey: expected \"TIME#KEYED\", found \"TIME#NEW\""],
    ),
    (
        "the trash shows a deleted flow in no place of its own",
        |flows| flows.set(&newest_key(&flows.deleted), "listKey", "anywhere"),
        &["DELETED: version 3, the newest: listKey: expected \"~TIME#DELETED\", found \"anywhere\""],
    ),
    (
        "the list of flows shows a deleted flow",
        |flows| {
            flows.change(&newest_key(&flows.deleted), |item| {
                item["listKey"] = flows.engine.item(&newest_key(&flows.new))["listKey"].clone();
            });
        },
        &["DELETED: version 3, the newest: listKey: expected \"~TIME#DELETED\", found \"TIME#NEW\""],
    ),
    (
        "the trash shows a flow that is not deleted",
        |flows| {
            let key = format!("~{}", flows.engine.item(&newest_key(&flows.keyed))["listKey"]["S"].as_str().unwrap());
            flows.set(&newest_key(&flows.keyed), "listKey", &key);
        },
        &["KEYED: version 4, the newest: listKey: expected \"TIME#KEYED\", found \"~TIME#KEYED\""],
    ),
    (
        "lists show an earlier version",
        |flows| flows.set(&version_key(&flows.keyed, 2), "listKey", "anywhere"),
        &["KEYED: version 2: listKey: expected nothing, found \"anywhere\""],
    ),
    (
        "a version has an attribute that no flow has",
        |flows| flows.set(&version_key(&flows.keyed, 2), "remark", "secret"),
        &["KEYED: version 2: remark: expected nothing, found something else"],
    ),
    (
        "a client has items that are no flows",
        |flows| {
            let item = flows.engine.item(&newest_key(&flows.new));
            let short = format!("VERSION#{}#1", flows.new);
            for sort in ["A", "FLOW#1", "GOAL#1", "LIVE#", "LIVE#p#logon", "M", "RELEASE#", "REVIEW#", "VERSION#"] {
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
            for release in ["#login#2024-01-15T10:30:00Z#0000000001", "p#login#today#0000000001"] {
                let sort = format!("RELEASE#{release}");
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
            for release in ["#1", "#0000000000", "#0000000001#"] {
                let sort = format!("RELEASE#p#login#2024-01-15T10:30:00Z{release}");
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
            for review in ["#1", "#0000000000", "#0000000001#", ""] {
                let sort = format!("REVIEW#p#login#{}{review}", flows.new);
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
            for sort in [&short, "\u{10ffff}", "\u{10ffff}\u{10ffff}"] {
                flows.engine.put(engine::TABLE, &json!({ "pk": item["pk"], "sk": { "S": sort } }));
            }
        },
        &[
            "partition \"CLIENT#client_123456789\", item \"A\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"FLOW#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"GOAL#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"LIVE#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"LIVE#p#logon\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"M\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE##login#2024-01-15T10:30:00Z#0000000001\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE#p#login#2024-01-15T10:30:00Z#0000000000\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE#p#login#2024-01-15T10:30:00Z#0000000001#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE#p#login#2024-01-15T10:30:00Z#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"RELEASE#p#login#today#0000000001\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"REVIEW#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"REVIEW#p#login#NEW\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"REVIEW#p#login#NEW#0000000000\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"REVIEW#p#login#NEW#0000000001#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"REVIEW#p#login#NEW#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"VERSION#\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"VERSION#NEW#1\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"\\u{10ffff}\": OTHER KIND",
            "partition \"CLIENT#client_123456789\", item \"\\u{10ffff}\\u{10ffff}\": OTHER KIND",
        ],
    ),
    (
        "a partition belongs to no client",
        |flows| {
            for partition in ["NOBODY", "CLIENT#", "CLIENT#with space"] {
                let key = json!({ "pk": { "S": partition }, "sk": { "S": newest_key(&flows.new) } });
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
            flows.remove(&version_key(&flows.keyed, 1));
            flows.remove(&version_key(&flows.deleted, 2));
        },
        &[
            "DELETED: expected version 2 in the history, found nothing",
            "KEYED: expected version 1 in the history, found nothing",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damage_is_found_and_named_and_nothing_else_is_reported() {
    expect_findings(&DAMAGES).await;
}

/// Checks a table with each of these damages. Most of the time the checks wait for a transaction that may be under way.
pub async fn expect_findings(damages: &'static [Damage]) {
    let healthy = Arc::new(Flows::create().await);
    let turns = Arc::new(Semaphore::new(8));
    let mut checks = JoinSet::new();
    build_fsck();
    for damage in damages {
        let (healthy, turns) = (Arc::clone(&healthy), Arc::clone(&turns));
        checks.spawn(async move {
            let _turn = turns.acquire().await;
            wrong_findings(&healthy, damage).await
        });
    }
    let wrong = checks.join_all().await.into_iter().flatten().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is wrong with the findings in a damaged table, if anything is.
async fn wrong_findings(healthy: &Flows, (name, damage, expected): &Damage) -> Option<String> {
    // The table was made within a second or two.
    let mut times = BTreeSet::new();
    for item in healthy.engine.items() {
        let found = ["createdAt", "updatedAt", "since"].map(|name| item[name]["S"].as_str().map(str::to_owned));
        times.extend(found.into_iter().flatten());
    }
    let anonymous = |line: &String| {
        let line = times.iter().fold(line.clone(), |line, one| line.replace(one, "TIME"));
        let Flows { keyed, new, deleted, live, paused, reviewed, engine: _ } = healthy;
        let names = [(keyed, "KEYED"), (new, "NEW"), (deleted, "DELETED"), (live, "LIVE"), (paused, "PAUSED")];
        let names = names.into_iter().chain([(reviewed, "REVIEWED")]);
        names.fold(line, |line, (id, name)| line.replace(id, name))
    };
    let flows = healthy.copy().await;
    damage(&flows);

    let checked = fsck(&flows.engine.url, engine::TABLE).await;

    let mut found: Vec<_> = checked.findings.iter().map(anonymous).collect();
    found.sort();
    let kind = "expected a flow of a client, an earlier version of one or a release, found an item of another kind";
    let whole = |line: &&str| match line.split_once(": ") {
        Some(("PLACE", says)) => format!("{PLACE}{says}"),
        Some(("REVIEWED LOGIN", says)) => {
            format!("{}{says}", PLACE.replace("project_123456789", "reviewed").replace("onboarding", "login"))
        }
        Some(("REVIEWS", says)) => format!("{}{says}", PLACE.replace("project_123456789", "reviewed")),
        Some(("LOGIN", says)) => format!("{}{says}", PLACE.replace("onboarding", "login")),
        _ if line.starts_with("partition") => line.replace("OTHER KIND", kind),
        _ => format!("{OF}{line}"),
    };
    let expected: Vec<_> = expected.iter().map(whole).collect();
    let keeps_secrets = !["secret", "Onboarding Flow", "verificationCode", "Version 4"]
        .iter()
        .any(|secret| checked.findings.iter().any(|line| line.contains(secret)));
    let is_closed = checked.closing.starts_with(&format!("findings: {} in ", expected.len()));
    let is_right =
        found == expected && (checked.status, checked.error.as_str()) == (1, "") && is_closed && keeps_secrets;
    (!is_right).then(|| format!("{name}: expected {expected:#?}, found {found:#?}, {checked:?}"))
}

/// The beginning of a finding about the place of the flows of the API page.
const PLACE: &str = "client \"client_123456789\", project \"project_123456789\", type \"onboarding\": ";
