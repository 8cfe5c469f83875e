//! Any text as method, path, query and headers, a line each, around a valid body: taken or refused, never more.

#![no_main]

use libfuzzer_sys::fuzz_target;
use project_flows::command::Command;
use project_flows::event::Event;
use project_flows::route::Target;
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
    let command = Target::find(&event).and_then(|target| match target {
        Target::Operation(call) => Command::parse(call, &event, &body).map(Some),
        Target::Preflight { .. } => Ok(None),
    });
    match command {
        Ok(None) => assert_eq!(method, "OPTIONS"),
        Ok(Some(command)) => {
            let read = method == "GET";
            assert!(!(read && command.writes()), "{command:?}");
            assert!(path.contains("/v2/project-flows"));
            if let Command::Create { idempotency, .. } = command {
                assert_eq!((method.as_str(), path.ends_with("/v2/project-flows")), ("POST", true));
                assert_eq!(idempotency.map(|one| one.key.as_str().to_owned()), event.headers().idempotency_key.clone());
            }
        }
        Err(error) => assert!((400..500).contains(&error.failure().status), "{error:?}"),
    }
    assert!(event.request_id().is_none_or(|id| id.bytes().all(|byte| byte.is_ascii_graphic())));
});
