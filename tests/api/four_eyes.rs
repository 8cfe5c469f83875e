//! `FOUR_EYES=true`: nobody releases what they have written, unless it was reviewed before.

use std::collections::BTreeSet;

use oracles::proptest::prelude::*;
use oracles::proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::engine;
use crate::proxy::Fault;
use crate::support::{Answer, Api, FOUR_EYES, Options, PLACE, Request, page_request_with, version_key};

/// Changes the name of the flow at `path`, which makes a version.
async fn edit(api: &Api, author: &str, path: &str, name: &str) -> u64 {
    let answer = api.send(&Request::put(path, json!({ "name": name })).by(author)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["version"].as_u64().unwrap()
}

/// Creates a flow by one author that another one activates as version 2.
async fn create_by(api: &Api, author: &str, activates: &str) -> String {
    let path = api.create_from(&Request::create(page_request_with("name", json!("1"))).by(author)).await;
    let answer = api.send(&Request::put(&path, json!({ "status": "active" })).by(activates)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    path
}

async fn release(api: &Api, author: &str, path: &str, version: u64) -> Answer {
    api.send(&Request::release(path, version).by(author)).await
}

#[track_caller]
fn expect_own_change(answer: &Answer) {
    answer.expect(403, "OWN_CHANGE");
    assert_eq!(answer.json()["details"][0]["path"], "/version", "{answer:?}");
}

#[tokio::test]
async fn nobody_releases_what_they_have_written_unless_it_was_reviewed_before() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "ann", "bob").await;
    let attempt = async |author: &str, path: &str, version: u64, is_allowed: bool| {
        let answer = release(&api, author, path, version).await;
        if is_allowed {
            assert_eq!(answer.status, 200, "{author} releases {version}: {answer:?}");
            assert_eq!(answer.json()["release"]["reviewed"], true, "{answer:?}");
        } else {
            expect_own_change(&answer);
        }
    };
    attempt("ann", &path, 2, false).await;
    attempt("bob", &path, 2, false).await;
    attempt("", &path, 2, false).await;
    attempt("cleo", &path, 2, true).await;
    // What is live already is no release.
    attempt("bob", &path, 2, true).await;

    // Only what was written since counts: versions 3 and 4, and not 5.
    edit(&api, "cleo", &path, "3").await;
    edit(&api, "dora", &path, "4").await;
    edit(&api, "ann", &path, "5").await;
    attempt("cleo", &path, 4, false).await;
    attempt("dora", &path, 4, false).await;
    attempt("ann", &path, 4, true).await;
    attempt("ann", &path, 5, false).await;
    // A version that was skipped is not reviewed because a later one is.
    attempt("cleo", &path, 3, false).await;
    // Back to a version that was reviewed, and forth again, needs nobody else: not even its author.
    attempt("bob", &path, 2, true).await;
    attempt("ann", &path, 5, false).await;
    attempt("dora", &path, 4, true).await;
    attempt("ann", &path, 2, true).await;
    // The base is the highest version that was reviewed, and not the last.
    attempt("dora", &path, 5, true).await;

    // Another flow in the same place does not make them forget what was reviewed of this one.
    let other = create_by(&api, "emil", "emil").await;
    attempt("emil", &other, 2, false).await;
    attempt("ann", &other, 2, true).await;
    attempt("ann", &path, 5, true).await;
    edit(&api, "fay", &path, "6").await;
    attempt("fay", &path, 6, false).await;
    attempt("cleo", &path, 6, true).await;
    // A withdrawal is nobody's work, and does not make them forget either.
    let withdrawn = api.send(&Request::delete(PLACE).by("cleo")).await;
    assert_eq!((withdrawn.status, withdrawn.json()["release"].get("reviewed")), (200, None), "{withdrawn:?}");
    attempt("fay", &path, 6, true).await;
    edit(&api, "gus", &path, "7").await;
    attempt("gus", &path, 7, false).await;

    // A version without an author may be anybody's, and so may a token.
    edit(&api, "", &path, "8").await;
    attempt("ann", &path, 8, false).await;
    edit(&api, "gus", &path, "9").await;
    attempt("ann", &path, 9, false).await;
    attempt("ann", &path, 7, true).await;
    attempt("", &path, 6, false).await;
}

#[tokio::test]
async fn a_release_from_before_the_rule_is_no_review() {
    let before = Api::start().await;
    let path = create_by(&before, "ann", "ann").await;
    let released = release(&before, "ann", &path, 2).await;
    assert_eq!((released.status, released.json()["release"].get("reviewed")), (200, None), "{released:?}");
    edit(&before, "bob", &path, "3").await;

    let options = Options { engine: Some(&before.engine), settings: FOUR_EYES, ..Options::default() };
    let api = Api::with(options).await;

    // What is live already is answered as it is, and not reviewed.
    let same = release(&api, "ann", &path, 2).await;
    assert_eq!((same.status, &same.text), (200, &released.text));
    expect_own_change(&release(&api, "ann", &path, 3).await);
    expect_own_change(&release(&api, "bob", &path, 3).await);
    assert_eq!(release(&api, "cleo", &path, 3).await.json()["release"]["reviewed"], true);
    expect_own_change(&release(&api, "ann", &path, 2).await);
    // While the rule is off, a release is no review either.
    assert_eq!(release(&before, "ann", &path, 2).await.json()["release"].get("reviewed"), None);
    assert_eq!(release(&api, "ann", &path, 3).await.status, 200);
    expect_own_change(&release(&api, "ann", &path, 2).await);
}

