//! Any bytes as the body: the strict reader takes less than `serde_json`, never more, and gives back what it took.

#![no_main]

use libfuzzer_sys::fuzz_target;
use project_flows::diff::diff;
use project_flows::flow::Content;
use project_flows::json::{self, Order};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(members) = json::read_object(bytes) else { return };
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let value: Value = serde_json::from_str(text).expect("JSON");
    let object = value.as_object().expect("an object");
    assert_eq!(object.len(), members.len());
    for member in &members {
        let again: Value = serde_json::from_str(member.text).expect("JSON");
        assert_eq!(&again, &object[member.name.as_ref()]);
        assert!(text.contains(member.text));
    }
    for order in [Order::Sorted, Order::AsSent] {
        let canonical = json::canonical(text, order).expect("canonical");
        assert_eq!(json::canonical(&canonical, order).expect("canonical"), canonical);
        assert_eq!(serde_json::from_str::<Value>(&canonical).expect("JSON"), value);
    }
    let raw = serde_json::from_str(text).expect("JSON");
    assert!(diff(raw, raw).expect("a patch").is_empty());
    if let Ok(content) = Content::parse(&members) {
        for (name, json) in [("configuration", &content.configuration), ("steps", &content.steps)] {
            let member = members.iter().find(|member| member.name == name).expect("a member");
            assert_eq!(json.as_str(), member.text);
        }
    }
});
