//! The body as a whole: its media type, its encoding and its size. Its text is in `json.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Api, Request, page_request};

#[tokio::test]
async fn only_json_in_utf_8_is_accepted() {
    let api = Api::start().await;
    let accepted = [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; profile=x; charset=utf-8",
        "application/json; charset=utf-8; profile=\"a;b\"",
    ];
    for content_type in accepted {
        let answer = api.send(&Request::create(page_request()).header("content-type", content_type)).await;
        assert_eq!(answer.status, 201, "{content_type}: {}", answer.text);
    }
    let refused = [
        "",
        "application/json; charset=latin1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/jsonx",
        "application/merge-patch+json",
        "text/json",
        "text/plain",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset",
    ];
    for content_type in refused {
        let answer = api.send(&Request::create(page_request()).header("content-type", content_type)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{content_type}");
    }
    api.send(&Request::create(page_request()).without("content-type")).await.expect(415, "UNSUPPORTED_MEDIA_TYPE");
    api.send(&Request::create(page_request()).header("content-encoding", "gzip"))
        .await
        .expect(415, "UNSUPPORTED_MEDIA_TYPE");
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
