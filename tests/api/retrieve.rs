//! `GET /v2/project-flows/{id}`, as it is and as of a time

use serde_json::json;

use crate::support::{Api, Request, page_request};

#[tokio::test]
async fn a_created_flow_can_be_read_and_its_etag_is_its_version() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;

    let read = api.get(&created.path()).await;

    assert_eq!((read.status, &read.text), (200, &created.text));
    assert_eq!(read.headers["etag"], "\"1\"");
    assert_eq!((read.headers.get("location"), read.headers.get("idempotency-replayed")), (None, None));
    read.expect_headers();
}

#[tokio::test]
async fn a_version_that_the_caller_already_has_is_not_sent_again() {
    let api = Api::start().await;
    let path = api.create().await;
    let rows = [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"7\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
        ("\"01\"", 200),
        ("\"\"", 200),
        ("\"1,\", \"2\"", 200),
    ];
    for (tags, status) in rows {
        let answer = api.send(&Request::get(&path).header("if-none-match", tags)).await;
        assert_eq!((answer.status, answer.text.is_empty()), (status, status == 304), "{tags}");
        assert_eq!(answer.headers["etag"], "\"1\"");
        answer.expect_headers();
    }
    for malformed in ["1", "", "\"1", "\"1\" \"2\"", "w/\"1\"", "\"a b\"", "*, \"1\"", ","] {
        let answer = api.send(&Request::get(&path).header("if-none-match", malformed)).await;
        answer.expect(400, "INVALID_ETAG");
    }
}

#[tokio::test]
async fn a_flow_that_does_not_exist_is_not_found() {
    let api = Api::start().await;
    let ids = [
        "project_flow_0123456789abcdefghjkmnpqrs",
        "project_flow_0123456789abcdefghjkmnpqr",
        "project_flow_0123456789abcdefghjkmnpqrs0",
        "project_flow_0123456789ABCDEFGHJKMNPQRS",
        "project_flow_123456789",
        "x",
    ];
    for id in ids {
        api.get(&format!("/v2/project-flows/{id}")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_flow_as_of_a_time_is_the_version_that_was_the_newest_then() {
    let api = Api::start().await;
    let path = api.create().await;
    // The history is long enough for a binary search of several steps.
    for version in 2..=9 {
        api.set(&path, "name", json!(format!("Version {version}"))).await;
    }
    // Version n is written at n o'clock.
    for version in 1..=9 {
        api.backdate(&path, version, &format!("2024-01-15T{version:02}:00:00Z"));
    }
    for hour in 1..=9 {
        for minute in ["00:00Z", "30:00Z", "59:59.999Z"] {
            let moment = format!("2024-01-15T{hour:02}:{minute}");
            let answer = api.get(&format!("{path}?asOf={moment}")).await;
            assert_eq!(answer.json()["data"]["version"], hour, "{moment}: {answer:?}");
            answer.expect_headers();
            let known = Request::get(&format!("{path}/versions/{hour}"));
            assert_eq!(api.send(&known).await.json()["data"], answer.json()["data"]);
        }
    }
    let moments = [("2030-01-01T00:00:00Z", 9), ("2024-01-15T05:00:00%2B02:00", 3), ("2024-01-15t03:30:00.5-01:30", 5)];
    for (moment, version) in moments {
        let answer = api.get(&format!("{path}?asOf={moment}")).await;
        assert_eq!(answer.json()["data"]["version"], version, "{moment}");
    }
    for before in ["2024-01-15T00:59:59Z", "0000-01-01T00:00:00Z"] {
        let answer = api.get(&format!("{path}?asOf={before}")).await;
        answer.expect(404, "PROJECT_FLOW_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_flow_as_of_a_time_when_it_was_deleted_is_not_found() {
    let api = Api::start().await;
    let path = api.create().await;
    assert_eq!(api.send(&Request::delete(&path)).await.status, 200);
    api.get(&format!("{path}?asOf=2030-01-01T00:00:00Z")).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    assert_eq!(api.send(&Request::restore(&path, 1)).await.status, 200);
    for version in 1..=3 {
        api.backdate(&path, version, &format!("2024-01-15T{version:02}:00:00Z"));
    }
    for (hour, status) in [(1, 200), (2, 404), (3, 200)] {
        let answer = api.get(&format!("{path}?asOf=2024-01-15T{hour:02}:30:00Z")).await;
        assert_eq!(answer.status, status, "{hour}");
    }
}

#[tokio::test]
async fn a_malformed_as_of_is_refused() {
    let api = Api::start().await;
    let path = api.create().await;
    let malformed = [
        "asOf=",
        "asOf=2024-01-15",
        "asOf=2024-01-15T10:30:00",
        "asOf=2024-01-15T10:30:00+02:00",
        "asOf=2024-13-15T10:30:00Z",
        "asOf=9999-12-31T23:59:59-01:00",
        "asOf=1705314600",
        "asOf=2024-01-15x10:30:00Z",
        "asOf=2024-01-15%2010:30:00Z",
        "asOf=2024-01-15T10:30:00Z&asOf=2024-01-15T10:30:00Z",
        "asof=2024-01-15T10:30:00Z",
    ];
    for query in malformed {
        api.get(&format!("{path}?{query}")).await.expect(400, "INVALID_PARAMETERS");
    }
}

#[tokio::test]
async fn a_body_sent_with_get_is_judged_and_not_ignored() {
    let api = Api::start().await;
    let path = api.create().await;
    let mut request = Request::with_body("GET", &path, json!({ "name": "x", "a/b": 1 }));
    let answer = api.send(&request).await;
    answer.expect(400, "UNKNOWN_FIELD");
    assert_eq!(answer.json()["details"][0]["path"], "/a~1b");
    request.body = Some("{}".to_owned());
    assert_eq!(api.send(&request).await.status, 200);
    request.body = Some("{".to_owned());
    api.send(&request).await.expect(400, "INVALID_JSON");
    api.send(&request.without("content-type")).await.expect(415, "UNSUPPORTED_MEDIA_TYPE");
}
