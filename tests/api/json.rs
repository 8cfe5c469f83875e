//! The text of a body, which is read strictly: what is refused, and the place that the answer names.

use project_flows::json::{Value, read, read_object};
use serde_json::json;

use crate::support::{Api, Request, page_request};

/// A body, and the code and the sentence of its answer.
const BODIES: &[(&str, &str, &str)] = &[
    ("", "INVALID_JSON", "EOF while parsing a value at line 1 column 0"),
    ("  \n ", "INVALID_JSON", "EOF while parsing a value at line 2 column 1"),
    ("{", "INVALID_JSON", "EOF while parsing an object at line 1 column 1"),
    ("{\"name\": \"x", "INVALID_JSON", "EOF while parsing a string at line 1 column 11"),
    ("{} {}", "INVALID_JSON", "trailing characters at line 1 column 4"),
    ("{}\n\u{0}", "INVALID_JSON", "trailing characters at line 2 column 1"),
    ("\u{feff}{}", "INVALID_JSON", "expected JSON, found a byte order mark at line 1 column 1"),
    ("{\"a\": 1,}", "INVALID_JSON", "trailing comma at line 1 column 9"),
    ("{'a': 1}", "INVALID_JSON", "key must be a string at line 1 column 2"),
    ("{\"a\": NaN}", "INVALID_JSON", "expected value at line 1 column 7"),
    ("{\"a\": Infinity}", "INVALID_JSON", "expected value at line 1 column 7"),
    ("{\"a\": 01}", "INVALID_JSON", "invalid number at line 1 column 8"),
    ("{\"a\": +1}", "INVALID_JSON", "expected value at line 1 column 7"),
    ("{\"a\":\n {\"b\": 1e999}}", "INVALID_JSON", "number out of range at line 2 column 12"),
    ("{\"a\": [-1e999]}", "INVALID_JSON", "number out of range at line 1 column 13"),
    ("{\"a\":\n\n \"\\ud800\"}", "INVALID_JSON", "unexpected end of hex escape at line 3 column 9"),
    ("{\"\\udc00\": 1}", "INVALID_JSON", "lone leading surrogate in hex escape at line 1 column 8"),
    ("{\"a\": \"\\ud800\\u0041\"}", "INVALID_JSON", "lone leading surrogate in hex escape at line 1 column 19"),
    (
        "{\"a\": \"\t\"}",
        "INVALID_JSON",
        "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 7",
    ),
    ("{\"a\": \"\\x\"}", "INVALID_JSON", "invalid escape at line 1 column 9"),
    ("// {}", "INVALID_JSON", "expected value at line 1 column 1"),
    ("null", "INVALID_BODY", "expected a JSON object, found null"),
    ("true", "INVALID_BODY", "expected a JSON object, found a boolean"),
    ("17", "INVALID_BODY", "expected a JSON object, found a number"),
    ("-1.5", "INVALID_BODY", "expected a JSON object, found a number"),
    ("\"{}\"", "INVALID_BODY", "expected a JSON object, found a string"),
    ("[{}]", "INVALID_BODY", "expected a JSON object, found an array"),
    ("[", "INVALID_JSON", "EOF while parsing a list at line 1 column 1"),
    ("[1,]", "INVALID_JSON", "expected value at line 1 column 4"),
    ("-", "INVALID_JSON", "invalid number at line 1 column 1"),
    ("[1] x", "INVALID_JSON", "trailing characters at line 1 column 5"),
    // Malformed JSON is reported first, even if the value is no object either.
    ("[1e999]", "INVALID_JSON", "number out of range at line 1 column 6"),
    ("\n[[1,\n \"\\ud800\"]]", "INVALID_JSON", "unexpected end of hex escape at line 3 column 9"),
    ("-1e999", "INVALID_JSON", "number out of range at line 1 column 6"),
    ("\"\\udc00\"", "INVALID_JSON", "lone leading surrogate in hex escape at line 1 column 7"),
    ("[{\"a\": 1, \"a\": 2}] x", "INVALID_JSON", "trailing characters at line 1 column 20"),
];

#[tokio::test]
async fn a_body_that_is_not_one_json_object_is_refused() {
    let api = Api::start().await;
    for (body, code, sentence) in BODIES {
        let answer = api.send(&Request::create(body)).await;
        answer.expect(400, code);
        assert_eq!(answer.json()["details"], json!([{ "path": "", "code": code, "error": sentence }]), "{body:?}");
    }
}

#[tokio::test]
async fn a_missing_body_is_refused_like_an_empty_one() {
    let api = Api::start().await;
    let mut request = Request::create("");
    request.body = None;
    api.send(&request).await.expect(400, "INVALID_JSON");
}

