//! Any bytes as the body: the strict reader takes less than `serde_json`, never more, and gives back what it took.

#![no_main]

use libfuzzer_sys::fuzz_target;
use project_flows::diff::diff;
use project_flows::flow::Content;
use project_flows::json;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(members) = json::read_object(bytes) else { return };
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let value: Value = serde_json::from_str(text).expect("JSON");
    let object = value.as_object().expect("an object");
    assert_eq!(object.len(), members.iter().count());
    for member in members.iter() {
        let again: Value = serde_json::from_str(member.node.text).expect("JSON");
        assert_eq!(&again, &object[member.name.as_ref()]);
        assert!(text.contains(member.node.text));
    }
    let canonical = members.canonical().expect("canonical");
    let again = json::read_object(canonical.as_bytes()).expect("the same members");
    assert_eq!(again.canonical().expect("canonical"), canonical);
    assert_eq!(serde_json::from_str::<Value>(&canonical).expect("JSON"), value);
    let tree = json::read(serde_json::from_str(text).expect("JSON")).expect("a tree");
    assert!(diff(&tree, &tree).is_empty());
    if let Ok(content) = Content::parse(&members) {
        for (name, json) in [("configuration", &content.configuration), ("steps", &content.steps)] {
            assert_eq!(json.as_str(), members.get(name).expect("a member").text);
        }
    }
});
