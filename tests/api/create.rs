//! `POST /v2/project-flows`

use project_flows::flow::FlowId;
use serde_json::{Value, json};

use crate::support::{Api, CLIENT, Request, page_request, page_request_with, page_request_without};

/// Whether a text is an id as the function makes it.
fn is_flow_id(id: &str) -> bool {
    id.strip_prefix("project_flow_").is_some_and(|random| {
        random.len() == 26 && random.bytes().all(|byte| b"0123456789abcdefghjkmnpqrstvwxyz".contains(&byte))
    })
}

#[test]
fn an_id_has_only_the_characters_of_its_alphabet() {
    for character in (0..=127_u8).map(char::from) {
        let id = format!("project_flow_0123456789abcdefghjkmnpq{character}s");
        assert_eq!(FlowId::parse(&id).is_some(), is_flow_id(&id), "{character:?}");
    }
}

/// Whether a text has the form of `2024-01-15T10:30:00Z`.
fn is_timestamp(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

#[tokio::test]
async fn the_request_of_the_api_page_has_the_answer_of_the_page() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request())).await;

    assert_eq!(answer.status, 201);
    answer.expect_headers();
    assert_eq!(answer.headers["x-request-id"], "gateway-request-id");
    assert_eq!(answer.headers["etag"], "\"1\"");
    let body = answer.json();
    let id = body["data"]["_id"].as_str().unwrap();
    assert!(is_flow_id(id), "{id}");
    assert_eq!(answer.headers["location"], format!("/v2/project-flows/{id}"));
    let created = body["data"]["createdAt"].as_str().unwrap();
    assert!(is_timestamp(created), "{created}");

    let mut expected = json!({
        "success": true,
        "data": {
            "_id": id,
            "status": "draft",
            "version": 1,
            "client": "client_123456789",
            "createdAt": created,
            "updatedAt": created,
        },
    });
    let sent = page_request();
    expected["data"].as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_answer_has_its_members_in_the_order_of_the_api_page() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request())).await;

    let names = [
        "success",
        "data",
        "_id",
        "project",
        "type",
        "status",
        "version",
        "name",
        "description",
        "configuration",
        "steps",
        "client",
        "createdAt",
        "updatedAt",
    ];
    let places: Vec<_> = names.iter().map(|name| answer.text.find(&format!("\"{name}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{}", answer.text);
}

#[tokio::test]
async fn a_created_flow_is_one_item_of_the_table() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request())).await;

    let data = &answer.json()["data"];
    let id = data["_id"].as_str().unwrap();
    let mut items = api.engine.items();
    // The API shows the second, and the table has the millisecond.
    let created = items[0]["createdAt"]["S"].as_str().unwrap().to_owned();
    assert_eq!(created.len(), "2024-01-15T10:30:00.123Z".len());
    assert_eq!(data["createdAt"], format!("{}Z", &created[.."2024-01-15T10:30:00".len()]));
    let text = |name: &str| json!({ "S": page_request()[name].as_str().unwrap() });
    let expected = json!({
        "pk": { "S": "CLIENT#client_123456789" },
        "sk": { "S": format!("FLOW#{id}") },
        "_id": { "S": id },
        "client": { "S": CLIENT },
        "project": text("project"),
        "type": text("type"),
        "status": { "S": "draft" },
        "version": { "N": "1" },
        "name": text("name"),
        "description": text("description"),
        "configuration": { "S": page_request()["configuration"].to_string() },
        "steps": { "S": page_request()["steps"].to_string() },
        "createdAt": { "S": created },
        "updatedAt": { "S": created },
        "action": { "S": "created" },
        "listKey": { "S": format!("{created}#{id}") },
        "changeKey": { "S": format!("{created}#{id}#0000000001") },
    });
    // `digest.rs` is about its value.
    assert!(items[0].as_object_mut().unwrap().remove("digest").is_some());
    assert_eq!(items, [expected]);
}

#[tokio::test]
async fn a_flow_without_a_description_is_stored_and_answered_without_one() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request_without("description"))).await;

    assert_eq!(answer.status, 201);
    assert_eq!(answer.json()["data"].get("description"), None);
    assert_eq!(api.engine.items()[0].get("description"), None);
}

