//! `/v2/project-flows/live`: what is live in each place, and the releases that led there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::engine;
use crate::proxy::Proxy;
use crate::support::{Answer, Api, Engine, NOWHERE, PLACE, Request, page_request_with};

/// The sort key of what is in force.
const LIVE: &str = "LIVE#project_123456789#onboarding";

/// The last part of a flow's path.
fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// A release without its moments and its digest, which differ from run to run.
#[track_caller]
fn timeless(release: &Value) -> Value {
    assert!(release.is_object(), "expected a release, found {release}");
    let mut release = release.clone();
    let members = release.as_object_mut().unwrap();
    assert!(members.remove("since").is_some_and(|since| since.as_str().unwrap().ends_with('Z')));
    members.remove("until");
    assert!(members.remove("digest").is_some_and(|digest| digest.as_str().unwrap().len() == 43));
    release
}

/// Releases a version, which must succeed.
async fn release(api: &Api, path: &str, version: u64) -> Answer {
    let answer = api.send(&Request::release(path, version)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_release_puts_a_version_in_force_and_an_edit_does_not() {
    let api = Api::start().await;
    let path = api.create_active().await;
    api.get(PLACE).await.expect(404, "NO_LIVE_FLOW");

    let released = api.send(&Request::release(&path, 2).query("note=First%20day")).await;

    assert_eq!((released.status, released.headers["etag"].as_str()), (200, "\"1\""), "{released:?}");
    released.expect_headers();
    let version = api.get(&format!("{path}/versions/2")).await;
    let data = |answer: &Answer| {
        let end = [",\"change\":", ",\"release\":"].iter().find_map(|member| answer.text.find(member)).unwrap();
        answer.text[..end].to_owned()
    };
    assert_eq!(data(&released), data(&version), "the flow as it was at version 2, byte for byte");
    let expected = json!({ "number": 1, "_id": id_of(&path), "version": 2, "note": "First day" });
    assert_eq!(timeless(&released.json()["release"]), expected);
    let members = released.text.split_once("\"release\":").unwrap().1;
    assert!(members.starts_with(&format!("{{\"number\":1,\"_id\":\"{}\",\"version\":2,\"since\":", id_of(&path))));

    api.set(&path, "configuration", json!({})).await;
    let live = api.get(PLACE).await;
    assert_eq!((live.status, &live.text, live.headers["etag"].as_str()), (200, &released.text, "\"1\""));

    assert_eq!(release(&api, &path, 3).await.json()["data"]["configuration"], json!({}));
    assert_eq!(release(&api, &path, 2).await.json()["release"]["number"], 3, "back to an earlier version");
}

#[tokio::test]
async fn what_is_live_already_is_answered_and_not_written_again() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let first = release(&api, &path, 2).await;
    let before = api.engine.items();

    let again = api.send(&Request::release(&path, 2).query("note=Again").header("if-match", "\"1\"")).await;

    assert_eq!((again.status, &again.text, again.headers["etag"].as_str()), (200, &first.text, "\"1\""));
    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn a_release_is_refused_unless_the_version_and_the_newest_are_active_and_of_the_place() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let other = api.create_from(&Request::create(page_request_with("project", json!("other")))).await;
    let login = api.create_from(&Request::create(page_request_with("type", json!("login")))).await;
    for path in [&other, &login] {
        api.set(path, "status", json!("active")).await;
    }
    let paused = api.create_active().await;
    api.set(&paused, "status", json!("paused")).await;
    let deleted = api.create_active().await;
    api.set(&deleted, "status", json!("paused")).await;
    api.send(&Request::delete(&deleted)).await;
    let put = |body: Value| Request::put(PLACE, body);
    let before = api.engine.items();
    let rows = [
        (Request::release(&path, 1), 409, "FLOW_NOT_ACTIVE", "a draft"),
        (Request::release(&paused, 3), 409, "FLOW_NOT_ACTIVE", "paused"),
        (Request::release(&paused, 2), 409, "FLOW_NOT_ACTIVE", "active then, paused now"),
        (Request::release(&deleted, 2), 404, "PROJECT_FLOW_NOT_FOUND", "deleted"),
        (Request::release(NOWHERE, 1), 404, "PROJECT_FLOW_NOT_FOUND", "no such flow"),
        (Request::release(&path, 3), 404, "PROJECT_FLOW_NOT_FOUND", "no such version"),
        (put(json!({ "_id": "no id", "version": 1 })), 404, "PROJECT_FLOW_NOT_FOUND", "no id of a flow"),
        (Request::release(&other, 2), 400, "INVALID_PROJECT_ID", "another project's flow"),
        (Request::release(&other, 1), 400, "INVALID_PROJECT_ID", "another project's draft"),
        (Request::release(&login, 2), 400, "INVALID_FLOW_TYPE", "a flow of another type"),
        (put(json!({ "version": 1 })), 400, "INVALID_FLOW_ID", "no id"),
        (put(json!({ "_id": 1, "version": 1 })), 400, "INVALID_FLOW_ID", "a number for an id"),
        (put(json!({ "_id": id_of(&path) })), 400, "INVALID_VERSION", "no version"),
        (Request::release(&path, 0), 400, "INVALID_VERSION", "version 0"),
        (Request::release(&path, "2"), 400, "INVALID_VERSION", "a text for a version"),
        (Request::release(&path, 2.0), 400, "INVALID_VERSION", "a fraction"),
        (put(json!({ "_id": id_of(&path), "version": 2, "note": "x" })), 400, "UNKNOWN_FIELD", "a note in the body"),
        (put(json!([])), 400, "INVALID_BODY", "no object"),
        (Request::release(&path, 2).query("dryRun=1"), 400, "INVALID_PARAMETERS", "neither true nor false"),
        (Request::release(&path, 2).query("note="), 400, "INVALID_PARAMETERS", "an empty note"),
        (Request::release(&path, 2).header("content-type", "text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE", "no JSON"),
    ];
    for (request, status, code, why) in rows {
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{why}: {answer:?}");
    }
    let elsewhere = api.send(&Request::release(&login, 2)).await.json();
    assert_eq!(elsewhere["details"][0]["error"], "expected a flow of the type onboarding, found login");
    let all = api.send(&put(json!({ "version": 0, "mine": 1 }))).await.json();
    let codes: Vec<_> = all["details"].as_array().unwrap().iter().map(|detail| detail["code"].clone()).collect();
    assert_eq!(codes, ["INVALID_FLOW_ID", "INVALID_VERSION", "UNKNOWN_FIELD"]);
    assert_eq!(api.engine.items(), before);
    api.get(PLACE).await.expect(404, "NO_LIVE_FLOW");
}

#[tokio::test]
async fn a_path_names_a_project_and_a_type() {
    let api = Api::start().await;
    let live = "/v2/project-flows/live";
    let long = "x".repeat(65);
    let rows = [
        (format!("{live}/p.q/login"), 400, "INVALID_PROJECT_ID"),
        (format!("{live}/{long}/login"), 400, "INVALID_PROJECT_ID"),
        (format!("{live}/project/logon"), 400, "INVALID_FLOW_TYPE"),
        (format!("{live}/project/login"), 404, "NO_LIVE_FLOW"),
        // These would be a version's path and its diff's, if `live` were a flow.
        (format!("{live}/versions/login"), 404, "NO_LIVE_FLOW"),
        (format!("{live}/versions/1"), 400, "INVALID_FLOW_TYPE"),
        (format!("{live}/project"), 404, "ROUTE_NOT_FOUND"),
        (format!("{live}/versions"), 404, "ROUTE_NOT_FOUND"),
        (format!("{live}/versions/1/diff"), 404, "ROUTE_NOT_FOUND"),
        (format!("{live}/project/login/releases/1"), 404, "ROUTE_NOT_FOUND"),
        (format!("{live}/a%20b/login"), 404, "ROUTE_NOT_FOUND"),
        (format!("{live}/../login"), 404, "ROUTE_NOT_FOUND"),
    ];
    for (path, status, code) in rows {
        let answer = api.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
        assert_eq!(answer.json().get("details"), None, "the code says it all: {answer:?}");
    }
    api.send(&Request::put(live, "{}")).await.expect(405, "METHOD_NOT_ALLOWED");
    api.send(&Request::delete(live)).await.expect(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_flow_that_is_live_stays_active() {
    let api = Api::start().await;
    let (path, other) = (api.create_active().await, api.create_active().await);
    release(&api, &path, 2).await;
    let before = api.engine.items();
    for status in ["paused", "draft"] {
        for request in [
            Request::put(&path, json!({ "status": status })),
            Request::put(&path, json!({ "status": status })).header("if-match", "\"2\""),
            Request::put(&format!("{path}?dryRun=true"), json!({ "status": status })),
            Request::patch(&path, json!({ "status": status, "name": "Other" })),
            Request::patch(&format!("{path}?dryRun=true"), json!({ "status": status })),
        ] {
            let answer = api.send(&request).await;
            answer.expect(409, "FLOW_IS_LIVE");
            assert_eq!(answer.json()["details"][0]["path"], "/status");
        }
    }
    api.send(&Request::delete(&path)).await.expect(409, "FLOW_IS_ACTIVE");
    assert_eq!(api.engine.items(), before);

    // Edits and restores keep it active, and another flow of the place may be paused.
    api.set(&path, "name", json!("Edited")).await;
    assert_eq!(api.send(&Request::restore(&path, 1)).await.json()["data"]["status"], "active");
    api.set(&other, "status", json!("paused")).await;
    api.set(&other, "status", json!("active")).await;

    release(&api, &other, 4).await;
    api.set(&path, "status", json!("paused")).await;
    assert_eq!(api.send(&Request::delete(PLACE)).await.status, 200);
    api.set(&other, "status", json!("draft")).await;
}

#[tokio::test]
async fn a_withdrawal_is_a_release_of_nothing() {
    let api = Api::start().await;
    let path = api.create_active().await;
    api.send(&Request::delete(PLACE)).await.expect(404, "NO_LIVE_FLOW");
    release(&api, &path, 2).await;

    let withdrawn = api.send(&Request::delete(PLACE).query("note=Incident")).await;

    assert_eq!((withdrawn.status, withdrawn.headers.get("etag")), (200, None));
    assert_eq!(timeless(&withdrawn.json()["release"]), json!({ "number": 2, "note": "Incident" }));
    assert_eq!(withdrawn.json()["data"], Value::Null);
    api.get(PLACE).await.expect(404, "NO_LIVE_FLOW");
    api.send(&Request::delete(PLACE)).await.expect(404, "NO_LIVE_FLOW");
    assert_eq!(release(&api, &path, 2).await.json()["release"]["number"], 3);
}

#[tokio::test]
async fn preconditions_name_releases() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let mut number = 0;
    let rows = [
        ("if-match", "*", false, "nothing was ever live"),
        ("if-match", "\"0\"", false, "there was no release"),
        ("if-match", "\"1\"", false, "there was no release"),
        ("if-none-match", "*", true, "nothing is live"),
        ("if-none-match", "*", false, "something is live"),
        ("if-match", "\"2\"", false, "another release"),
        ("if-match", "W/\"1\"", false, "a weak tag"),
        ("if-match", "\"7\", \"1\"", true, "one of two"),
        ("if-none-match", "\"2\"", false, "that release"),
        ("if-none-match", "W/\"2\"", false, "that release, since this comparison is weak"),
        ("if-none-match", "\"1\"", true, "another release"),
        ("if-match", "*", true, "something is live"),
    ];
    for (header, value, is_met, why) in rows {
        api.set(&path, "name", json!(format!("{header} {value}"))).await;
        let newest = api.get(&path).await.json()["data"]["version"].as_u64().unwrap();
        let answer = api.send(&Request::release(&path, newest).header(header, value)).await;
        number += u64::from(is_met);
        assert_eq!(answer.status, if is_met { 200 } else { 412 }, "{header}: {value}, {why}: {answer:?}");
        if !is_met {
            answer.expect(412, "VERSION_CONFLICT");
            let one_or_none = if header == "if-match" { "one" } else { "none" };
            let found = if number == 0 { "none".to_owned() } else { format!("release {number}") };
            let weak = if header == "if-match" && value.contains('W') { "; a weak tag (W/) never matches" } else { "" };
            let expected = format!("expected the place at {one_or_none} of these releases, found {found}{weak}");
            assert_eq!(answer.json()["details"][0]["error"], expected);
        }
    }
    let withdraw = |tag: &str| Request::delete(PLACE).header("if-match", tag);
    api.send(&withdraw("\"1\"")).await.expect(412, "VERSION_CONFLICT");
    assert_eq!(api.send(&withdraw(&format!("\"{number}\""))).await.status, 200);
    // The number of a withdrawal is a precondition too.
    let again = Request::release(&path, 2);
    api.send(&again.clone().header("if-match", "*")).await.expect(412, "VERSION_CONFLICT");
    api.send(&again.clone().header("if-match", &format!("\"{number}\""))).await.expect(412, "VERSION_CONFLICT");
    assert_eq!(api.send(&again.header("if-match", &format!("\"{}\"", number + 1))).await.status, 200);
    api.send(&Request::release(&path, 2).header("if-match", "1")).await.expect(400, "INVALID_ETAG");
}

#[tokio::test]
async fn a_client_that_has_what_is_live_need_not_get_it_again() {
    let api = Api::start().await;
    let path = api.create_active().await;
    release(&api, &path, 2).await;
    for (tags, status) in [("\"1\"", 304), ("W/\"1\", \"2\"", 304), ("*", 304), ("\"2\"", 200)] {
        let answer = api.send(&Request::get(PLACE).header("if-none-match", tags)).await;
        assert_eq!((answer.status, answer.headers["etag"].as_str()), (status, "\"1\""), "{tags}");
        assert_eq!(answer.text.is_empty(), status == 304);
    }
}

/// Changes the moments of a release, and of the head if it is the newest.
fn backdate(engine: &Engine, number: u64, since: &str) {
    let since = since.replace('Z', ".000Z");
    for mut item in engine.items() {
        let sort = item["sk"]["S"].as_str().unwrap().to_owned();
        if item["release"] != json!({ "N": number.to_string() }) {
            continue;
        }
        if sort.starts_with("RELEASE#") {
            engine.delete(&item);
            item["sk"]["S"] = json!(format!("RELEASE#project_123456789#onboarding#{since}#{number:010}"));
        }
        item["since"]["S"] = json!(since);
        engine.put(engine::TABLE, &item);
    }
}

#[tokio::test]
async fn every_moment_knows_what_was_live_whatever_became_of_the_flow() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let first = release(&api, &path, 2).await;
    api.set(&path, "name", json!("Second")).await;
    release(&api, &path, 3).await;
    release(&api, &path, 2).await;
    api.send(&Request::delete(PLACE)).await;
    for (number, since) in [
        (1, "2024-01-15T10:00:00Z"),
        (2, "2024-01-15T11:00:00Z"),
        (3, "2024-01-15T11:00:00Z"),
        (4, "2024-01-15T12:00:00Z"),
    ] {
        backdate(&api.engine, number, since);
    }
    api.set(&path, "status", json!("paused")).await;
    api.send(&Request::delete(&path)).await;
    let rows = [
        ("2024-01-15T09:59:59Z", None),
        ("2024-01-15T10:00:00Z", Some(1)),
        ("2024-01-15T10:59:59Z", Some(1)),
        ("2024-01-15T11:00:00Z", Some(3)),
        ("2024-01-15T12:59:59%2B01:00", Some(3)),
        ("2024-01-15T12:00:00Z", None),
        ("2099-01-01T00:00:00Z", None),
    ];
    for (moment, number) in rows {
        let answer = api.get(&format!("{PLACE}?asOf={moment}")).await;
        match number {
            None => answer.expect(404, "NO_LIVE_FLOW"),
            Some(number) => {
                assert_eq!((answer.status, answer.headers.get("etag")), (200, None), "{moment}");
                assert_eq!(answer.json()["release"]["number"], number, "{moment}");
            }
        }
    }
    let past = api.get(&format!("{PLACE}?asOf=2024-01-15T10:30:00Z")).await.json();
    assert_eq!(past["data"], first.json()["data"]);
    api.get(&format!("{PLACE}?asOf=yesterday")).await.expect(400, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn since_never_goes_back() {
    let api = Api::start().await;
    let path = api.create_active().await;
    release(&api, &path, 2).await;
    backdate(&api.engine, 1, "2099-01-01T00:00:00Z");
    assert_eq!(api.send(&Request::delete(PLACE)).await.json()["release"]["since"], "2099-01-01T00:00:00Z");
    assert_eq!(release(&api, &path, 2).await.json()["release"]["since"], "2099-01-01T00:00:00Z");
    let numbers = api.get(&format!("{PLACE}/releases")).await.json();
    let numbers: Vec<_> = numbers["data"].as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
    assert_eq!(numbers, [3, 2, 1]);
}

#[tokio::test]
async fn releases_are_listed_newest_first_each_with_its_end() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let list = format!("{PLACE}/releases");
    api.get(&list).await.expect(404, "NO_LIVE_FLOW");
    release(&api, &path, 2).await;
    api.send(&Request::delete(PLACE).query("note=Incident")).await;
    for version in 3..=7 {
        api.set(&path, "name", json!(format!("{version}"))).await;
        release(&api, &path, version).await;
    }
    for number in 1..=7 {
        backdate(&api.engine, number, &format!("2024-01-1{number}T10:30:00Z"));
    }

    let all = api.get(&list).await.json();

    let entries = all["data"].as_array().unwrap();
    assert_eq!(all["pagination"], json!({ "limit": 100 }));
    for (entry, number) in entries.iter().zip((1..=7).rev()) {
        assert_eq!(
            (&entry["number"], &entry["since"]),
            (&json!(number), &json!(format!("2024-01-1{number}T10:30:00Z")))
        );
        let until = (number < 7).then(|| json!(format!("2024-01-1{}T10:30:00Z", number + 1)));
        assert_eq!(entry.get("until"), until.as_ref());
    }
    assert_eq!(timeless(&entries[6]), json!({ "number": 1, "_id": id_of(&path), "version": 2 }));
    assert_eq!(timeless(&entries[5]), json!({ "number": 2, "note": "Incident" }));
    for limit in [1, 2, 3, 7, 100] {
        let mut query = format!("?limit={limit}");
        let mut found = Vec::new();
        loop {
            let page = api.get(&format!("{list}{query}")).await.json();
            found.append(&mut page["data"].as_array().unwrap().clone());
            let Some(next) = page["pagination"]["next"].as_str() else { break };
            query = format!("?limit={limit}&cursor={next}");
        }
        assert_eq!(&found, entries, "by {limit}");
    }
    for query in ["?limit=0", "?limit=101", "?cursor=MQ", "?page=1", "?cursor="] {
        api.get(&format!("{list}{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
    // A cursor of another place would tell a wrong end.
    let next = api.get(&format!("{list}?limit=1")).await.json()["pagination"]["next"].as_str().unwrap().to_owned();
    let elsewhere = list.replace("/onboarding/", "/login/");
    api.get(&format!("{elsewhere}?cursor={next}")).await.expect(400, "INVALID_PARAMETERS");
}

#[tokio::test]
async fn a_forged_cursor_of_releases_finds_nothing_and_not_that_there_were_none() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let list = format!("{PLACE}/releases");
    let cursors = [
        ("2024-01-15T10:30:00.000Z", 1, "the first number, before the first release"),
        ("2024-01-15T10:30:00.999Z", 9_999_999_999_u64, "before the first release"),
        ("0001-01-01T00:00:00.000Z", 7, "a number that there is not"),
    ];
    for are_there_any in [false, true] {
        if are_there_any {
            release(&api, &path, 2).await;
        }
        for (since, number, why) in cursors {
            let forged = URL_SAFE_NO_PAD.encode(format!("RELEASE#project_123456789#onboarding#{since}#{number:010}"));
            let page = api.get(&format!("{list}?cursor={forged}")).await;
            if are_there_any {
                let found = (page.status, &page.json()["data"], &page.json()["pagination"]);
                assert_eq!(found, (200, &json!([]), &json!({ "limit": 100 })), "{why}: {page:?}");
            } else {
                page.expect(404, "NO_LIVE_FLOW");
            }
        }
    }
}

#[tokio::test]
async fn a_forged_cursor_is_a_position_in_every_other_list_too() {
    let api = Api::start().await;
    let mut paths = Vec::new();
    for _ in 0..2 {
        paths.push(api.create_active().await);
    }
    release(&api, &paths[0], 2).await;
    for _ in 0..2 {
        let path = api.create().await;
        assert_eq!(api.send(&Request::delete(&path)).await.status, 200);
    }
    let next = async |list: &str| {
        let page = api.get(&format!("{list}limit=1")).await.json();
        let next = page["pagination"]["next"].as_str().unwrap().to_owned();
        String::from_utf8(URL_SAFE_NO_PAD.decode(next).unwrap()).unwrap()
    };
    let (flows, trash, versions) =
        ("/v2/project-flows?", "/v2/project-flows?status=deleted&", format!("{}/versions?", paths[0]));
    // Before the first year in which there was anything, and behind the first version.
    let long_ago = async |list: &str| next(list).await.replacen("20", "10", 1);
    let id = paths[0].strip_prefix("/v2/project-flows/").unwrap();
    let rows = [
        (flows, long_ago(flows).await, 0),
        (trash, long_ago(trash).await, 0),
        (&versions, format!("VERSION#{id}#0000000001"), 0),
        (&versions, format!("VERSION#{id}#9999999999"), 2),
        ("/v2/project-flows/live?", "LIVE#a#login".to_owned(), 1),
        ("/v2/project-flows/live?", "LIVE#z#login".to_owned(), 0),
    ];
    for (list, forged, count) in rows {
        let page = api.get(&format!("{list}cursor={}", URL_SAFE_NO_PAD.encode(&forged))).await;
        assert_eq!(
            (page.status, page.json()["data"].as_array().map(Vec::len)),
            (200, Some(count)),
            "{forged}: {page:?}"
        );
    }
}

#[tokio::test]
async fn the_list_shows_every_place_with_a_live_flow_and_its_release() {
    let api = Api::start().await;
    let mut expected = Vec::new();
    for project in ["a", "a-b", "b", "b_c", "c"] {
        for flow_type in ["login", "onboarding"] {
            let mut flow = page_request_with("project", json!(project));
            flow["type"] = json!(flow_type);
            let path = api.create_from(&Request::create(flow)).await;
            api.set(&path, "status", json!("active")).await;
            let place = format!("/v2/project-flows/live/{project}/{flow_type}");
            let answer = api.send(&Request::put(&place, json!({ "_id": id_of(&path), "version": 2 }))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if (project, flow_type) == ("b", "login") {
                assert_eq!(api.send(&Request::delete(&place)).await.status, 200);
                continue;
            }
            let mut entry = answer.json()["data"].clone();
            entry.as_object_mut().unwrap().retain(|name, _| !["configuration", "steps"].contains(&name.as_str()));
            entry["release"] = answer.json()["release"].clone();
            expected.push(entry);
        }
    }
    let page = async |query: &str| {
        let answer = api.get(&format!("/v2/project-flows/live{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        answer.json()
    };
    // By project and type, as their keys sort.
    expected.sort_by_key(|entry| format!("{}#{}", entry["project"].as_str().unwrap(), entry["type"].as_str().unwrap()));
    for limit in [1, 2, 4, 9, 100] {
        for project in ["", "a", "b", "c", "nobodys"] {
            let filter = if project.is_empty() { String::new() } else { format!("&project={project}") };
            let mut query = format!("?limit={limit}{filter}");
            let mut found = Vec::new();
            loop {
                let page = page(&query).await;
                assert_eq!(page["pagination"]["limit"], limit);
                let entries = page["data"].as_array().unwrap();
                found.extend(entries.iter().cloned());
                let Some(next) = page["pagination"]["next"].as_str() else { break };
                assert_eq!(entries.len(), limit, "a full page");
                query = format!("?limit={limit}{filter}&cursor={next}");
            }
            let expected: Vec<_> =
                expected.iter().filter(|entry| project.is_empty() || entry["project"] == project).cloned().collect();
            assert_eq!(found, expected, "{project} by {limit}");
        }
    }
    assert_eq!(page("").await["pagination"], json!({ "limit": 10 }));
    let next = page("?limit=1&project=b").await["pagination"].clone();
    assert_eq!(next, json!({ "limit": 1 }));
    let next = page("?limit=1&project=a").await["pagination"]["next"].as_str().unwrap().to_owned();
    for query in
        [format!("?project=b&cursor={next}"), "?project=".to_owned(), "?type=login".to_owned(), "?page=1".to_owned()]
    {
        api.get(&format!("/v2/project-flows/live{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn a_version_can_be_compared_with_what_is_live() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let diff = |version: u64| format!("{path}/versions/{version}/diff?from=live");
    api.get(&diff(2)).await.expect(404, "NO_LIVE_FLOW");
    release(&api, &path, 2).await;
    api.set(&path, "name", json!("Edited")).await;

    assert_eq!(api.get(&diff(2)).await.json()["data"], json!([]));
    let (live, from) = (api.get(&diff(3)).await, api.get(&format!("{path}/versions/3/diff?from=2")).await);
    assert_eq!((live.status, &live.text), (200, &from.text));

    // Another flow of the same place.
    let other = api.create_active().await;
    let found = api.get(&format!("{other}/versions/2/diff?from=live")).await.json();
    assert_eq!(found["data"][0], json!({ "op": "replace", "path": "/_id", "value": id_of(&other) }));
    for query in ["from=Live", "from=live&from=live", "from=live1"] {
        api.get(&format!("{path}/versions/2/diff?{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn a_release_says_who_and_why() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let answer = api.send(&Request::release(&path, 2).query("note=Because").by("ann")).await;
    let expected = json!({ "number": 1, "_id": id_of(&path), "version": 2, "by": "ann", "note": "Because" });
    assert_eq!(timeless(&answer.json()["release"]), expected);
    let withdrawn = api.send(&Request::delete(PLACE).by("bob")).await;
    assert_eq!(timeless(&withdrawn.json()["release"]), json!({ "number": 2, "by": "bob" }));
    let copy = api.engine.items().into_iter().find(|item| item["release"]["N"] == "1").unwrap();
    assert_eq!((&copy["by"]["S"], copy.get("fingerprint"), copy.get("listKey")), (&json!("ann"), None, None));
}

#[tokio::test]
async fn another_client_sees_nothing_of_it() {
    let api = Api::start().await;
    let path = api.create_active().await;
    release(&api, &path, 2).await;
    let before = api.engine.items();
    let theirs = |request: Request| request.client("client_2");
    let empty = Api::start().await;
    for request in [
        Request::get(PLACE),
        Request::get(PLACE).header("if-none-match", "\"1\""),
        Request::get(&format!("{PLACE}?asOf=2099-01-01T00:00:00Z")),
        Request::get(&format!("{PLACE}/releases")),
        Request::delete(PLACE),
        Request::delete(PLACE).header("if-match", "\"1\""),
        Request::release(&path, 2),
        Request::release(&path, 2).header("if-match", "\"1\""),
        Request::get("/v2/project-flows/live"),
    ] {
        let (found, none) = (api.send(&theirs(request.clone())).await, empty.send(&theirs(request)).await);
        assert_eq!(found, none);
    }
    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn what_was_live_is_one_query_among_many_releases_as_among_few() {
    for count in [10, 10_000] {
        let api = Api::start().await;
        let path = api.create_active().await;
        release(&api, &path, 2).await;
        let items = api.engine.items();
        let head = items.iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with("LIVE#")).unwrap();
        for number in 1..=count {
            let since = format!("2024-01-{:02}T{:02}:{:02}:00Z", number / 1_440 + 1, number / 60 % 24, number % 60);
            let mut item = head.clone();
            item["release"] = json!({ "N": number.to_string() });
            item["since"]["S"] = json!(since);
            item["sk"]["S"] = json!(format!("RELEASE#project_123456789#onboarding#{since}#{number:010}"));
            api.engine.put(engine::TABLE, &item);
        }
        let (api, proxy) = api.behind_proxy().await;
        for request in [
            Request::get(&format!("{PLACE}?asOf=2024-01-01T00:07:30Z")),
            Request::get(&format!("{PLACE}/releases?limit=5")),
            Request::get(PLACE),
        ] {
            let answer = api.send(&request).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(proxy.take_calls().len(), 1, "{} of {count}", request.query);
            if request.query.starts_with("asOf") {
                assert_eq!(answer.json()["release"]["number"], 7);
            }
        }
    }
}

/// A request that creates a flow whose configuration takes this many bytes.
fn flow_of(bytes: usize) -> Request {
    let mut content = page_request_with("configuration", json!({ "pad": "" }));
    content["configuration"]["pad"] = json!("p".repeat(bytes - content["configuration"].to_string().len()));
    Request::create(content)
}

/// Creates such a flow, and releases it in its place.
async fn release_of(api: &Api, bytes: usize) -> String {
    let path = api.create_from(&flow_of(bytes)).await;
    api.set(&path, "status", json!("active")).await;
    release(api, &path, 2).await;
    path
}

/// The read units of the calls that a request made, as the engine counts them.
async fn read_units(api: &Api, proxy: &Proxy, request: &Request, status: i64) -> (f64, usize) {
    proxy.take_calls();
    assert_eq!(api.send(request).await.status, status);
    let calls = proxy.take_calls();
    let units = calls.iter().map(|call| {
        assert_eq!((call.operation.as_str(), &call.body["ConsistentRead"]), ("GetItem", &json!(true)));
        let mut read = call.body.clone();
        read["ReturnConsumedCapacity"] = json!("TOTAL");
        let read = api.engine.database.get_item(serde_json::from_value(read).unwrap()).unwrap();
        serde_json::to_value(read).unwrap()["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap()
    });
    (units.sum(), calls.len())
}

/// What a login costs: `make bench` prints the table.
#[tokio::test]
async fn what_is_live_costs_one_read_unit_however_large_the_flow_is() {
    println!("{:>8} {:>12} {:>12} {:>12}   read units", "bytes", "first", "later", "not modified");
    for (bytes, first) in [(1_000, (1.0, 1)), (20_000, (6.0 + 1.0, 2)), (200_000, (50.0 + 1.0, 2))] {
        let writer = Api::start().await;
        release_of(&writer, bytes).await;
        let (api, proxy) = writer.behind_proxy().await;
        let known = Request::get(PLACE).header("if-none-match", "\"1\"");
        let not_modified = read_units(&api, &proxy, &known, 304).await;
        let units = read_units(&api, &proxy, &Request::get(PLACE), 200).await;
        let later = read_units(&api, &proxy, &Request::get(PLACE), 200).await;
        println!("{bytes:>8} {:>12} {:>12} {:>12}", units.0, later.0, not_modified.0);
        assert_eq!((units, later, not_modified), (first, (1.0, 1), (1.0, 1)), "{bytes} bytes");
    }
}

#[tokio::test]
async fn the_head_holds_the_whole_flow_up_to_one_read_unit_and_not_a_byte_more() {
    let api = Api::start().await;
    release_of(&api, 1_000).await;
    let size = |head: &Value| {
        let bytes =
            head.as_object().unwrap().iter().map(|(name, value)| name.len() + value["S"].as_str().map_or(2, str::len));
        bytes.sum::<usize>()
    };
    // The next head differs in its configuration alone, and its number still has one digit.
    let rest = size(&api.engine.item(LIVE)) - 1_000;
    for (bytes, is_whole) in [(4_096, true), (4_097, false)] {
        let path = release_of(&api, bytes - rest).await;
        let head = api.engine.item(LIVE);
        let read = json!({ "TableName": engine::TABLE, "Key": { "pk": head["pk"], "sk": head["sk"] }, "ConsistentRead": true, "ReturnConsumedCapacity": "TOTAL" });
        let read = api.engine.database.get_item(serde_json::from_value(read).unwrap()).unwrap();
        let units = &serde_json::to_value(read).unwrap()["ConsumedCapacity"]["CapacityUnits"];
        assert_eq!(units, 1.0);
        assert_eq!(["configuration", "steps"].map(|name| head.get(name).is_some()), [is_whole; 2], "{bytes}");
        if is_whole {
            assert_eq!(size(&head), bytes);
        }
        let live = api.get(PLACE).await.json();
        assert_eq!(live["data"], api.get(&format!("{path}/versions/2")).await.json()["data"], "{bytes}");
    }
}

#[tokio::test]
async fn what_is_kept_is_what_was_released_whichever_release_is_live() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    let mut paths = Vec::new();
    for _ in 0..2 {
        paths.push(release_of(&api, 5_000).await);
    }
    for turn in 0..4 {
        let path = &paths[turn % 2];
        let released = release(&api, path, 2).await;
        proxy.take_calls();
        for _ in 0..2 {
            let live = api.get(PLACE).await;
            assert_eq!((&live.text, live.headers.get("etag")), (&released.text, released.headers.get("etag")));
        }
        assert!(proxy.take_calls().len() <= 3, "each release is read once");
    }
}

#[tokio::test]
async fn what_was_used_last_is_kept_longest() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    // Sixty flows of 250 KB are 15 MB, and sixty-six are more than is kept.
    let place = |number: usize| format!("/v2/project-flows/live/p{number}/onboarding");
    let reads = async |number: usize| {
        proxy.take_calls();
        assert_eq!(api.get(&place(number)).await.status, 200);
        proxy.take_calls().len()
    };
    for number in 0..66 {
        if number == 60 {
            assert_eq!(reads(0).await, 1);
        }
        let mut flow = page_request_with("project", json!(format!("p{number}")));
        flow["configuration"] = json!({ "pad": "p".repeat(250_000) });
        let path = api.create_from(&Request::create(flow)).await;
        api.set(&path, "status", json!("active")).await;
        let released = Request::put(&place(number), json!({ "_id": id_of(&path), "version": 2 }));
        assert_eq!(api.send(&released).await.status, 200);
        assert_eq!(reads(number).await, 2);
    }
    assert_eq!((reads(0).await, reads(65).await, reads(1).await), (1, 1, 2));
}

#[tokio::test]
async fn a_release_that_is_seen_before_its_item_is_waited_for() {
    let writer = Api::start().await;
    release_of(&writer, 5_000).await;
    let item = writer.engine.items().into_iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with("RELEASE#"));
    let item = item.unwrap();
    writer.engine.delete(&item);
    let (api, _) = writer.behind_proxy().await;
    let request = Request::get(PLACE);
    let back = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        writer.engine.put(engine::TABLE, &item);
    };
    let (answer, ()) = tokio::join!(api.send(&request), back);
    assert_eq!(answer.status, 200, "{answer:?}");
}
