//! Any text as method, path, query and headers, a line each, around a valid body: taken or refused, never more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use project_flows::event::Event;
use project_flows::operations::Target;
use serde_json::json;

const BODY: &str = include_str!("../seeds/body/page");

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (method, path, query) = (line(), line(), line());
    let mut headers = serde_json::Map::new();
    for name in ["content-type", "idempotency-key", "content-encoding", "if-match", "if-none-match"] {
        let value = line();
        if !value.is_empty() {
            headers.insert(name.to_owned(), json!(value));
        }
    }
    let context = json!({ "requestId": line(), "http": { "method": method } });
    let event = json!({
        "rawPath": path, "rawQueryString": query, "headers": headers, "requestContext": context, "body": BODY,
    });
    let event: Event = serde_json::from_value(event).expect("an event");
    let body = event.body();
    let parsed = Target::find(&event).and_then(|target| match target {
        Target::Operation(call) => call.parse(&event, &body).map(|_| Some(call.route())),
        Target::Preflight { .. } => Ok(None),
    });
    match parsed {
        Ok(None) => assert_eq!(method, "OPTIONS"),
        Ok(Some(route)) => {
            assert_eq!(route.method, method);
            assert!(path.contains("/v2/project-flows"));
            assert!(route.body.is_some(), "the body would be dropped");
        }
        Err(error) => assert!((400..500).contains(&error.failure().status), "{error:?}"),
    }
    assert!(event.request_id().is_none_or(|id| id.bytes().all(|byte| byte.is_ascii_graphic())));
});
