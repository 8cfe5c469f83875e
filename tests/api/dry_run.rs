//! `?dryRun=true`: every write is judged and answered, and nothing is written. What the answer warns of.

use serde_json::{Value, json};

use crate::proxy::{Fault, Loss, When};
use crate::support::{
    Answer, Api, CLIENT, FOUR_EYES, NOWHERE, Operation, Options, PLACE, Request, page_request, page_request_with,
};

/// The same request as a dry run.
fn dry(request: &Request) -> Request {
    let query = if request.query.is_empty() { String::new() } else { format!("&{}", request.query) };
    request.clone().query(&format!("dryRun=true{query}"))
}

/// The codes and paths of an answer's warnings.
fn warnings(answer: &Answer) -> Vec<(String, String)> {
    let text = |warning: &Value, member: &str| warning[member].as_str().expect("a text").to_owned();
    let body = answer.json();
    let warnings = body.get("warnings").map(|warnings| warnings.as_array().expect("warnings").clone());
    assert!(warnings.as_ref().is_none_or(|warnings| !warnings.is_empty()), "absent where there is none: {answer:?}");
    warnings.iter().flatten().map(|warning| (text(warning, "code"), text(warning, "path"))).collect()
}

#[track_caller]
fn expect_warnings(answer: &Answer, expected: &[(&str, &str)], why: &str) {
    assert_eq!(answer.status, 200, "{why}: {answer:?}");
    let found = warnings(answer);
    let found: Vec<_> = found.iter().map(|(code, path)| (code.as_str(), path.as_str())).collect();
    assert_eq!(found, expected, "{why}: {answer:?}");
}

/// A create with this configuration, as it is written, and steps of these types.
fn create(configuration: &str, steps: &[(&str, bool)]) -> Request {
    Request::create(body(configuration, steps))
}

fn body(configuration: &str, steps: &[(&str, bool)]) -> String {
    let steps: Vec<_> = (1..)
        .zip(steps)
        .map(|(order, (step_type, required))| json!({ "stepType": step_type, "order": order, "required": required }))
        .collect();
    let mut body = page_request_with("configuration", json!("CONFIGURATION"));
    body["steps"] = json!(steps);
    body.to_string().replace("\"CONFIGURATION\"", configuration)
}

/// An answer without what dry runs answer otherwise than writes: moments, digests, and in an answer to a create its id.
#[track_caller]
fn without_moments(answer: &Answer) -> Value {
    let mut body = answer.json();
    let members =
        [("data", "createdAt"), ("data", "updatedAt"), ("data", "_id"), ("release", "since"), ("release", "digest")];
    for (object, member) in members {
        if let Some(members) = body.get_mut(object).and_then(Value::as_object_mut) {
            members.remove(member);
        }
    }
    body.as_object_mut().unwrap().remove("warnings");
    body
}

#[tokio::test]
async fn a_dry_run_of_every_operation_that_can_write_says_what_the_write_does_and_writes_nothing() {
    let api = Api::start().await;
    api.engine.enable_stream("KEYS_ONLY");
    let mut routes = Vec::new();
    for operation in Operation::all() {
        let request = operation.request();
        if request.method == "GET" || request.query.contains("dryRun") {
            continue;
        }
        let before = api.engine.records().len();
        let dry = api.send(&dry(&request)).await;
        assert_eq!(api.engine.records().len(), before, "{}", operation.event);

        let written = api.send(&request).await;
        assert!(api.engine.records().len() > before, "{}: {written:?}", operation.event);
        assert_eq!((dry.status, dry.headers.get("etag")), (200, None), "{}: {dry:?}", operation.event);
        assert_eq!(without_moments(&dry), without_moments(&written), "{}", operation.event);
        dry.expect_headers();
        let body = dry.json();
        for absent in ["since", "digest"] {
            assert_eq!(body["release"].get(absent), None, "{}: {dry:?}", operation.event);
        }
        assert_eq!(
            body["data"].get("_id").is_none(),
            operation.route.ends_with("POST /v2/project-flows") || body["data"].is_null()
        );
        routes.push(operation.route);
    }
    let mut expected: Vec<_> = project_flows::operations::routes()
        .filter(|route| route.method != "GET")
        .map(|route| {
            assert!(route.parameters.contains(&"dryRun"), "{route}");
            route.to_string()
        })
        .collect();
    routes.sort();
    routes.dedup();
    expected.sort();
    assert_eq!(routes, expected, "each write has a row in the table of operations");
}

