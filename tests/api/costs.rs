//! The numbers that docs/costs.py calculates with, measured again.

use serde_json::Value;

use crate::support::{Api, Request, resources, template};

/// A number at the top of the script.
fn number_in_script(name: &str) -> usize {
    let script = include_str!("../../docs/costs.py");
    let line = script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    let number = line.and_then(|line| line.split(' ').next()).unwrap_or_else(|| panic!("{name} is not there"));
    number.parse().unwrap()
}

/// The bytes of some attributes: their names and texts, and two for a number of up to two digits ("DynamoDB Item Sizes and
/// Formats" in its Developer Guide).
fn bytes<'item>(attributes: impl Iterator<Item = (&'item String, &'item Value)>) -> usize {
    attributes.map(|(name, value)| name.len() + value["S"].as_str().map_or(2, str::len)).sum()
}

#[tokio::test]
async fn the_script_has_the_size_of_the_flow_of_the_api_page() {
    let api = Api::start().await;
    api.create().await;
    let item = api.engine.items().remove(0);
    let attributes = || item.as_object().unwrap().iter();
    assert_eq!(bytes(attributes()), number_in_script("ITEM_BYTES"));

    let path = api.create_active().await;
    api.send(&Request::release(&path, 2)).await;
    let live = api.engine.item("LIVE#project_123456789#onboarding");
    assert_eq!(bytes(live.as_object().unwrap().iter()), number_in_script("LIVE_BYTES"));

    let template = template();
    let index = &template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"][0];
    let mut names = vec!["pk", "sk", "client", "listKey"];
    names.extend(index["Projection"]["NonKeyAttributes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()));
    assert_eq!(bytes(attributes().filter(|(name, _)| names.contains(&name.as_str()))), number_in_script("INDEX_BYTES"));
}

#[test]
fn the_script_has_the_number_of_metrics_with_an_alarm() {
    let alarms = resources(&template(), &["AWS::CloudWatch::Alarm"]);
    // The alarm on change events exists only with them.
    let always = alarms.values().filter(|alarm| alarm.get("Condition").is_none());
    let metrics = always.map(|alarm| match alarm["Properties"]["Metrics"].as_array() {
        Some(queries) => queries.iter().filter(|query| query.get("MetricStat").is_some()).count(),
        None => 1,
    });
    assert_eq!(metrics.sum::<usize>(), number_in_script("ALARM_METRICS"));
}
