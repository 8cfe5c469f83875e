//! `PUT /v2/project-flows/{id}`

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, NOWHERE, Request, newest_key, page_request, page_request_with, version_key};

#[tokio::test]
async fn an_update_replaces_the_members_that_it_names_and_keeps_the_others() {
    let api = Api::start().await;
    let path = api.create().await;
    let rows = [
        ("name", json!("Another name")),
        ("description", json!("Another description")),
        ("status", json!("active")),
        ("configuration", json!({ "mine": [1, 2] })),
        ("steps", json!([{ "stepType": "email", "order": 9, "required": false }])),
    ];
    let mut expected = api.get(&path).await.json();
    for (index, (name, value)) in rows.into_iter().enumerate() {
        let answer = api.send(&Request::put(&path, json!({ name: value }))).await;

        let version = index + 2;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["etag"], format!("\"{version}\""));
        answer.expect_headers();
        let data = &answer.json()["data"];
        assert!(data["updatedAt"].as_str() >= expected["data"]["updatedAt"].as_str());
        expected["data"][name] = value;
        expected["data"]["version"] = json!(version);
        expected["data"]["updatedAt"] = data["updatedAt"].clone();
        assert_eq!(answer.json(), expected);
        assert_eq!(api.get(&path).await.text, answer.text);
    }
}

#[tokio::test]
async fn an_update_keeps_the_version_before_it_in_the_history() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request()).key("a-key")).await;
    let id = created.id();
    let mut first = api.engine.item(&newest_key(&id));

    let updated = api.set(&created.path(), "name", json!("Another name")).await;

    let items = api.engine.items();
    let [newest, version] = &items[..] else { panic!("expected two items, found {items:?}") };
    first.as_object_mut().unwrap().remove("listKey");
    first["sk"] = json!({ "S": version_key(&id, 1) });
    assert_eq!(version, &first);
    assert_eq!(newest["version"], json!({ "N": "2" }));
    assert_eq!(newest["listKey"], json!({ "S": format!("{}#{id}", first["createdAt"]["S"].as_str().unwrap()) }));
    assert_eq!(newest["fingerprint"], first["fingerprint"]);
    assert_ne!(newest["writeToken"], first["writeToken"]);
    assert_eq!(updated.json()["data"]["version"], 2);
    // The create is replayed, although the flow has a newer version.
    let replayed = api.send(&Request::create(page_request()).key("a-key")).await;
    assert_eq!((replayed.status, replayed.text), (201, created.text));
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
}

#[tokio::test]
async fn null_removes_the_description() {
    let api = Api::start().await;
    let path = api.create().await;

    let answer = api.set(&path, "description", Value::Null).await;

    assert_eq!((answer.json()["data"].get("description"), &answer.json()["data"]["version"]), (None, &json!(2)));
    let again = api.set(&path, "description", Value::Null).await;
    assert_eq!(again.text, answer.text);
}

#[tokio::test]
async fn a_flow_can_be_read_edited_and_sent_back() {
    let api = Api::start().await;
    let path = api.create().await;
    let mut document = api.get(&path).await.json()["data"].clone();
    document["name"] = json!("Edited");

    let answer = api.send(&Request::put(&path, &document)).await;

    assert_eq!((answer.status, &answer.json()["data"]["name"]), (200, &json!("Edited")));
    // The same document again is stale: it names the version before.
    api.send(&Request::put(&path, &document)).await.expect(409, "VERSION_CONFLICT");
}

