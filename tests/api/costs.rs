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
    let mut found = vec![("ITEM_BYTES", bytes(attributes()))];

    let path = api.create_active().await;
    api.send(&Request::release(&path, 2)).await;
    for (name, sort) in [("LIVE_BYTES", "LIVE#"), ("RELEASE_BYTES", "RELEASE#")] {
        let items = api.engine.items();
        let item = items.iter().find(|item| item["sk"]["S"].as_str().unwrap().starts_with(sort)).unwrap();
        found.push((name, bytes(item.as_object().unwrap().iter())));
    }

    let template = template();
    for (number, name, sort) in [(0, "INDEX_BYTES", "listKey"), (1, "CHANGE_BYTES", "changeKey")] {
        let index = &template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"][number];
        let mut names = vec!["pk", "sk", "client", sort];
        names.extend(
            index["Projection"]["NonKeyAttributes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()),
        );
        found.push((name, bytes(attributes().filter(|(name, _)| names.contains(&name.as_str())))));
    }
    let expected: Vec<_> = found.iter().map(|(name, _)| (*name, number_in_script(name))).collect();
    assert_eq!(found, expected);
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