#[tokio::test]
async fn each_answer_shows_whether_a_release_was_reviewed() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "ann", "ann").await;
    let released = api.send(&Request::release(&path, 2).query("note=Why").by("bob")).await;
    let expected = "\"by\":\"bob\",\"note\":\"Why\",\"reviewed\":true,\"digest\":\"";
    assert!(released.text.contains(expected), "{released:?}");
    for list in
        [PLACE, &format!("{PLACE}?asOf=2099-01-01T00:00:00Z"), &format!("{PLACE}/releases"), "/v2/project-flows/live"]
    {
        let answer = api.get(list).await;
        assert!(answer.text.contains(expected), "{list}: {answer:?}");
    }
    for sort in ["LIVE#project_123456789#onboarding", "RELEASE#"] {
        let items = api.engine.items();
        let item = items.iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with(sort)).unwrap();
        assert_eq!(item["reviewed"], json!({ "BOOL": true }), "{sort}");
    }
}

#[tokio::test]
async fn what_is_live_is_the_base_although_its_mark_is_not_seen_yet() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "ann", "ann").await;
    assert_eq!(release(&api, "bob", &path, 2).await.status, 200);
    let marks: Vec<_> = api.engine.items();
    let marks = marks.iter().filter(|item| item["sk"]["S"].as_str().unwrap().starts_with("REVIEW#"));
    marks.for_each(|mark| api.engine.delete(mark));
    edit(&api, "cleo", &path, "3").await;
    assert_eq!(release(&api, "ann", &path, 3).await.status, 200);
}

/// The calls of a release with four eyes.
const FEW: &str = "GetItem GetItem Query Query TransactWriteItems";

#[tokio::test]
async fn the_base_is_one_read_among_many_releases_as_among_few() {
    for count in [0, 1_000] {
        let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
        let path = create_by(&api, "ann", "ann").await;
        assert_eq!(release(&api, "bob", &path, 2).await.status, 200);
        let copy =
            api.engine.items().into_iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with("RELEASE#"));
        // The next release must not get the number of a copy.
        let mut head = api.engine.item("LIVE#project_123456789#onboarding");
        for number in 2..=count {
            let mut item = copy.clone().unwrap();
            let since = item["since"]["S"].as_str().unwrap().to_owned();
            item["_id"] = json!({ "S": "project_flow_0123456789abcdefghjkmnpqrs" });
            item["release"] = json!({ "N": number.to_string() });
            head["release"] = item["release"].clone();
            item["sk"] = json!({ "S": format!("RELEASE#project_123456789#onboarding#{since}#{number:010}") });
            api.engine.put(engine::TABLE, &item);
        }
        api.engine.put(engine::TABLE, &head);
        edit(&api, "ann", &path, "3").await;
        let newest = edit(&api, "cleo", &path, "4").await;
        let (api, proxy) = api.behind_proxy().await;
        assert_eq!(release(&api, "bob", &path, newest).await.status, 200);
        let calls = proxy.take_calls();
        assert_eq!(calls.iter().map(|call| call.operation.as_str()).collect::<Vec<_>>().join(" "), FEW, "of {count}");
        assert!(calls.iter().all(|call| call.operation.starts_with("Transact") || call.body["ConsistentRead"] == true));
    }
}

/// Adds versions of 390,000 bytes by `bob` to the history of a flow at version 2, up to this one, which is the newest.
fn add_large_versions(api: &Api, path: &str, last: u64) {
    let id = path.rsplit('/').next().unwrap();
    let large = format!("{{\"mine\": \"{}\"}}", "x".repeat(390_000));
    let mut newest = api.engine.item(&format!("FLOW#{id}"));
    let mut earlier = newest.clone();
    earlier.as_object_mut().unwrap().remove("listKey");
    earlier["sk"] = json!({ "S": version_key(id, 2) });
    api.engine.put(engine::TABLE, &earlier);
    earlier["configuration"] = json!({ "S": large });
    for number in 3..last {
        earlier["sk"] = json!({ "S": version_key(id, number) });
        earlier["version"] = json!({ "N": number.to_string() });
        api.engine.put(engine::TABLE, &earlier);
    }
    newest["version"] = json!({ "N": last.to_string() });
    newest["configuration"] = json!({ "S": large });
    api.engine.put(engine::TABLE, &newest);
}

