//! The chain of digests: its bytes stay the same for ever, and a history can be verified from outside.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, CLIENT, PLACE, Request, flow_item, newest_key, now, page_request, signed, version_key};

const ID: &str = "project_flow_0123456789abcdefghjkmnpqrs";
/// The three lines of each version that are hashed.
const GOLDEN: [&str; 3] =
    [include_str!("digest/version-1.txt"), include_str!("digest/version-2.txt"), include_str!("digest/version-3.txt")];
/// The digest of the last of them.
const LAST: &str = "BFgBSqBkaA-FROwvcPIL3pgd-h1W1Z15ebzmBVuMmBM";

pub fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The texts of `data` and of `change` without its digest, in an answer.
fn texts(answer: &str) -> (&str, String) {
    let (data, change) = answer.rsplit_once(",\"change\":").unwrap();
    let data = data.strip_prefix("{\"success\":true,\"data\":").unwrap();
    let (rest, _) = change.rsplit_once("\"digest\":").unwrap();
    (data, format!("{}}}", rest.trim_end_matches(',')))
}

/// Three versions whose bytes are known: every spelling that a flow can have, with and without an author and a note.
fn versions() -> [Value; 3] {
    let mut first = flow_item("client_1", ID, "2024-01-15T10:30:00Z");
    first["name"] = json!({ "S": "Näme \"one\"" });
    first["configuration"] = json!({ "S": "{\"a\": 1.00,\n \"b\":{\"\":[ 1e2 ]}}" });
    first["by"] = json!({ "S": "auth0|ann" });
    first["note"] = json!({ "S": "First, with \"quotes\"" });
    let mut second = first.clone();
    second["version"] = json!({ "N": "2" });
    second["updatedAt"] = json!({ "S": "2024-01-15T10:31:00.310Z" });
    second["description"] = json!({ "S": "Described" });
    for absent in ["by", "note"] {
        second.as_object_mut().unwrap().remove(absent);
    }
    let mut third = first.clone();
    third["version"] = json!({ "N": "3" });
    third["updatedAt"] = json!({ "S": "2024-01-15T10:32:00.999Z" });
    third["restored"] = json!({ "N": "1" });
    third["note"] = json!({ "S": "Ends with a comma," });
    [first, second, third]
}

#[tokio::test]
async fn the_bytes_of_a_digest_are_the_same_for_ever() {
    let api = Api::start().await;
    for (version, mut item) in (1..).zip(versions()) {
        if version < 3 {
            item["sk"] = json!({ "S": version_key(ID, version) });
            item.as_object_mut().unwrap().remove("listKey");
        }
        item["digest"] = json!({ "S": GOLDEN.get(usize::try_from(version).unwrap()).map_or(LAST, |next| next.lines().next().unwrap()) });
        api.engine.put(engine::TABLE, &item);
    }
    let mut previous = String::new();
    for (version, golden) in (1..).zip(GOLDEN) {
        let answer =
            api.send(&Request::get(&format!("/v2/project-flows/{ID}/versions/{version}")).client("client_1")).await;
        let (data, change) = texts(&answer.text);
        assert_eq!(format!("{previous}\n{data}\n{change}"), golden, "version {version}");
        previous = sha256(golden);
        assert_eq!(answer.json()["change"]["digest"], previous, "version {version}");
    }
    assert_eq!(previous, LAST);

    // The function itself goes on with the same chain.
    let update = Request::put(
        &format!("/v2/project-flows/{ID}"),
        json!({ "status": "active", "steps": page_request()["steps"] }),
    );
    assert_eq!(api.send(&update.client("client_1")).await.status, 200);
    let fourth = api.send(&Request::get(&format!("/v2/project-flows/{ID}/versions/4")).client("client_1")).await;
    let (data, change) = texts(&fourth.text);
    assert_eq!(fourth.json()["change"]["digest"], sha256(&format!("{LAST}\n{data}\n{change}")));
}

/// A client of docs/api.md: the lines of Python between the two marks.
fn verifier() -> String {
    let page = include_str!("../../docs/api.md");
    let (_, rest) = page.split_once("```python\nimport base64").unwrap();
    format!("import base64{}", rest.split_once("```").unwrap().0)
}

/// What the client says of a history: `Ok` if every digest is as it should be.
fn verify(answers: &BTreeMap<String, String>, id: &str) -> Result<(), String> {
    run(&format!("verify(json.load(sys.stdin).get, {id:?})"), answers)
}

/// The same of the releases of a place.
fn verify_releases(answers: &BTreeMap<String, String>) -> Result<(), String> {
    run("verify_releases(json.load(sys.stdin).get, 'project_123456789/onboarding')", answers)
}