#[tokio::test]
async fn a_duplicate_member_is_refused_at_any_depth_and_in_any_spelling() {
    let api = Api::start().await;
    let bodies = [
        (r#"{"name": "a", "name": "a"}"#, "/name"),
        (r#"{"name": "a", "n\u0061me": "b"}"#, "/name"),
        (r#"{"configuration": {"a": {"": 1, "": 2}}}"#, "/configuration/a/"),
        (r#"{"steps": [{}, {"order": 1, "x": 2, "order": 1}]}"#, "/steps/1/order"),
        (r#"{"steps": [{"config": {"a/b": [{"~": 0, "~": 0}]}}]}"#, "/steps/0/config/a~1b/0/~0"),
        (r#"[{"a": 1, "a": 2}]"#, "/0/a"),
        (r#" [null, {"": [{"a": {}, "\u0061": {}}]}]"#, "/1//0/a"),
    ];
    for (body, path) in bodies {
        let answer = api.send(&Request::create(body)).await;
        answer.expect(400, "DUPLICATE_MEMBER");
        assert_eq!(answer.json()["details"][0]["path"], path);
    }
}

#[tokio::test]
async fn a_body_of_32_levels_is_accepted_and_one_more_is_refused() {
    let api = Api::start().await;
    // The body and `configuration` are two levels.
    let nested = |levels: usize| {
        let (open, close) = ("{\"a\":[".repeat(levels / 2), "]}".repeat(levels / 2));
        let odd = if levels % 2 == 1 { "{}" } else { "1" };
        page_request()
            .to_string()
            .replace(&page_request()["configuration"].to_string(), &format!("{{\"own\":{open}{odd}{close}}}"))
    };

    let accepted = api.send(&Request::create(nested(30))).await;
    assert_eq!(accepted.status, 201, "{}", accepted.text);

    let refused = api.send(&Request::create(nested(31))).await;
    refused.expect(400, "TOO_DEEP");
    assert_eq!(refused.json()["details"][0]["error"], "expected at most 32 levels, found more");
    let path = format!("/configuration/own{}", "/a/0".repeat(15));
    assert_eq!(refused.json()["details"][0]["path"], path);

    // The limit is the same if the body is an array.
    let array = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    api.send(&Request::create(array(32))).await.expect(400, "INVALID_BODY");
    for levels in [33, 1_000, 100_000] {
        let refused = api.send(&Request::create(array(levels))).await;
        refused.expect(400, "TOO_DEEP");
        assert_eq!(refused.json()["details"][0]["path"], "/0".repeat(32));
    }
}

#[tokio::test]
async fn thousands_of_levels_are_refused() {
    let api = Api::start().await;
    for unit in ["[", "{\"a\":"] {
        let deep = unit.repeat(200 * 1024 / unit.len());
        api.send(&Request::create(&deep)).await.expect(400, "INVALID_JSON");
        let closed = if unit == "[" { "]" } else { "1}" };
        let levels = 1_000;
        let body = format!("{{\"a\": {}{}}}", unit.repeat(levels), closed.repeat(levels).replace("1}1", "}"));
        let answer = api.send(&Request::create(body)).await;
        assert_eq!(answer.status, 400, "{unit}");
    }
}

#[test]
fn texts_of_the_same_value_have_one_canonical_form() {
    let rows = [
        (" { } ", "{}"),
        ("[\n]", "[]"),
        (r#"{"b": [1.0, "\u0061\/", -0, 1e2], "a": {"": null}}"#, r#"{"a":{"":null},"b":[1.0,"a/",-0,1e2]}"#),
        ("[[], {}, [{}], {\"x\": []}]", r#"[[],{},[{}],{"x":[]}]"#),
        ("18446744073709551617", "18446744073709551617"),
        ("[true, false]", "[true,false]"),
        (r#""\ud83d\ude00 \u000a""#, "\"\u{1F600} \\n\""),
    ];
    for (text, expected) in rows {
        let members = format!(r#"{{"y": 1, "x": {text}}}"#);
        let canonical = read_object(members.as_bytes()).unwrap().canonical().unwrap();
        assert_eq!(canonical, format!(r#"{{"x":{expected},"y":1}}"#));
    }
}

#[test]
fn values_are_compared_without_white_space_and_escapes() {
    let is_same = |one, other| {
        let tree = |text| read(serde_json::from_str(text).unwrap()).unwrap();
        tree(one) == tree(other)
    };
    for (one, other) in [(r#"{"b": [1, "a"]}"#, r#"{ "\u0062":[1,"\u0061"]}"#), ("[ ]", "[]"), ("null", " null")] {
        assert!(is_same(one, other), "{one} and {other}");
    }
    for (one, other) in [("1", "1.0"), ("1", "\"1\""), (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#), ("[1]", "[1,1]")] {
        assert!(!is_same(one, other), "{one} and {other}");
    }
}

/// Numbers keep their text, whatever any crate of the build does to those of `serde_json` (`arbitrary_precision`).
#[test]
fn numbers_are_read_as_numbers() {
    for number in ["1", "-1", "1.5", "18446744073709551616", "-0", "1E+2"] {
        let members = format!("{{\"a\": {number} }}");
        let members = read_object(members.as_bytes()).unwrap();
        assert_eq!(members.value("a"), Some(&Value::Number(number)));
    }
}