#[tokio::test]
async fn both_errors_of_the_api_page_are_answered_to_the_letter() {
    let api = Api::start().await;

    let project = api.send(&Request::create(page_request_with("project", json!("")))).await;
    let flow_type = api.send(&Request::create(page_request_with("type", json!("signup")))).await;

    assert_eq!((project.status, flow_type.status), (400, 400));
    assert_eq!(project.text, r#"{"error":"Invalid project ID","message":"INVALID_PROJECT_ID"}"#);
    assert_eq!(flow_type.text, r#"{"error":"Invalid flow type","message":"INVALID_FLOW_TYPE"}"#);
}

#[tokio::test]
async fn a_dry_run_answers_the_flow_without_an_id_and_writes_nothing() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request()).query("dryRun=true")).await;

    assert_eq!(answer.status, 200);
    answer.expect_headers();
    let data = &answer.json()["data"];
    assert_eq!((data.get("_id"), &data["status"], &data["version"]), (None, &json!("draft"), &json!(1)));
    assert_eq!(answer.headers.get("etag"), None);
    assert_eq!(api.engine.items(), Vec::<Value>::new());
    api.send(&Request::create(json!({})).query("dryRun=true")).await.expect(400, "INVALID_PROJECT_ID");
    assert_eq!(api.send(&Request::create(page_request()).query("dryRun=false")).await.status, 201);
}