#[tokio::test]
async fn more_changes_than_a_review_reads_are_refused_before_anything_is_sent() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "bob", "bob").await;
    add_large_versions(&api, &path, 45);
    let (api, proxy) = api.behind_proxy().await;

    let refused = release(&api, "ann", &path, 45).await;

    refused.expect(409, "TOO_MANY_CHANGES");
    let error =
        "expected changes that 8 queries of at most 1 MB can review, found more: release an earlier version first";
    assert_eq!(refused.json()["details"], json!([{ "path": "/version", "code": "TOO_MANY_CHANGES", "error": error }]));
    assert_eq!((proxy.calls("Query"), proxy.calls("TransactWriteItems")), (9, 0));
    // What is certain early is said: the newest is bob's.
    expect_own_change(&release(&api, "bob", &path, 45).await);
    for version in [15, 30, 45] {
        assert_eq!(release(&api, "ann", &path, version).await.status, 200, "{version}");
    }
}

#[tokio::test]
#[ignore = "a measurement: 273 MB of versions"]
async fn seven_hundred_large_versions_are_refused_in_time() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "bob", "bob").await;
    add_large_versions(&api, &path, 700);
    let start = std::time::Instant::now();
    release(&api, "ann", &path, 700).await.expect(409, "TOO_MANY_CHANGES");
    println!("{:?}", start.elapsed());
}

#[tokio::test]
async fn a_review_looks_at_every_version_of_a_long_history() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "ann", "bob").await;
    // More than a query reads: 40 versions of some 60 KB.
    for number in 3..=40 {
        let large = json!({ "mine": format!("{number} {}", "x".repeat(60_000)) });
        let answer = api.send(&Request::put(&path, json!({ "configuration": large })).by("bob")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    expect_own_change(&release(&api, "ann", &path, 40).await);
    assert_eq!(release(&api, "cleo", &path, 40).await.status, 200);
}

#[tokio::test]
async fn a_release_that_is_tried_again_is_reviewed_once() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = create_by(&api, "ann", "ann").await;
    let (api, proxy) = api.behind_proxy().await;
    let overtaken = Fault::Cancelled(&["ConditionalCheckFailed", "None", "None", "None"]);
    proxy.fail("TransactWriteItems", &[overtaken.clone(), overtaken]);

    assert_eq!(release(&api, "bob", &path, 2).await.status, 200);

    assert_eq!((proxy.calls("TransactWriteItems"), proxy.calls("Query")), (3, 2));
}

/// A step in the life of a flow. Versions are counted back from the newest.
#[derive(Debug, Clone)]
enum Step {
    Edit(&'static str),
    Release { by: &'static str, back: u64, has_rule: bool },
    Withdraw,
}

fn step() -> impl Strategy<Value = Step> {
    let author = || prop::sample::select(vec!["ann", "ann", "bob", "bob", "cleo", ""]);
    prop_oneof![
        3 => author().prop_map(Step::Edit),
        5 => (author(), 0_u64..5, prop::bool::weighted(0.9))
            .prop_map(|(by, back, has_rule)| Step::Release { by, back, has_rule }),
        1 => Just(Step::Withdraw),
    ]
}

/// What the rule says, written down as the page says it.
#[derive(Default)]
struct Rule {
    /// The authors of all versions, from version 1.
    authors: Vec<&'static str>,
    reviewed: BTreeSet<u64>,
}

impl Rule {
    fn allows(&self, by: &str, version: u64) -> bool {
        let base = self.reviewed.range(..=version).next_back().copied().unwrap_or(0);
        let changes = (base + 1..=version).map(|version| self.authors[usize::try_from(version).unwrap() - 1]);
        !by.is_empty() && changes.into_iter().all(|author| !author.is_empty() && author != by)
    }
}

#[test]
fn any_life_of_a_flow_follows_the_rule() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { failure_persistence: None, cases: 32, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..24), |steps| {
            runtime.block_on(async {
                let without = Api::start().await;
                let engine = Some(&without.engine);
                let with = Api::with(Options { engine, settings: FOUR_EYES, ..Options::default() }).await;
                let path = create_by(&without, "ann", "bob").await;
                let mut rule = Rule { authors: vec!["ann", "bob"], ..Rule::default() };
                let mut live = None;
                for step in steps {
                    let newest = rule.authors.len() as u64;
                    match step {
                        Step::Edit(author) => {
                            edit(&with, author, &path, &format!("{}", newest + 1)).await;
                            rule.authors.push(author);
                        }
                        Step::Withdraw => {
                            let status = with.send(&Request::delete(PLACE).by("ann")).await.status;
                            prop_assert_eq!(status, if live.take().is_some() { 200 } else { 404 });
                        }
                        Step::Release { by, back, has_rule } => {
                            let version = newest.saturating_sub(back).max(2);
                            let api = if has_rule { &with } else { &without };
                            let answer = release(api, by, &path, version).await;
                            let is_live = live == Some(version);
                            let is_allowed = is_live || !has_rule || rule.allows(by, version);
                            prop_assert_eq!(answer.status, if is_allowed { 200 } else { 403 }, "{:?}", answer);
                            if is_allowed && !is_live {
                                let reviewed = answer.json()["release"].get("reviewed") == Some(&Value::Bool(true));
                                prop_assert_eq!(reviewed, has_rule);
                                rule.reviewed.extend(has_rule.then_some(version));
                                live = Some(version);
                            }
                        }
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}