fn run(call: &str, answers: &BTreeMap<String, String>) -> Result<(), String> {
    let program = format!("{}\nimport sys\n{call}\n", verifier());
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", &program]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(serde_json::to_string(answers).unwrap().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

#[tokio::test]
async fn the_client_of_the_guide_verifies_what_was_live() {
    let api = Api::start().await;
    let path = api.create_active().await;
    api.set(&path, "configuration", json!({ "pad": "p".repeat(5_000) })).await;
    for request in [
        Request::release(&path, 2).by("ann").query("note=%22%2C%22until%22%3A"),
        Request::release(&path, 3).by("bob"),
        Request::delete(PLACE).by("ann").query("note=Why"),
        Request::release(&path, 2),
        Request::put(&path, json!({ "name": "Fourth" })),
    ] {
        assert_eq!(api.send(&request).await.status, 200);
    }
    let releases = format!("{PLACE}/releases");
    let mut answers = BTreeMap::new();
    for path in [releases.clone(), format!("{path}/versions/2"), format!("{path}/versions/3")] {
        answers.insert(path.clone(), api.get(&path).await.text);
    }
    assert_eq!(verify_releases(&answers), Ok(()));

    let entries = api.get(&releases).await.json()["data"].as_array().unwrap().clone();
    let since = |number: usize| format!("\"since\":{}", entries[4 - number]["since"]);
    let text = |number: usize| {
        let from = answers[&releases].find(&format!("{{\"number\":{number},")).unwrap();
        let length = answers[&releases][from..].find('}').unwrap() + 1;
        answers[&releases][from..from + length].to_owned()
    };
    let rewritten = |from: &str, to: &str| answers[&releases].replacen(from, to, 1);
    let (second, third) = (text(2), text(3));
    let swapped =
        |text: &str, from: u64, to: u64| text.replace(&format!("\"number\":{from}"), &format!("\"number\":{to}"));
    let rows = [
        ("release 2", rewritten("\"by\":\"bob\"", "\"by\":\"ann\""), "its author"),
        ("release 3", rewritten("\"note\":\"Why\"", "\"note\":\"Because\""), "its reason"),
        ("release 2", rewritten(&second, &second.replace(&since(2), "\"since\":\"2024-01-15T10:30:00Z\"")), "its time"),
        ("release 2", rewritten(&second, &second.replace("\"version\":3", "\"version\":2")), "what it put in force"),
        ("release 2", rewritten(&format!("{second},"), ""), "one is left out"),
        (
            "release 2",
            rewritten(&second, "SECOND")
                .replace(&third, &swapped(&second, 2, 3))
                .replace("SECOND", &swapped(&third, 3, 2)),
            "two are swapped",
        ),
    ];
    for (expected, text, why) in rows {
        assert_ne!(text, answers[&releases], "{why}");
        let mut answers = answers.clone();
        answers.insert(releases.clone(), text);
        let error = verify_releases(&answers).expect_err(why);
        assert!(error.contains(&format!("AssertionError: {expected}:")), "{why}: {error}");
    }
}

#[tokio::test]
async fn the_client_of_the_guide_verifies_a_whole_history() {
    let api = Api::start().await;
    let claims = json!({ "clientId": CLIENT, "sub": "ann", "exp": now() + 600 });
    let ann = |request: Request| request.header("authorization", &format!("Bearer {}", signed(&claims)));
    let path = api.create_from(&ann(Request::create(page_request()).query("note=%22One%22%2C%7D"))).await;
    let id = path.rsplit_once('/').unwrap().1;
    // Versions 1 and 2 are from before there were digests.
    api.set(&path, "name", json!("Second")).await;
    for key in [version_key(id, 1), newest_key(id)] {
        let mut item = api.engine.item(&key);
        item.as_object_mut().unwrap().remove("digest");
        api.engine.put(engine::TABLE, &item);
    }
    api.set(&path, "configuration", json!({ "a": "\u{1f5d1}\n", "emailVerification": { "enabled": true } })).await;
    for request in [
        ann(Request::put(&path, json!({ "description": null })).query("note=a%2C")),
        ann(Request::delete(&path)),
        Request::restore(&path, 3).query("note=Back"),
    ] {
        assert_eq!(api.send(&request).await.status, 200);
    }
    let mut answers = BTreeMap::new();
    let versions = format!("{path}/versions");
    answers.insert(versions.clone(), api.get(&versions).await.text);
    for version in 1..=6 {
        let version = format!("{versions}/{version}");
        answers.insert(version.clone(), api.get(&version).await.text);
    }
    assert_eq!(verify(&answers, id), Ok(()));

    for (version, from, to) in
        [(4, "\"by\":\"ann\"", "\"by\":\"bob\""), (5, "deleted", "paused"), (3, "Second", "Third")]
    {
        let mut rewritten = answers.clone();
        let text = rewritten.get_mut(&format!("{versions}/{version}")).unwrap();
        assert!(text.contains(from), "{text}");
        *text = text.replace(from, to);
        let error = verify(&rewritten, id).unwrap_err();
        assert!(error.contains(&format!("version {version}")), "{error}");
    }
}