#[tokio::test]
async fn unchanged_content_writes_nothing_and_keeps_the_version() {
    let api = Api::start().await;
    let configuration = r#"{"a":1.0,"b":"é","c":[]}"#;
    let body = page_request_with("configuration", json!("CONFIGURATION")).to_string();
    let created = api.send(&Request::create(body.replace("\"CONFIGURATION\"", configuration))).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let (path, before) = (created.path(), api.engine.items());
    let unchanged = [
        "{}".to_owned(),
        created.json()["data"].to_string(),
        r#"{"name": "Complete \u004fnboarding Flow", "status": "draft"}"#.to_owned(),
        format!(r#"{{"configuration": {configuration}}}"#),
        r#"{"configuration": { "a" : 1.0,"b":"\u00e9", "\u0063": [ ] }}"#.to_owned(),
    ];
    for body in unchanged {
        let answer = api.send(&Request::put(&path, &body)).await;
        assert_eq!((answer.status, &answer.text), (200, &created.text), "{body}");
        assert_eq!(answer.headers["etag"], "\"1\"");
    }
    assert_eq!(api.engine.items(), before);
    // Another spelling of a number or another order of members is a change, because an answer shows what was sent.
    let changed = [r#"{"a":1,"b":"é","c":[]}"#, r#"{"b":"é","a":1,"c":[]}"#, r#"{"b":"é","a":1,"c":[null]}"#];
    for (index, configuration) in changed.into_iter().enumerate() {
        let answer = api.send(&Request::put(&path, format!(r#"{{"configuration":{configuration}}}"#))).await;
        assert_eq!(answer.json()["data"]["version"], index + 2, "{configuration}");
        assert!(answer.text.contains(configuration), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_update_with_a_failed_precondition_is_refused_and_told_the_version() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "name", json!("Second")).await;
    let before = api.engine.items();
    let put = |body: Value| Request::put(&path, body);

    for stale in ["\"1\"", "\"3\"", "\"1\", \"3\"", "\"x\"", "W/\"2\"", "W/\"1\", \"3\"", "\"1\", W/\"3\""] {
        let answer = api.send(&put(json!({ "name": "Third" })).header("if-match", stale)).await;
        answer.expect(412, "VERSION_CONFLICT");
        let weak = if stale.contains('W') { "; a weak tag (W/) never matches" } else { "" };
        let expected = format!("expected the flow at one of these versions, found it at version 2{weak}");
        assert_eq!(answer.json()["details"][0]["error"], expected);
    }
    for stale in [1, 3] {
        let answer = api.send(&put(json!({ "name": "Third", "version": stale }))).await;
        answer.expect(409, "VERSION_CONFLICT");
        let expected = format!("expected the flow at version {stale}, found it at version 2");
        assert_eq!(answer.json()["details"][0]["error"], expected);
    }
    // The precondition is judged before the content is.
    api.send(&put(json!({ "name": "" })).header("if-match", "\"1\"")).await.expect(412, "VERSION_CONFLICT");
    api.send(&put(json!({ "name": "", "version": 1 }))).await.expect(409, "VERSION_CONFLICT");
    api.send(&put(json!({ "version": 1 })).header("if-match", "\"1\"")).await.expect(412, "VERSION_CONFLICT");
    for malformed in ["2", "", "\"2"] {
        api.send(&put(json!({ "name": "Third" })).header("if-match", malformed)).await.expect(400, "INVALID_ETAG");
    }
    assert_eq!(api.engine.items(), before);

    // If-None-Match on a write names the versions that it is not for (RFC 9110, 13.1.2).
    for known in ["*", "\"2\"", "W/\"2\""] {
        let answer = api.send(&put(json!({ "name": "Third" })).header("if-none-match", known)).await;
        answer.expect(412, "VERSION_CONFLICT");
        let expected = "expected the flow at none of these versions, found it at version 2";
        assert_eq!(answer.json()["details"][0]["error"], expected, "{known}");
    }
    // If both fail, If-Match is judged first (RFC 9110, 13.2.2).
    let both = put(json!({})).header("if-match", "\"1\"").header("if-none-match", "*");
    let answer = api.send(&both).await;
    assert_eq!(
        answer.json()["details"][0]["error"],
        "expected the flow at one of these versions, found it at version 2"
    );
    assert_eq!(api.engine.items(), before);

    let met = [
        put(json!({ "name": "3" })).header("if-match", "\"2\""),
        put(json!({ "name": "4", "version": 3 })),
        put(json!({ "name": "5", "version": 4 })).header("if-match", "\"1\", \"4\""),
        put(json!({ "name": "6" })).header("if-match", "*"),
        put(json!({ "name": "7" })).header("if-match", "W/\"6\", \"6\""),
    ];
    for (index, request) in met.into_iter().enumerate() {
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.json()["data"]["version"].as_u64()), (200, Some(index as u64 + 3)));
    }
}

#[tokio::test]
async fn an_immutable_member_may_be_sent_with_its_stored_value_only() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let path = created.path();
    let rows = [
        ("_id", json!("project_flow_0123456789abcdefghjkmnpqrs")),
        ("project", json!("another")),
        ("type", json!("login")),
        ("client", json!("client_2")),
        ("createdAt", json!("2024-01-15T10:30:00Z")),
        // No version of a flow can have these.
        ("updatedAt", json!(5)),
        ("updatedAt", json!("")),
        ("updatedAt", json!("2024-01-15")),
        ("updatedAt", json!("2024-01-15 10:30:00Z")),
    ];
    for (name, value) in &rows {
        let answer = api.send(&Request::put(&path, json!({ (*name): value }))).await;
        answer.expect(409, "IMMUTABLE_FIELD");
        let stored = &created.json()["data"][name];
        let found = value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"));
        assert_eq!(
            answer.json()["details"][0]["error"],
            format!("expected {stored}, which cannot be changed, found {found}")
        );
        let unchanged = json!({ (*name): created.json()["data"][name] });
        assert_eq!(api.send(&Request::put(&path, unchanged)).await.text, created.text);
    }
    assert_eq!(api.engine.items().len(), 1);
}

#[tokio::test]
async fn an_update_with_another_updated_at_is_a_conflict() {
    let api = Api::start().await;
    let path = api.create().await;
    api.backdate(&path, 1, "2024-01-15T10:30:00Z");
    let stale = api.get(&path).await.json()["data"].clone();
    api.set(&path, "name", json!("Second")).await;
    api.backdate(&path, 2, "2024-01-15T11:00:00Z");
    let before = api.engine.items();
    let put = |body: Value| Request::put(&path, body);

    // The conflict comes before problems of the content. The spelling does not matter, and neither does a time in the future.
    for (sent, moment) in [
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z"),
        ("2024-01-15T11:30:00+01:00", "2024-01-15T10:30:00Z"),
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"),
    ] {
        let answer = api.send(&put(json!({ "updatedAt": sent, "name": "" }))).await;
        answer.expect(409, "VERSION_CONFLICT");
        let expected = format!("expected the flow as of {moment}, found it as of 2024-01-15T11:00:00Z");
        assert_eq!(answer.json()["details"][0]["error"], expected);
        api.send(&put(json!({ "updatedAt": sent })).query("dryRun=true")).await.expect(409, "VERSION_CONFLICT");
    }
    // A stale version is reported before a stale time. The right version does not excuse a stale time.
    let answer = api.send(&put(stale)).await;
    assert_eq!(answer.json()["details"][0]["error"], "expected the flow at version 1, found it at version 2");
    let right = json!({ "version": 2, "updatedAt": "2024-01-15T10:30:00Z" });
    api.send(&put(right)).await.expect(409, "VERSION_CONFLICT");
    // Another spelling of the stored time is no conflict, but a change of an immutable member.
    api.send(&put(json!({ "updatedAt": "2024-01-15T11:00:00.0Z" }))).await.expect(409, "IMMUTABLE_FIELD");
    assert_eq!(api.engine.items(), before);

    let answer = api.send(&put(json!({ "updatedAt": "2024-01-15T11:00:00Z", "name": "Third" }))).await;
    assert_eq!((answer.status, &answer.json()["data"]["version"]), (200, &json!(3)));
}

#[tokio::test]
async fn one_answer_lists_all_problems_of_an_update_in_the_order_of_a_flow() {
    let api = Api::start().await;
    let path = api.create().await;

    let answer = api
        .send(&Request::put(
            &path,
            json!({
                "mine": 1, "updatedAt": null, "steps": [{ "stepType": "email", "order": 0, "required": true }],
                "configuration": { "emailVerification": { "enabled": "yes" } }, "description": 5, "name": " ",
                "version": 0, "status": "deleted", "project": "p", "_id": 1,
            }),
        ))
        .await;

    answer.expect(409, "IMMUTABLE_FIELD");
    let details = answer.json()["details"].clone();
    let found: Vec<_> = details
        .as_array()
        .unwrap()
        .iter()
        .map(|detail| (detail["path"].as_str().unwrap(), detail["code"].as_str().unwrap()))
        .collect();
    let expected = [
        ("/_id", "IMMUTABLE_FIELD"),
        ("/project", "IMMUTABLE_FIELD"),
        ("/status", "INVALID_STATUS"),
        ("/version", "INVALID_VERSION"),
        ("/name", "INVALID_NAME"),
        ("/description", "INVALID_DESCRIPTION"),
        ("/configuration/emailVerification/enabled", "INVALID_CONFIGURATION"),
        ("/steps/0/order", "INVALID_STEPS"),
        ("/updatedAt", "IMMUTABLE_FIELD"),
        ("/mine", "UNKNOWN_FIELD"),
    ];
    assert_eq!(found, expected);
    // An unknown member of a step comes last too, so it does not decide the code.
    let steps = json!([{ "stepType": "email", "order": 1, "required": true, "mine": 1 }]);
    let answer = api.send(&Request::put(&path, json!({ "steps": steps, "client": "client_2" }))).await;
    answer.expect(409, "IMMUTABLE_FIELD");
    for (member, code) in [("status", "INVALID_STATUS"), ("version", "INVALID_VERSION"), ("mine", "UNKNOWN_FIELD")] {
        for value in [json!(null), json!(-1), json!(1.5), json!(""), json!("3"), json!([1])] {
            api.send(&Request::put(&path, json!({ member: value }))).await.expect(400, code);
        }
    }
    assert_eq!(api.engine.items().len(), 1);
}

#[tokio::test]
async fn the_merged_flow_is_validated_as_a_whole() {
    let api = Api::start().await;
    let path = api.create().await;
    let switched_off = json!({ "phoneVerification": { "enabled": false } });

    // The stored steps have a phone step.
    let answer = api.send(&Request::put(&path, json!({ "configuration": switched_off, "name": "" }))).await;
    answer.expect(400, "INVALID_NAME");
    assert_eq!(answer.json()["details"][1]["path"], "/steps/1/stepType");
    assert_eq!(answer.json()["details"][1]["code"], "INVALID_STEPS");
    // An update that also removes the phone step is accepted.
    let email = json!([{ "stepType": "email", "order": 1, "required": true }]);
    let answer = api.send(&Request::put(&path, json!({ "configuration": switched_off, "steps": email }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Now the stored configuration forbids a phone step.
    let phone = json!([{ "stepType": "phone", "order": 1, "required": true }]);
    let answer = api.send(&Request::put(&path, json!({ "steps": phone }))).await;
    answer.expect(400, "INVALID_STEPS");
    assert_eq!(answer.json()["details"][0]["path"], "/steps/0/stepType");
}

#[tokio::test]
async fn a_dry_run_answers_the_merged_flow_and_writes_nothing() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let (path, before) = (created.path(), api.engine.items());
    let dry_run = format!("{path}?dryRun=true");

    let answer = api.send(&Request::put(&dry_run, json!({ "name": "Merged" }))).await;

    let mut expected = created.json();
    expected["data"]["name"] = json!("Merged");
    expected["data"]["version"] = json!(2);
    expected["data"]["updatedAt"] = answer.json()["data"]["updatedAt"].clone();
    assert_eq!((answer.status, answer.json(), answer.headers.get("etag")), (200, expected, None));
    assert_eq!(api.send(&Request::put(&dry_run, json!({}))).await.text, created.text);
    api.send(&Request::put(&dry_run, json!({ "name": "" }))).await.expect(400, "INVALID_NAME");
    api.send(&Request::put(&dry_run, json!({ "version": 2 }))).await.expect(409, "VERSION_CONFLICT");
    let stale = Request::put(&dry_run, json!({})).header("if-match", "\"2\"");
    api.send(&stale).await.expect(412, "VERSION_CONFLICT");
    api.send(&Request::put(NOWHERE, json!({})).query("dryRun=true")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    assert_eq!(api.engine.items(), before);
}

#[tokio::test]
async fn concurrent_updates_of_different_members_are_all_kept() {
    let api = Api::start().await;
    let path = api.create().await;
    let changes = [
        json!({ "name": "Landed" }),
        json!({ "description": "Landed" }),
        json!({ "status": "paused" }),
        json!({ "configuration": { "landed": true } }),
        json!({ "steps": [{ "stepType": "email", "order": 7, "required": false }] }),
    ];
    let requests = changes.each_ref().map(|change| Request::put(&path, change));
    let [one, two, three, four, five] = requests.each_ref().map(|request| api.send(request));
    let answers: [_; 5] = tokio::join!(one, two, three, four, five).into();

    let mut versions: Vec<_> = answers.iter().map(|answer| answer.json()["data"]["version"].as_u64()).collect();
    versions.sort_unstable();
    assert_eq!(versions, [Some(2), Some(3), Some(4), Some(5), Some(6)]);
    let flow = api.get(&path).await.json()["data"].clone();
    for change in changes {
        let (name, value) = change.as_object().unwrap().iter().next().unwrap();
        assert_eq!(&flow[name], value);
    }
}

#[tokio::test]
async fn a_flow_with_a_configuration_of_200_kb_can_be_updated() {
    let api = Api::start().await;
    let path = api.create().await;
    let configuration = json!({ "large": "x".repeat(200 * 1024) });
    api.set(&path, "configuration", configuration.clone()).await;

    let answer = api.set(&path, "name", json!("Small change")).await;

    assert_eq!(answer.json()["data"]["configuration"], configuration);
    assert_eq!(api.get(&format!("{path}/versions/2")).await.json()["data"]["configuration"], configuration);
}

#[tokio::test]
async fn a_merged_flow_that_is_too_large_is_refused_and_not_written() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "configuration", json!({ "large": "x".repeat(250 * 1024) })).await;
    let before = api.engine.items();
    let config = json!({ "large": "x".repeat(200 * 1024) });
    let steps = json!([{ "stepType": "email", "order": 1, "required": true, "config": config }]);

    let update = Request::put(&path, json!({ "steps": steps }));
    api.send(&update).await.expect(413, "FLOW_TOO_LARGE");
    api.send(&update.query("dryRun=true")).await.expect(413, "FLOW_TOO_LARGE");

    assert_eq!(api.engine.items(), before);
    let too_much = json!({ "configuration": { "large": "x".repeat(256 * 1024) } });
    api.send(&Request::put(&path, too_much)).await.expect(413, "FLOW_TOO_LARGE");
}

#[tokio::test]
async fn updated_at_does_not_go_back_even_if_the_clock_does() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let mut item = api.engine.item(&newest_key(&created.id()));
    item["updatedAt"] = json!({ "S": "2999-01-01T00:00:00.500Z" });
    api.engine.put(engine::TABLE, &item);

    let answer = api.set(&created.path(), "name", json!("Later")).await;

    assert_eq!(answer.json()["data"]["updatedAt"], "2999-01-01T00:00:00Z");
}

#[tokio::test]
async fn an_update_without_a_json_object_is_refused() {
    let api = Api::start().await;
    let path = api.create().await;
    api.send(&Request::put(&path, "")).await.expect(400, "INVALID_JSON");
    api.send(&Request::put(&path, "[]")).await.expect(400, "INVALID_BODY");
    api.send(&Request::put(&path, r#"{"name": "a", "name": "b"}"#)).await.expect(400, "DUPLICATE_MEMBER");
    api.send(&Request::put(&path, "{}").without("content-type")).await.expect(415, "UNSUPPORTED_MEDIA_TYPE");
    api.send(&Request::put(&path, "{}").query("dryrun=true")).await.expect(400, "INVALID_PARAMETERS");
    api.send(&Request::put(NOWHERE, "{}")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
}

#[tokio::test]
async fn a_stored_name_above_the_limit_can_be_read_and_kept_but_not_sent() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    let name = format!("{}a", " ".repeat(120));
    let mut item = api.engine.item(&newest_key(&created.id()));
    item["name"] = json!({ "S": name });
    api.engine.put(engine::TABLE, &item);

    assert_eq!(api.get(&created.path()).await.json()["data"]["name"], name);
    assert_eq!(api.set(&created.path(), "status", json!("active")).await.json()["data"]["name"], name);
    api.send(&Request::put(&created.path(), json!({ "name": name }))).await.expect(400, "INVALID_NAME");
    assert_eq!(api.set(&created.path(), "name", json!(&name[1..])).await.json()["data"]["name"], name[1..]);
}