#[tokio::test]
async fn a_parameter_that_create_does_not_know_is_refused() {
    let api = Api::start().await;
    let queries = [
        ("page=1", "another operation's"),
        ("dryRun=maybe", "neither true nor false"),
        ("dryRun", "no value"),
        ("dryRun=true&dryRun=true", "twice"),
        ("dryRun=%zz", "no hexadecimal digits"),
        ("dryRun=%f", "one digit"),
        ("dryRun=%ff", "no UTF-8"),
        ("dryRun=true ", "a space"),
        ("dryRun=\"true\"", "quotes"),
        ("..", "dots"),
    ];
    for (query, why) in queries {
        let answer = api.send(&Request::create(page_request()).query(query)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_PARAMETERS"), "{why}");
    }
    let long = format!("dryRun={}", "x".repeat(64 * 1024));
    api.send(&Request::create(page_request()).query(&long)).await.expect(400, "INVALID_PARAMETERS");
    assert_eq!(api.engine.items(), Vec::<Value>::new());
}

/// A member, its value as JSON, and the path and code of each problem; with no problems, the answer is 201.
pub const MEMBERS: &[(&str, &str, &[(&str, &str)], &str)] = &[
    ("project", r#""5f1b2c3d4e5f6a7b8c9d0e1f""#, &[], "24 hexadecimal digits"),
    ("project", r#""a""#, &[], "the shortest"),
    ("project", r#""project one""#, &[("/project", "INVALID_PROJECT_ID")], "a space"),
    ("project", r#""project\u0000""#, &[("/project", "INVALID_PROJECT_ID")], "a NUL"),
    ("project", r#""próject""#, &[("/project", "INVALID_PROJECT_ID")], "not ASCII"),
    ("project", "17", &[("/project", "INVALID_PROJECT_ID")], "a number"),
    ("project", "null", &[("/project", "INVALID_PROJECT_ID")], "null"),
    ("type", r#""login""#, &[], "the other type"),
    ("type", r#""Login""#, &[("/type", "INVALID_FLOW_TYPE")], "upper case"),
    ("type", r#"["login"]"#, &[("/type", "INVALID_FLOW_TYPE")], "an array"),
    ("name", r#"" x ""#, &[], "white space around"),
    ("name", r#""""#, &[("/name", "INVALID_NAME")], "empty"),
    ("name", r#""   ""#, &[("/name", "INVALID_NAME")], "nothing but white space"),
    ("name", r#""\u00a0\u3000\u2028""#, &[("/name", "INVALID_NAME")], "nothing but white space of Unicode"),
    (
        "name",
        r#""x                                                                                                                       ""#,
        &[],
        "as long as it may be, with the white space at its end",
    ),
    (
        "name",
        r#"" x                                                                                                                       ""#,
        &[("/name", "INVALID_NAME")],
        "too long with the white space around it",
    ),
    ("name", r#""a\u0000b""#, &[("/name", "INVALID_NAME")], "a NUL"),
    ("name", r#""a\nb""#, &[("/name", "INVALID_NAME")], "a line feed"),
    ("name", r#""a\u009fb""#, &[("/name", "INVALID_NAME")], "a C1 control character"),
    ("name", "{}", &[("/name", "INVALID_NAME")], "an object"),
    ("description", r#""""#, &[], "empty"),
    ("description", r#""a\nb""#, &[], "a line feed"),
    ("description", "null", &[("/description", "INVALID_DESCRIPTION")], "null"),
    ("description", "false", &[("/description", "INVALID_DESCRIPTION")], "a boolean"),
    ("configuration", "{}", &[], "no section"),
    ("configuration", r#"{"theme": {"enabled": 7}}"#, &[], "a section of the user's own"),
    ("configuration", r#"{"emailVerification": {"color": 7}}"#, &[], "a member of the user's own"),
    ("configuration", r#"{"securityThresholds": {"face": 0, "id": 1, "x": 0.5, "y": 1e-7, "z": -0.0}}"#, &[], "bounds"),
    ("configuration", "[]", &[("/configuration", "INVALID_CONFIGURATION")], "an array"),
    ("configuration", "null", &[("/configuration", "INVALID_CONFIGURATION")], "null"),
    (
        "configuration",
        r#"{"emailVerification": true, "securityThresholds": 1}"#,
        &[
            ("/configuration/emailVerification", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds", "INVALID_CONFIGURATION"),
        ],
        "sections that are no objects",
    ),
    (
        "configuration",
        r#"{"documentVerification": {"enabled": "yes", "required": 1, "livenessDetection": null, "antiSpoofing": {}, "method": ""}}"#,
        &[
            ("/configuration/documentVerification/enabled", "INVALID_CONFIGURATION"),
            ("/configuration/documentVerification/required", "INVALID_CONFIGURATION"),
            ("/configuration/documentVerification/livenessDetection", "INVALID_CONFIGURATION"),
            ("/configuration/documentVerification/antiSpoofing", "INVALID_CONFIGURATION"),
            ("/configuration/documentVerification/method", "INVALID_CONFIGURATION"),
        ],
        "every member of another kind",
    ),
    (
        "configuration",
        r#"{"phoneVerification": {"method": 5}}"#,
        &[("/configuration/phoneVerification/method", "INVALID_CONFIGURATION")],
        "a method that is no string",
    ),
    (
        "configuration",
        r#"{"documentVerification": {"enabled": false, "required": true}}"#,
        &[("/configuration/documentVerification/required", "INVALID_CONFIGURATION")],
        "required but switched off",
    ),
    (
        "configuration",
        r#"{"securityThresholds": {"a/b": 1.01, "c~d": -1, "e": "0.5", "f": 2, "g": [], "h": true}}"#,
        &[
            ("/configuration/securityThresholds/a~1b", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds/c~0d", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds/e", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds/f", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds/g", "INVALID_CONFIGURATION"),
            ("/configuration/securityThresholds/h", "INVALID_CONFIGURATION"),
        ],
        "no numbers from 0 to 1",
    ),
    (
        "configuration",
        r#"{"emailVerification": {"enabled": false}, "biometricVerification": {"enabled": false}}"#,
        &[("/steps/0/stepType", "INVALID_STEPS"), ("/steps/2/stepType", "INVALID_STEPS")],
        "steps that are switched off",
    ),
    ("steps", r#"[{"stepType": "document", "order": 18446744073709551615, "required": false}]"#, &[], "one step"),
    ("steps", r#"[{"stepType": "email", "order": 2, "required": false, "config": {"order": "x"}}]"#, &[], "own config"),
    ("steps", "{}", &[("/steps", "INVALID_STEPS")], "an object"),
    ("steps", "[]", &[("/steps", "INVALID_STEPS")], "no step"),
    ("steps", "[1]", &[("/steps/0", "INVALID_STEPS")], "a step that is no object"),
    (
        "steps",
        "[{}]",
        &[
            ("/steps/0/stepType", "INVALID_STEPS"),
            ("/steps/0/order", "INVALID_STEPS"),
            ("/steps/0/required", "INVALID_STEPS"),
        ],
        "an empty step",
    ),
    (
        "steps",
        r#"[{"stepType": "voice", "order": 0, "required": "true", "config": []}, {"stepType": 1, "order": 1.0, "required": null, "config": null}]"#,
        &[
            ("/steps/0/stepType", "INVALID_STEPS"),
            ("/steps/0/order", "INVALID_STEPS"),
            ("/steps/0/required", "INVALID_STEPS"),
            ("/steps/0/config", "INVALID_STEPS"),
            ("/steps/1/stepType", "INVALID_STEPS"),
            ("/steps/1/order", "INVALID_STEPS"),
            ("/steps/1/required", "INVALID_STEPS"),
            ("/steps/1/config", "INVALID_STEPS"),
        ],
        "every member of another kind",
    ),
    (
        "steps",
        r#"[{"stepType": "email", "order": -1, "required": true}, {"stepType": "email", "order": "1", "required": true}]"#,
        &[("/steps/0/order", "INVALID_STEPS"), ("/steps/1/order", "INVALID_STEPS")],
        "orders that are no integers from 1",
    ),
    (
        "steps",
        r#"[{"stepType": "email", "order": 1.5, "required": true}]"#,
        &[("/steps/0/order", "INVALID_STEPS")],
        "an order between two",
    ),
    (
        "steps",
        r#"[{"stepType": "email", "order": 1, "required": true}, {"stepType": "phone", "order": 1, "required": true}]"#,
        &[("/steps/1/order", "INVALID_STEPS")],
        "the same order twice",
    ),
    (
        "steps",
        r#"[{"stepType": "email", "order": 1, "required": true, "a/b": 1}]"#,
        &[("/steps/0/a~1b", "UNKNOWN_FIELD")],
        "an unknown member in a step",
    ),
    ("_id", r#""project_flow_1""#, &[("/_id", "UNKNOWN_FIELD")], "the function's own member"),
    ("client", r#""client_2""#, &[("/client", "UNKNOWN_FIELD")], "another client"),
    ("", "1", &[("/", "UNKNOWN_FIELD")], "an empty name"),
];

#[tokio::test]
async fn each_member_must_follow_its_rule() {
    let api = Api::start().await;
    for (name, value, problems, why) in MEMBERS {
        let body = page_request_with(name, serde_json::from_str(value).unwrap()).to_string();
        // The value is sent to the letter: a tree would rewrite numbers such as 1.0 and -0.0.
        let body = body.replace(&serde_json::from_str::<Value>(value).unwrap().to_string(), value);

        let answer = api.send(&Request::create(body)).await;

        if problems.is_empty() {
            assert_eq!(answer.status, 201, "{why}: {}", answer.text);
            continue;
        }
        let (first_path, first_code) = problems[0];
        assert_eq!((answer.status, answer.code().as_str()), (400, first_code), "{why}: {}", answer.text);
        let json = answer.json();
        if problems.len() == 1 && ["/project", "/type"].contains(&first_path) {
            assert_eq!(json.get("details"), None, "{why}: as the API page shows it");
            continue;
        }
        let details = json["details"].as_array().unwrap();
        let found: Vec<_> =
            details.iter().map(|one| (one["path"].as_str().unwrap(), one["code"].as_str().unwrap())).collect();
        assert_eq!(found, *problems, "{why}");
        for detail in details {
            let sentence = detail["error"].as_str().unwrap();
            assert!(sentence.starts_with("expected ") && sentence.contains(", found "), "{why}: {sentence}");
        }
    }
    let created = MEMBERS.iter().filter(|(_, _, problems, _)| problems.is_empty()).count();
    assert_eq!(api.engine.items().len(), created);
}

/// Thresholds, and whether they are from 0 to 1. Doubles would make 1 and 0 of some that are not.
const THRESHOLDS: [(&str, bool); 34] = [
    ("0", true),
    ("1", true),
    ("1.0", true),
    ("1.000000000000000000000000000000000000000000", true),
    ("1.00000000000000000001", false),
    ("0.99999999999999999999999999999999999", true),
    ("-0", true),
    ("-0.0", true),
    ("-0e5", true),
    ("0e999999999999999999999999", true),
    ("-1", false),
    ("-1e-400", false),
    ("-0.00000000000000000000000000000000001", false),
    ("1e-400", true),
    ("1.5e-99999999999999999999999999", true),
    ("-1.5e-99999999999999999999999999", false),
    ("10e-1", true),
    ("11e-1", false),
    ("100e-2", true),
    ("100.0e-2", true),
    ("100.01e-2", false),
    ("101e-2", false),
    ("0.1e1", true),
    ("0.01e2", true),
    ("0.011e2", false),
    ("0.2E1", false),
    ("0.9E+0", true),
    ("1e0", true),
    ("1E+0", true),
    ("1e-0", true),
    ("1e1", false),
    ("1e00000000000000000000000000000000000000000001", false),
    ("2", false),
    ("18446744073709551616", false),
];

#[tokio::test]
async fn thresholds_are_judged_as_decimals() {
    let api = Api::start().await;
    let zeros = "0".repeat(400);
    let long = [
        (format!("0.{zeros}1"), true),
        (format!("0.{zeros}1e401"), true),
        (format!("0.{zeros}1e402"), false),
        (format!("1{}e-300", "0".repeat(300)), true),
        (format!("1{}e-299", "0".repeat(300)), false),
        (format!("1.{zeros}1"), false),
        (format!("-0.{zeros}"), true),
    ];
    let rows = THRESHOLDS.iter().map(|(number, is_allowed)| ((*number).to_owned(), *is_allowed)).chain(long);
    for (number, is_allowed) in rows {
        let body =
            page_request_with("configuration", json!({ "securityThresholds": { "face": "NUMBER" } })).to_string();
        let answer = api.send(&Request::create(body.replace("\"NUMBER\"", &number)).query("dryRun=true")).await;
        if is_allowed {
            assert_eq!(answer.status, 200, "{number}: {}", answer.text);
            assert!(answer.text.contains(&format!("\"face\":{number}}}")), "{}", answer.text);
        } else {
            answer.expect(400, "INVALID_CONFIGURATION");
            let sentence = answer.json()["details"][0]["error"].as_str().unwrap().to_owned();
            let start = number.split_at_checked(40).map_or(number.as_str(), |(start, _)| start);
            assert!(sentence.starts_with(&format!("expected a number from 0 to 1, found {start}")), "{sentence}");
        }
    }
    let out_of_range = json!({ "securityThresholds": { "face": "NUMBER" } });
    let body = page_request_with("configuration", out_of_range).to_string().replace("\"NUMBER\"", "1e999");
    api.send(&Request::create(body)).await.expect(400, "INVALID_JSON");
}

#[tokio::test]
async fn a_member_at_its_limit_is_accepted_and_one_above_it_is_refused() {
    let api = Api::start().await;
    let steps = |count: usize| -> Value {
        (1..=count).map(|order| json!({ "stepType": "email", "order": order, "required": true })).collect()
    };
    let limits = [
        ("project", json!("p".repeat(64)), json!("p".repeat(65)), "INVALID_PROJECT_ID"),
        ("name", json!("é".repeat(120)), json!("é".repeat(121)), "INVALID_NAME"),
        ("name", json!(format!("{:120}", "é")), json!(format!("{:121}", "é")), "INVALID_NAME"),
        ("name", json!(format!("{:>120}", "é")), json!(format!("{:>121}", "é")), "INVALID_NAME"),
        ("description", json!("é".repeat(2_000)), json!("é".repeat(2_001)), "INVALID_DESCRIPTION"),
        ("steps", steps(100), steps(101), "INVALID_STEPS"),
    ];
    for (name, most, more, code) in limits {
        let accepted = api.send(&Request::create(page_request_with(name, most))).await;
        assert_eq!(accepted.status, 201, "{name}: {}", accepted.text);
        api.send(&Request::create(page_request_with(name, more))).await.expect(400, code);
    }
}

#[tokio::test]
async fn a_create_without_a_required_member_is_refused() {
    let api = Api::start().await;
    let required = [
        ("project", "INVALID_PROJECT_ID"),
        ("type", "INVALID_FLOW_TYPE"),
        ("name", "INVALID_NAME"),
        ("configuration", "INVALID_CONFIGURATION"),
        ("steps", "INVALID_STEPS"),
    ];
    for (name, code) in required {
        api.send(&Request::create(page_request_without(name))).await.expect(400, code);
    }
}

#[tokio::test]
async fn one_answer_lists_all_problems_in_the_order_of_the_contract() {
    let api = Api::start().await;
    let body = json!({
        "extra": 1,
        "steps": [{ "stepType": "email", "order": 1, "required": true, "color": "red" }, 5],
        "configuration": { "emailVerification": 1 },
        "description": 1,
        "name": "",
        "type": "x",
        "project": "x y",
    });

    let answer = api.send(&Request::create(body)).await;

    assert_eq!(
        answer.json(),
        json!({
            "error": "Invalid project ID",
            "message": "INVALID_PROJECT_ID",
            "details": [
                {
                    "path": "/project",
                    "code": "INVALID_PROJECT_ID",
                    "error": "expected 1 to 64 letters, digits, \"_\" or \"-\", found \"x y\"",
                },
                {
                    "path": "/type",
                    "code": "INVALID_FLOW_TYPE",
                    "error": "expected \"login\" or \"onboarding\", found \"x\"",
                },
                { "path": "/name", "code": "INVALID_NAME", "error": "expected 1 to 120 characters, found 0" },
                { "path": "/description", "code": "INVALID_DESCRIPTION", "error": "expected a string, found 1" },
                {
                    "path": "/configuration/emailVerification",
                    "code": "INVALID_CONFIGURATION",
                    "error": "expected an object, found 1",
                },
                { "path": "/steps/1", "code": "INVALID_STEPS", "error": "expected an object, found 5" },
                {
                    "path": "/steps/0/color",
                    "code": "UNKNOWN_FIELD",
                    "error": "expected no members but stepType, order, required, config, found another",
                },
                {
                    "path": "/extra",
                    "code": "UNKNOWN_FIELD",
                    "error": "expected no members but project, type, name, description, configuration, steps, found another",
                },
            ],
        })
    );
}

#[tokio::test]
async fn an_answer_lists_at_most_a_thousand_problems_and_says_how_many_there_are() {
    let api = Api::start().await;
    for (problems, listed) in [(1_000, 1_000), (1_001, 1_001), (5_000, 1_001)] {
        let mut body = page_request();
        for number in 0..problems {
            body[format!("extra{number}")] = json!(null);
        }

        let answer = api.send(&Request::create(body)).await;

        answer.expect(400, "UNKNOWN_FIELD");
        let json = answer.json();
        let details = json["details"].as_array().unwrap();
        assert_eq!(details.len(), listed);
        if problems > 1_000 {
            let sentence = format!("expected at most 1000 problems to list, found {problems}");
            assert_eq!(details[1_000]["error"], sentence);
        }
    }
}

#[tokio::test]
async fn an_order_that_occurs_twice_is_named() {
    let api = Api::start().await;
    let step = json!({ "stepType": "email", "order": 7, "required": true });

    let answer = api.send(&Request::create(page_request_with("steps", json!([step, step])))).await;

    assert_eq!(answer.json()["details"][0]["error"], "expected a unique order, found 7 again");
    assert_eq!(answer.json()["details"][0]["path"], "/steps/1/order");
}

#[tokio::test]
async fn a_name_is_kept_as_it_was_sent() {
    let api = Api::start().await;

    let answer = api.send(&Request::create(page_request_with("name", json!("  Zoë \u{1F600} ")))).await;

    assert_eq!(answer.json()["data"]["name"], "  Zoë \u{1F600} ");
    assert_eq!(api.engine.items()[0]["name"]["S"], "  Zoë \u{1F600} ");
}

#[tokio::test]
async fn a_large_configuration_comes_back_byte_for_byte() {
    let api = Api::start().await;
    let text = format!(r#"{{"own": "{}", "n": [1.0, 1e2, -0, 10000000000000000000000]}}"#, "x".repeat(200 * 1024));
    let body = page_request().to_string().replace(&page_request()["configuration"].to_string(), &text);

    let answer = api.send(&Request::create(body)).await;

    assert_eq!(answer.status, 201);
    assert!(answer.text.contains(&text));
    assert_eq!(api.engine.items()[0]["configuration"]["S"], text);
}

#[tokio::test]
async fn each_client_has_a_partition_of_its_own() {
    let api = Api::start().await;
    for client in ["client_a", "client_b"] {
        let answer = api.send(&Request::create(page_request()).client(client)).await;
        assert_eq!(answer.json()["data"]["client"], client);
    }
    let items = api.engine.items();
    let mut keys: Vec<_> = items.iter().map(|item| item["pk"]["S"].as_str().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["CLIENT#client_a", "CLIENT#client_b"]);
}
