//! Every event of `events/`, through the real types of events and responses.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{Api, Request, event};

/// A file, and the status and the code of its answer; a success has no code. The files up to `delete-flow` are the life of one
/// flow, so their order matters.
pub const EVENTS: &[(&str, i64, &str)] = &[
    ("create-flow-once", 201, ""),
    ("retrieve-flow", 200, ""),
    ("retrieve-flow-not-modified", 304, ""),
    ("retrieve-flow-as-of", 200, ""),
    ("retrieve-flow-not-found", 404, "PROJECT_FLOW_NOT_FOUND"),
    ("update-flow-dry-run", 200, ""),
    ("update-flow", 200, ""),
    ("release-flow-not-active", 409, "FLOW_NOT_ACTIVE"),
    ("release-flow", 200, ""),
    ("release-flow-stale", 412, "VERSION_CONFLICT"),
    ("retrieve-live-flow", 200, ""),
    ("retrieve-live-flow-rest-api", 200, ""),
    ("retrieve-live-flow-not-modified", 304, ""),
    ("retrieve-live-flow-as-of", 200, ""),
    ("retrieve-live-flow-none", 404, "NO_LIVE_FLOW"),
    ("list-live-flows", 200, ""),
    ("diff-live", 200, ""),
    ("update-flow-live", 409, "FLOW_IS_LIVE"),
    ("update-flow-conflict", 409, "VERSION_CONFLICT"),
    ("update-flow-immutable", 409, "IMMUTABLE_FIELD"),
    ("update-flow-stale", 412, "VERSION_CONFLICT"),
    ("patch-flow", 200, ""),
    ("release-flow-dry-run", 200, ""),
    ("patch-flow-media-type", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("list-flows", 200, ""),
    ("list-flows-rest-api", 200, ""),
    ("list-versions", 200, ""),
    ("retrieve-version", 200, ""),
    ("retrieve-version-rest-api", 200, ""),
    ("diff-versions", 200, ""),
    ("restore-version", 200, ""),
    ("withdraw-flow", 200, ""),
    ("list-releases", 200, ""),
    ("list-changes", 200, ""),
    ("delete-flow-active", 409, "FLOW_IS_ACTIVE"),
    ("update-flow-rest-api", 200, ""),
    ("delete-flow", 200, ""),
    ("create-flow", 201, ""),
    ("create-flow-base-path", 201, ""),
    ("create-flow-base64", 201, ""),
    ("create-flow-dry-run", 200, ""),
    ("create-flow-many-problems", 400, "INVALID_PROJECT_ID"),
    ("create-flow-rest-api", 201, ""),
    ("create-flow-rest-api-base-path", 201, ""),
    ("create-flow-rest-api-base64", 201, ""),
    ("create-flow-rest-api-dry-run", 200, ""),
    ("create-flow-stage", 201, ""),
    ("expired-token", 401, "INVALID_TOKEN"),
    ("no-token", 401, "MISSING_TOKEN"),
    ("odd-all-null", 401, "MISSING_TOKEN"),
    ("odd-base64", 400, "INVALID_BODY_ENCODING"),
    ("odd-console-test", 404, "ROUTE_NOT_FOUND"),
    ("odd-header-twice", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("odd-header-values", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("odd-method", 405, "METHOD_NOT_ALLOWED"),
    ("odd-no-body", 400, "INVALID_JSON"),
    ("odd-path-dots", 404, "ROUTE_NOT_FOUND"),
    ("odd-path-escape", 404, "ROUTE_NOT_FOUND"),
    ("odd-path-space", 404, "ROUTE_NOT_FOUND"),
    ("odd-query-64-kib", 400, "INVALID_PARAMETERS"),
    ("odd-query-escape", 400, "INVALID_PARAMETERS"),
    ("odd-query-not-utf-8", 400, "INVALID_PARAMETERS"),
    ("odd-query-quote", 400, "INVALID_PARAMETERS"),
    ("odd-query-rest-api", 400, "INVALID_PARAMETERS"),
    ("odd-query-space", 400, "INVALID_PARAMETERS"),
    ("preflight", 204, ""),
    ("preflight-rest-api", 204, ""),
    ("two-tokens", 401, "INVALID_TOKEN"),
];

#[tokio::test]
async fn every_event_has_the_answer_of_its_row() {
    let api = Api::start().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let files: BTreeSet<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let rows: BTreeSet<_> = EVENTS.iter().map(|(name, ..)| format!("{name}.json")).collect();
    assert_eq!(files, rows, "each file has a row, and each row has a file");

    for (name, status, code) in EVENTS {
        let answer = api.send_event(&event(name)).await;
        assert_eq!(answer.status, *status, "{name}: {}", answer.text);
        answer.expect_headers();
        let found = if *status < 400 { String::new() } else { answer.code() };
        assert_eq!(found, *code, "{name}");
    }
    let succeeds = |(_, status, _): &&(&str, i64, &str)| [200, 201].contains(status);
    let requests = EVENTS.iter().filter(succeeds).map(|(name, ..)| Request::from_event(&event(name)));
    let writes = requests.filter(|request| request.method != "GET" && !request.query.contains("dryRun=true")).count();
    let items = api.engine.items();
    // What is live has one more item, which is written over.
    let is_version_or_release = |item: &&Value| !item["sk"]["S"].as_str().unwrap().starts_with("LIVE#");
    assert_eq!(items.iter().filter(is_version_or_release).count(), writes);
}