/// Sends each request as a dry run and then as a write, which must be refused alike, byte for byte.
async fn expect_refusals(api: &Api, requests: &[(Request, i64, &str)]) {
    for (request, status, code) in requests {
        let what = format!("{} {} {:?}", request.method, request.path, request.body);
        let judged = api.send(&dry(request)).await;
        assert_eq!((judged.status, judged.code().as_str()), (*status, *code), "{what}: {judged:?}");
        assert_eq!(judged, api.send(request).await, "{what}");
    }
    assert_eq!(api.engine.records(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_dry_run_is_refused_as_the_write_would_be_and_writes_nothing() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let draft = api.create().await;
    let other = api.create_from(&Request::create(page_request_with("project", json!("other")))).await;
    let login = api.create_from(&Request::create(page_request_with("type", json!("login")))).await;
    let deleted = api.create().await;
    api.send(&Request::delete(&deleted)).await;
    api.send(&Request::release(&path, 2)).await;
    let elsewhere = "/v2/project-flows/live/elsewhere/login";
    let paused = json!({ "status": "paused" });
    let large = json!({ "configuration": { "mine": "x".repeat(256 * 1024) } });
    api.engine.enable_stream("KEYS_ONLY");

    let conflict = "VERSION_CONFLICT";
    let stale = |request: Request| (request.header("if-match", "\"7\""), 412, conflict);
    let mut rows = vec![
        (Request::create(json!({})), 400, "INVALID_PROJECT_ID"),
        (Request::create(page_request_with("type", json!("logon"))), 400, "INVALID_FLOW_TYPE"),
        (Request::create(page_request_with("mine", json!(1))), 400, "UNKNOWN_FIELD"),
        (Request::create(page_request()).key("a b"), 400, "INVALID_IDEMPOTENCY_KEY"),
        (Request::put(&path, json!({ "name": "" })), 400, "INVALID_NAME"),
        (Request::put(&path, json!({ "client": "another" })), 409, "IMMUTABLE_FIELD"),
        (Request::put(&path, json!({ "version": 1 })), 409, conflict),
        (Request::put(&path, &paused), 409, "FLOW_IS_LIVE"),
        (Request::put(&path, &large), 413, "FLOW_TOO_LARGE"),
        (Request::put(&deleted, json!({})), 404, "PROJECT_FLOW_NOT_FOUND"),
        stale(Request::put(&path, json!({}))),
        (Request::patch(&path, json!({ "configuration": null })), 400, "INVALID_CONFIGURATION"),
        (Request::patch(&path, &paused), 409, "FLOW_IS_LIVE"),
        (Request::patch(&path, "{}").header("content-type", "application/json"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        stale(Request::patch(&path, json!({}))),
        (Request::restore(&path, 3), 404, "PROJECT_FLOW_NOT_FOUND"),
        (Request::restore(&path, 1).header("if-match", "1"), 400, "INVALID_ETAG"),
        stale(Request::restore(&path, 1)),
        (Request::delete(&path), 409, "FLOW_IS_ACTIVE"),
        (Request::delete(&deleted), 404, "PROJECT_FLOW_NOT_FOUND"),
        (Request::with_body("DELETE", &draft, json!({ "version": 1 })), 400, "UNKNOWN_FIELD"),
        stale(Request::delete(&draft)),
        (Request::release(&draft, 1), 409, "FLOW_NOT_ACTIVE"),
        (Request::release(&path, 1), 409, "FLOW_NOT_ACTIVE"),
        (Request::release(&path, 0), 400, "INVALID_VERSION"),
        (Request::release(&deleted, 1), 404, "PROJECT_FLOW_NOT_FOUND"),
        (Request::release(&other, 1), 400, "INVALID_PROJECT_ID"),
        (Request::release(&login, 1), 400, "INVALID_FLOW_TYPE"),
        stale(Request::release(&path, 2)),
        (Request::delete(PLACE).query("note="), 400, "INVALID_PARAMETERS"),
        (Request::delete(elsewhere), 404, "NO_LIVE_FLOW"),
        stale(Request::delete(PLACE)),
    ];
    let writes: [fn(&str) -> Request; 6] = [
        |_| Request::create(page_request()),
        |path| Request::put(path, "{}"),
        |path| Request::patch(path, "{}"),
        |path| Request::restore(path, 1),
        |path| Request::delete(path),
        |path| Request::release(path, 2),
    ];
    for write in writes {
        rows.push((write(&path).without("authorization"), 401, "MISSING_TOKEN"));
        rows.push((write(&path).header("authorization", "Bearer x"), 401, "INVALID_TOKEN"));
        rows.push((write(&path).query("mine=1"), 400, "INVALID_PARAMETERS"));
        if write(&path).method != "POST" || write(&path).path != "/v2/project-flows" {
            rows.push((write(NOWHERE), 404, "PROJECT_FLOW_NOT_FOUND"));
            rows.push((write(&path).client("client_2"), 404, "PROJECT_FLOW_NOT_FOUND"));
        }
    }
    rows.push((Request::delete(PLACE).client("client_2"), 404, "NO_LIVE_FLOW"));
    expect_refusals(&api, &rows).await;

    let (api, proxy) = api.behind_proxy().await;
    for (request, read) in [
        (Request::put(&path, json!({ "name": "Late" })), "GetItem"),
        (Request::restore(&path, 1), "GetItem"),
        (Request::delete(&draft), "GetItem"),
        (Request::release(&path, 2), "GetItem"),
        (Request::delete(PLACE), "GetItem"),
    ] {
        proxy.fail(read, &vec![Fault::Lost(When::BeforeCommit, Loss::Close); 3]);
        api.send(&dry(&request)).await.expect(503, "TEMPORARILY_UNAVAILABLE");
    }
    assert_eq!(api.engine.records(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_dry_run_of_a_release_has_four_eyes_too() {
    let api = Api::with(Options { settings: FOUR_EYES, ..Options::default() }).await;
    let path = api.create_from(&Request::create(page_request()).by("ann")).await;
    assert_eq!(api.send(&Request::put(&path, json!({ "status": "active" })).by("bob")).await.status, 200);
    api.engine.enable_stream("KEYS_ONLY");
    for author in ["ann", "bob", ""] {
        expect_refusals(&api, &[(Request::release(&path, 2).by(author), 403, "OWN_CHANGE")]).await;
    }

    let judged = api.send(&dry(&Request::release(&path, 2).query("note=Look").by("cleo"))).await.json();

    let id = path.rsplit('/').next().unwrap();
    let expected = json!({ "number": 1, "_id": id, "version": 2, "by": "cleo", "note": "Look", "reviewed": true });
    assert_eq!(judged["release"], expected);
    assert_eq!(api.engine.records(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_dry_run_of_a_create_asks_for_its_project_too() {
    let projects = &[("project_123456789", CLIENT), ("theirs", "client_2")];
    let api = Api::with(Options { projects, ..Options::default() }).await;
    api.engine.enable_stream("KEYS_ONLY");
    let theirs = Request::create(page_request_with("project", json!("theirs")));
    assert_eq!(api.send(&dry(&Request::create(page_request()))).await.status, 200);
    let judged = api.send(&dry(&theirs)).await;
    judged.expect(400, "INVALID_PROJECT_ID");
    assert_eq!(judged, api.send(&theirs).await);
}

#[tokio::test]
async fn a_dry_run_of_what_is_so_already_shows_it_as_it_is() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let released = api.send(&Request::release(&path, 2)).await;
    let flow = api.get(&path).await;
    for (request, expected) in [
        (Request::release(&path, 2).query("note=Again"), &released),
        (Request::put(&path, "{}"), &flow),
        (Request::patch(&path, "{}"), &flow),
    ] {
        let judged = api.send(&dry(&request)).await;
        assert_eq!((judged.status, &judged.text, judged.headers.get("etag")), (200, &expected.text, None));
    }
}

#[tokio::test]
async fn numbers_and_digests_of_what_would_be_are_not_taken() {
    let api = Api::start().await;
    let path = api.create_active().await;
    for _ in 0..2 {
        let judged = api.send(&dry(&Request::release(&path, 2))).await.json();
        assert_eq!(judged["release"]["number"], 1);
    }
    api.send(&Request::release(&path, 2)).await;
    let withdrawn = api.send(&dry(&Request::delete(PLACE).query("note=Incident").by("ann"))).await.json();
    let expected = json!({ "number": 2, "by": "ann", "note": "Incident" });
    assert_eq!((&withdrawn["data"], &withdrawn["release"]), (&Value::Null, &expected));
    let deleted = api.create().await;
    let judged = api.send(&dry(&Request::delete(&deleted))).await;
    let id = deleted.rsplit('/').next().unwrap();
    assert_eq!(judged.json()["data"], json!({ "_id": id, "status": "deleted", "version": 2 }));
    assert_eq!(api.get(&deleted).await.json()["data"]["version"], 1);
}

/// A name in `configuration`, and the known name that it is close to; none if it is the user's own.
const SECTIONS: &[(&str, Option<&str>, &str)] = &[
    ("emailVerification", None, "known"),
    ("securityThresholds", None, "known"),
    ("emailVerifcation", Some("emailVerification"), "a character is missing"),
    ("emailVerificaiton", Some("emailVerification"), "two characters in the wrong order"),
    ("phoneVerificationn", Some("phoneVerification"), "one character too many"),
    ("biometricVerifikation", Some("biometricVerification"), "another character"),
    ("documentVerifcaton", Some("documentVerification"), "two characters are missing"),
    ("securityTresholds", Some("securityThresholds"), "a character is missing"),
    ("EmailVerification", Some("emailVerification"), "another case"),
    ("EMAILVERIFICATION", Some("emailVerification"), "another case throughout"),
    ("email_verification", Some("emailVerification"), "another way to write two words"),
    ("documentVerifcatn", None, "three characters are missing"),
    ("email", None, "a short form"),
    ("verification", None, "only a part"),
    ("faceVerification", None, "another check"),
    ("addressVerification", None, "another check"),
    ("voiceVerification", None, "another check"),
    ("mine", None, "the user's own"),
    ("", None, "empty"),
];

/// The same for the members of a section that has rules.
const MEMBERS: &[(&str, Option<&str>, &str)] = &[
    ("enabled", None, "known"),
    ("method", None, "known"),
    ("livenesDetection", Some("livenessDetection"), "a character is missing"),
    ("livnesDetection", Some("livenessDetection"), "two characters are missing"),
    ("antispoofing", Some("antiSpoofing"), "another case"),
    ("Enabled", Some("enabled"), "another case"),
    ("enable", Some("enabled"), "a character is missing"),
    ("enabeld", Some("enabled"), "two characters in the wrong order"),
    ("requird", Some("required"), "a character is missing"),
    ("methods", Some("method"), "one character too many"),
    ("enabl", None, "two characters of a short name are missing"),
    ("disabled", None, "another word"),
    ("acquired", None, "another word"),
    ("mode", None, "another word"),
    ("emailVerifcation", None, "close to a section, and sections have no sections"),
    ("x", None, "the user's own"),
];

#[tokio::test]
async fn a_name_that_is_close_to_one_with_rules_is_warned_of_and_no_other() {
    let api = Api::start().await;
    let email: &[_] = &[("email", true)];
    let configuration = |name: &str| format!("{{{}: {{}}, \"emailVerification\": {{}}}}", json!(name));
    let member = |name: &str| {
        let value = if name == "method" { "\"code\"" } else { "true" };
        format!("{{\"emailVerification\": {{{}: {value}}}, \"mine\": {{\"enabeld\": true}}}}", json!(name))
    };
    let rows =
        SECTIONS.iter().filter(|(name, ..)| *name != "emailVerification").map(|row| (row, "", configuration(row.0)));
    let rows = rows.chain(MEMBERS.iter().map(|row| (row, "/emailVerification", member(row.0))));
    for ((name, close, why), path, configuration) in rows {
        let answer = api.send(&dry(&create(&configuration, email))).await;
        let path = format!("/configuration{path}/{name}");
        let expected: &[_] = if close.is_some() { &[("SIMILAR_NAME", path.as_str())] } else { &[] };
        expect_warnings(&answer, expected, &format!("{name:?}, {why}"));
        if let Some(close) = close {
            let expected = format!("expected {close}, found \"{name}\": a close name, but no rule applies to it");
            assert_eq!(answer.json()["warnings"][0]["warning"], expected);
        }
    }
    // The path is a JSON Pointer, and a write has no warnings.
    let escaped = create(r#"{"email/Verification": {}, "emailVerification": {"~enabled": 1}}"#, email);
    let expected = [
        ("SIMILAR_NAME", "/configuration/email~1Verification"),
        ("SIMILAR_NAME", "/configuration/emailVerification/~0enabled"),
    ];
    expect_warnings(&api.send(&dry(&escaped)).await, &expected, "names that pointers escape");
    assert_eq!(api.send(&escaped).await.json().get("warnings"), None);
}

#[tokio::test]
async fn a_step_without_a_section_is_warned_of() {
    let api = Api::start().await;
    let rows: [(&str, &[(&str, bool)], &[usize]); 5] = [
        (r#"{"emailVerification": {}}"#, &[("email", true)], &[]),
        (r#"{"emailVerification": {}}"#, &[("email", true), ("phone", false)], &[1]),
        (r#"{"phoneVerification": {"enabled": true}}"#, &[("email", true), ("phone", true), ("email", false)], &[0, 2]),
        (r#"{"mine": {"emailVerification": {}}}"#, &[("email", true)], &[0]),
        ("{}", &[("biometric", true), ("document", true)], &[0, 1]),
    ];
    for (configuration, steps, missing) in rows {
        let answer = api.send(&dry(&create(configuration, steps))).await;
        let paths: Vec<_> = missing.iter().map(|index| format!("/steps/{index}/stepType")).collect();
        let expected: Vec<_> = paths.iter().map(|path| ("MISSING_SECTION", path.as_str())).collect();
        expect_warnings(&answer, &expected, configuration);
    }
    let answer = api.send(&dry(&create("{}", &[("document", true)]))).await.json();
    let expected = "expected documentVerification in the configuration for this step, found nothing";
    assert_eq!(answer["warnings"][0]["warning"], expected);
}

#[tokio::test]
async fn a_warning_is_never_raised_for_what_is_stored_already() {
    let api = Api::start().await;
    let stored = r#"{"emailVerifcation": {}, "emailVerification": {"enabeld": true}}"#;
    let path = api.create_from(&create(stored, &[("email", true), ("phone", true)])).await;
    let none: &[(&str, &str)] = &[];
    let similar = |name: &'static str| ("SIMILAR_NAME", name);
    let phone: Value = serde_json::from_str(&body("{}", &[("phone", true), ("phone", true)])).unwrap();
    let document: Value = serde_json::from_str(&body("{}", &[("phone", true), ("document", true)])).unwrap();
    let put = |body: Value| Request::put(&path, body);
    let rows = [
        (put(json!({})), none.to_vec(), "unchanged"),
        (put(json!({ "name": "Other" })), none.to_vec(), "other members"),
        (put(json!({ "steps": phone["steps"] })), none.to_vec(), "the same kind of step, elsewhere and once more"),
        (put(json!({ "steps": document["steps"] })), vec![("MISSING_SECTION", "/steps/1/stepType")], "another kind"),
        (
            put(json!({ "configuration": { "emailVerifcation": { "mine": 1 } }, "steps": phone["steps"] })),
            none.to_vec(),
            "the same name with other content",
        ),
        (
            put(json!({ "configuration": {} })),
            vec![("MISSING_SECTION", "/steps/0/stepType")],
            "the section of a step goes away",
        ),
        (
            Request::patch(
                &path,
                json!({ "configuration": { "phoneVerifcation": {}, "emailVerification": { "requird": true } } }),
            ),
            vec![similar("/configuration/emailVerification/requird"), similar("/configuration/phoneVerifcation")],
            "new names beside those that are stored",
        ),
        (Request::patch(&path, json!({ "configuration": { "emailVerifcation": null } })), none.to_vec(), "a name goes"),
        (Request::restore(&path, 1), none.to_vec(), "the same content"),
    ];
    for (request, expected, why) in rows {
        expect_warnings(&api.send(&dry(&request)).await, &expected, why);
    }
    // A restore brings back what the newest version no longer has.
    let steps = json!([{ "stepType": "email", "order": 1, "required": true }]);
    api.send(&put(json!({ "configuration": { "emailVerification": {} }, "steps": steps }))).await;
    let expected = [
        similar("/configuration/emailVerifcation"),
        similar("/configuration/emailVerification/enabeld"),
        ("MISSING_SECTION", "/steps/1/stepType"),
    ];
    expect_warnings(&api.send(&dry(&Request::restore(&path, 1))).await, &expected, "restored");
    expect_warnings(&api.send(&dry(&Request::delete(&path))).await, &[], "deleted");
}

type Steps = &'static [(&'static str, bool)];

const EMAIL: Steps = &[("email", true)];

/// Configuration and steps of what is live, the same of what would be released, and the paths of what is weaker.
const RELEASES: &[((&str, Steps), (&str, Steps), &[&str], &str)] = &[
    ((r#"{"mine": 1}"#, EMAIL), (r#"{"mine": 0}"#, EMAIL), &[], "what has no rules"),
    // Thresholds
    (
        (r#"{"securityThresholds": {"face": 0.90}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 0.85}}"#, EMAIL),
        &["/configuration/securityThresholds/face"],
        "a lower threshold",
    ),
    (
        (r#"{"securityThresholds": {"face": 0.90}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 9e-1}}"#, EMAIL),
        &[],
        "the same threshold in another spelling",
    ),
    (
        (r#"{"securityThresholds": {"face": 0.90}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 0.900000000000000000000000001}}"#, EMAIL),
        &[],
        "a higher threshold, as decimals are",
    ),
    (
        (r#"{"securityThresholds": {"face": 0.90000000000000000001}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 0.90}}"#, EMAIL),
        &["/configuration/securityThresholds/face"],
        "a lower threshold, as decimals are and doubles are not",
    ),
    (
        (r#"{"securityThresholds": {"face": 1e-400}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 0}}"#, EMAIL),
        &["/configuration/securityThresholds/face"],
        "a lower threshold, although as a double it was 0 already",
    ),
    (
        (r#"{"securityThresholds": {"face": 0.095}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 0.1}}"#, EMAIL),
        &[],
        "a higher threshold with fewer digits",
    ),
    (
        (r#"{"securityThresholds": {"face": 10e-1, "a/b": 0.5}}"#, EMAIL),
        (r#"{"securityThresholds": {"face": 1}}"#, EMAIL),
        &["/configuration/securityThresholds/a~1b"],
        "a threshold is gone",
    ),
    (
        (r#"{"securityThresholds": {"face": 0.0, "voice": 0.5}}"#, EMAIL),
        ("{}", EMAIL),
        &["/configuration/securityThresholds/face", "/configuration/securityThresholds/voice"],
        "all thresholds are gone",
    ),
    (("{}", EMAIL), (r#"{"securityThresholds": {"face": 0.1}}"#, EMAIL), &[], "a new threshold"),
    // Verifications
    (
        (r#"{"phoneVerification": {"enabled": true, "required": true}}"#, EMAIL),
        (r#"{"phoneVerification": {"enabled": true, "required": true, "method": "sms"}}"#, EMAIL),
        &[],
        "another member of a section",
    ),
    (
        (r#"{"phoneVerification": {"enabled": true, "required": true}}"#, EMAIL),
        (r#"{"phoneVerification": {"enabled": true, "required": false}}"#, EMAIL),
        &["/configuration/phoneVerification/required"],
        "no longer required",
    ),
    (
        (r#"{"phoneVerification": {"enabled": true, "required": true}}"#, EMAIL),
        (r#"{"phoneVerification": {"required": true}}"#, EMAIL),
        &["/configuration/phoneVerification/enabled"],
        "no longer said to be enabled",
    ),
    (
        (r#"{"phoneVerification": {"enabled": true, "required": true}}"#, EMAIL),
        ("{}", EMAIL),
        &["/configuration/phoneVerification/enabled", "/configuration/phoneVerification/required"],
        "a section is gone",
    ),
    (
        (r#"{"phoneVerification": {"enabled": true}}"#, EMAIL),
        (r#"{"phoneVerification": {"enabled": false}}"#, EMAIL),
        &["/configuration/phoneVerification/enabled"],
        "no longer enabled",
    ),
    (
        (r#"{"phoneVerification": {}}"#, EMAIL),
        (r#"{"phoneVerification": {"enabled": false}}"#, EMAIL),
        &["/configuration/phoneVerification/enabled"],
        "disabled, where nothing was said",
    ),
    (
        (r#"{"phoneVerification": {"enabled": false, "required": false}}"#, EMAIL),
        ("{}", EMAIL),
        &[],
        "it was disabled already",
    ),
    (
        (r#"{"phoneVerification": {"enabled": false}}"#, EMAIL),
        (r#"{"phoneVerification": {"enabled": true, "required": true}}"#, EMAIL),
        &[],
        "stronger",
    ),
    (
        (r#"{"mine": {"enabled": true, "required": true}}"#, EMAIL),
        (r#"{"mine": {"enabled": false}}"#, EMAIL),
        &[],
        "a section of the user's own",
    ),
    // Steps
    (("{}", &[("email", true), ("phone", false)]), ("{}", &[("phone", false), ("email", true)]), &[], "another order"),
    (("{}", &[("email", true), ("phone", false)]), ("{}", EMAIL), &["/steps"], "a step is gone"),
    (("{}", &[("email", true), ("email", true)]), ("{}", EMAIL), &["/steps"], "one of two steps of a kind is gone"),
    (("{}", EMAIL), ("{}", &[("phone", true)]), &["/steps"], "another kind instead"),
    (
        ("{}", &[("email", true), ("email", false)]),
        ("{}", &[("email", false)]),
        &["/steps"],
        "a required step is gone, and that says it",
    ),
    (("{}", EMAIL), ("{}", &[("phone", true), ("email", true), ("email", false)]), &[], "more steps"),
    (
        ("{}", EMAIL),
        ("{}", &[("phone", true), ("email", false)]),
        &["/steps/1/required"],
        "a step is no longer required",
    ),
    (
        ("{}", &[("email", true), ("email", true)]),
        ("{}", &[("email", true), ("email", false)]),
        &["/steps/1/required"],
        "one of two is no longer required",
    ),
    (
        ("{}", &[("email", true), ("email", true)]),
        ("{}", &[("email", false)]),
        &["/steps", "/steps/0/required"],
        "one of two is gone, the other one no longer required",
    ),
    (("{}", &[("email", false)]), ("{}", EMAIL), &[], "now required"),
];

#[tokio::test]
async fn a_release_is_warned_of_each_way_in_which_it_is_weaker_than_what_is_live() {
    for ((live, live_steps), (new, new_steps), expected, why) in RELEASES {
        let api = Api::start().await;
        let path = api.create_from(&create(live, live_steps)).await;
        api.set(&path, "status", json!("active")).await;
        let first = api.send(&dry(&Request::release(&path, 2))).await;
        expect_warnings(&first, &[], &format!("{why}: nothing is live yet"));
        api.send(&Request::release(&path, 2)).await;
        let steps: Value = serde_json::from_str(&body(new, new_steps)).unwrap();
        let change = format!("{{\"configuration\": {new}, \"steps\": {}}}", steps["steps"]);
        assert_eq!(api.send(&Request::put(&path, change)).await.status, 200, "{why}");
        // The same as another flow of the place.
        let other = api.create_from(&create(new, new_steps)).await;
        api.set(&other, "status", json!("active")).await;

        let expected: Vec<_> = expected.iter().map(|path| ("WEAKER", *path)).collect();
        for request in [Request::release(&path, 3), Request::release(&other, 2)] {
            expect_warnings(&api.send(&dry(&request)).await, &expected, why);
        }
        expect_warnings(&api.send(&dry(&Request::release(&path, 2))).await, &[], &format!("{why}: live already"));

        assert_eq!(api.send(&Request::release(&path, 3)).await.json().get("warnings"), None, "{why}: a write");
        api.send(&Request::delete(PLACE)).await;
        expect_warnings(&api.send(&dry(&Request::release(&path, 2))).await, &[], &format!("{why}: withdrawn"));
    }
}

#[tokio::test]
async fn a_warning_says_what_is_live_and_what_would_be() {
    let api = Api::start().await;
    let live = r#"{"emailVerification": {"enabled": true, "required": true}, "phoneVerification": {},
        "securityThresholds": {"face": 0.90, "voice": 0.5}}"#;
    let path = api.create_from(&create(live, &[("email", true), ("email", true), ("phone", true)])).await;
    api.set(&path, "status", json!("active")).await;
    api.send(&Request::release(&path, 2)).await;
    let weaker = body(
        r#"{"emailVerification": {"enabled": true}, "phoneVerification": {"enabled": false},
        "securityThresholds": {"face": 0.850}}"#,
        &[("email", true), ("email", false)],
    );
    let weaker: Value = serde_json::from_str(&weaker).unwrap();
    let change = json!({ "configuration": weaker["configuration"], "steps": weaker["steps"] });
    let change = change.to_string().replace("0.85", "0.850");
    assert_eq!(api.send(&Request::put(&path, change)).await.status, 200);

    let answer = api.send(&dry(&Request::release(&path, 3))).await;

    let expected = json!([
        { "path": "/configuration/emailVerification/required", "code": "WEAKER",
            "warning": "expected true, as in what is live, found nothing" },
        { "path": "/configuration/phoneVerification/enabled", "code": "WEAKER",
            "warning": "expected a verification that is not disabled, as in what is live, found false" },
        { "path": "/configuration/securityThresholds/face", "code": "WEAKER",
            "warning": "expected at least 0.90, as in what is live, found 0.850" },
        { "path": "/configuration/securityThresholds/voice", "code": "WEAKER",
            "warning": "expected at least 0.5, as in what is live, found nothing" },
        { "path": "/steps/1/required", "code": "WEAKER",
            "warning": "expected at least 2 of the type email to be required, as in what is live, found 1" },
        { "path": "/steps", "code": "WEAKER",
            "warning": "expected at least 1 of the type phone, as in what is live, found 0" },
    ]);
    assert_eq!(answer.json()["warnings"], expected);
    // The members of a warning have this order, and the warnings come last.
    assert!(
        answer.text.contains(r#","warnings":[{"path":"/configuration/emailVerification/required","code":"WEAKER","#)
    );
    assert!(answer.text.ends_with("]}"), "{}", answer.text);
}

#[tokio::test]
async fn one_answer_lists_at_most_a_thousand_warnings() {
    let api = Api::start().await;
    let thresholds = |count: usize| -> String {
        let thresholds: serde_json::Map<_, _> = (0..count).map(|number| (format!("t{number}"), json!(0.5))).collect();
        json!({ "securityThresholds": thresholds }).to_string()
    };
    let path = api.create_from(&create(&thresholds(20_000), EMAIL)).await;
    api.set(&path, "status", json!("active")).await;
    api.send(&Request::release(&path, 2)).await;
    api.set(&path, "configuration", json!({})).await;
    let answer = api.send(&dry(&Request::release(&path, 3))).await;
    assert_eq!(warnings(&answer).len(), 1_000);
    let names: serde_json::Map<_, _> =
        ('\u{4e00}'..).take(2_000).map(|one| (format!("emailVerification{one}"), json!(1))).collect();
    let answer = api.send(&dry(&create(&json!(names).to_string(), EMAIL))).await;
    assert_eq!(warnings(&answer).len(), 1_000);
}
