//! The body as a whole: its media type, its encoding and its size. Its text is in `json.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Api, Request, page_request};

/// Spellings after the media type, whether they are accepted, and why.
const PARAMETERS: &[(&str, bool, &str)] = &[
    ("", true, "none"),
    ("; charset=utf-8", true, "as most clients send it"),
    (";charset=\"UTF-8\"", true, "in quotes, in capitals"),
    (" ; charset=utf-8", true, "white space before the semicolon"),
    ("\t;\tcharset=utf-8 ", true, "tabs, and white space at the end"),
    (";", true, "an empty parameter"),
    (" ; ", true, "an empty parameter in white space"),
    (";;charset=utf-8; ;", true, "empty parameters on both sides"),
    ("; CHARSET=Utf-8", true, "the case does not matter"),
    ("; charset=utf-8; charset=\"utf-8\"", true, "the same charset twice"),
    ("; profile=x; charset=utf-8", true, "another parameter before it"),
    (r#"; charset=utf-8; profile="a;b, \"c\"""#, true, "another parameter in quotes after it"),
    ("; profile=\"\"; x=\"é\"", true, "nothing in quotes, and other than ASCII"),
    (r#"; charset="ut\f-8""#, true, "a quoted pair stands for its character"),
    ("; charset=latin1", false, "another charset"),
    ("; charset=utf8", false, "not the name of the charset"),
    ("; charset=\"utf-8 \"", false, "white space in the quotes"),
    ("; charset=utf-8; charset=utf-16", false, "a second charset"),
    ("; charset=utf-16;; charset=utf-8", false, "another charset first"),
    ("; charset", false, "no value"),
    ("; charset=", false, "an empty value without quotes"),
    ("; =utf-8", false, "no name"),
    ("; charset = utf-8", false, "white space around the equals sign"),
    ("; charset=utf-8 profile=x", false, "no semicolon between"),
    (" charset=utf-8", false, "no semicolon before"),
    ("; charset=\"utf-8", false, "an open quote"),
    ("; charset=\"utf-8\\", false, "an open quoted pair"),
    ("; charset=\"utf-8\"x", false, "more after the quote"),
    ("; charset='utf-8'", false, "single quotes are part of the value"),
    ("; prof/ile=x", false, "a separator in the name"),
    (", application/json", false, "two values"),
    ("; charset=utf-8, text/plain", false, "two values, the first with a parameter"),
];

#[tokio::test]
async fn only_the_media_type_of_the_operation_in_utf_8_is_accepted() {
    let api = Api::start().await;
    let create = Request::create(page_request());
    let merge = Request::patch(&api.create().await, "{}");
    for (request, media_type, success) in
        [(&create, "application/json", 201), (&merge, "application/merge-patch+json", 200)]
    {
        for (parameters, is_accepted, why) in PARAMETERS {
            let content_type = format!("{media_type}{parameters}");
            let answer = api.send(&request.clone().header("content-type", &content_type)).await;
            assert_eq!(answer.status, if *is_accepted { success } else { 415 }, "{content_type:?}, {why}: {answer:?}");
        }
        for spelling in [media_type.to_uppercase(), format!("  {media_type}")] {
            assert_eq!(
                api.send(&request.clone().header("content-type", &spelling)).await.status,
                success,
                "{spelling:?}"
            );
        }
        let others = ["", ";", "; charset=utf-8", "json", "application", "application/jsonx", "application /json"];
        let types =
            ["application/json-patch+json", "text/json", "text/plain", "application/x-www-form-urlencoded", "*/*"];
        for content_type in others.into_iter().chain(types) {
            let answer = api.send(&request.clone().header("content-type", content_type)).await;
            assert_eq!((answer.status, answer.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{content_type:?}");
        }
        let missing = api.send(&request.clone().without("content-type")).await;
        missing.expect(415, "UNSUPPORTED_MEDIA_TYPE");
        assert_eq!(missing.json()["details"][0]["error"], format!("expected {media_type}, found nothing"));
        let encoded = api.send(&request.clone().header("content-encoding", "gzip")).await;
        encoded.expect(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let swapped = [(create, "application/merge-patch+json"), (merge, "application/json")];
    for (request, other) in swapped {
        api.send(&request.header("content-type", other)).await.expect(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn a_body_in_base64_is_decoded_strictly() {
    let api = Api::start().await;
    let mut request = Request::create(page_request());
    request.base64 = true;

    request.body = Some(STANDARD.encode(page_request().to_string().as_bytes()));
    assert_eq!(api.send(&request).await.status, 201);

    for (body, why) in
        [("%%%", "another alphabet"), ("QQ", "no padding"), ("e30=\n", "a line feed"), ("e31=", "bits left")]
    {
        request.body = Some(body.to_owned());
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_BODY_ENCODING"), "{why}");
    }

    request.body = Some(STANDARD.encode(b"{\n \"name\": \"\xff\"}"));
    let answer = api.send(&request).await;
    answer.expect(400, "INVALID_JSON");
    assert_eq!(answer.json()["details"][0]["error"], "expected UTF-8, found other bytes at line 2 column 11");
}

#[tokio::test]
async fn a_body_of_256_kib_is_accepted_and_one_byte_more_is_refused() {
    let api = Api::start().await;
    let body = page_request().to_string();
    let padded = |size: usize| body.replacen('{', &format!("{{{}", " ".repeat(size - body.len())), 1);

    let accepted = api.send(&Request::create(padded(256 * 1024))).await;
    assert_eq!(accepted.status, 201, "{}", accepted.text);

    let refused = api.send(&Request::create(padded(256 * 1024 + 1))).await;
    refused.expect(413, "FLOW_TOO_LARGE");
    assert_eq!(refused.json()["details"][0]["error"], "expected a body of at most 262144 bytes, found 262145");
}
