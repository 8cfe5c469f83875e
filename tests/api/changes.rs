//! The events that tell of changes: the records of a real stream, through the filters, the input templates and the
//! expression of template.yaml.
//!
//! What carries them is `EventBridge`, which no test has. Of its language, only what its User Guide promises is taken for
//! true ("Event filtering" and "Input transformation", both of pipes); anything else in the template fails here.

use dynoxide::Database;
use oracles::bumpalo::Bump;
use oracles::jsonata_rs::JsonAta;
use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, Request, id, page_request, page_request_with, page_request_without, path, set};
use crate::template::{resources, template};

/// Switches the table's stream on, as the template does where changes are told.
fn stream(database: &Database, template: &Value) {
    let table = &template["Resources"]["Table"]["Properties"];
    let choice = &table["StreamSpecification"]["!If"];
    assert_eq!((&choice[0], &choice[2]), (&json!("HasEventBus"), &json!({ "!Ref": "AWS::NoValue" })));
    let update = json!({
        "TableName": engine::TABLE,
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": choice[1]["StreamViewType"] },
    });
    database.update_table(serde_json::from_value(update).unwrap()).unwrap();
}

/// Every record of the table's stream, in order.
fn records(database: &Database) -> Vec<Value> {
    let streams = database.list_streams(serde_json::from_value(json!({})).unwrap()).unwrap();
    let stream = serde_json::to_value(streams).unwrap()["Streams"][0]["StreamArn"].clone();
    let describe = json!({ "StreamArn": stream });
    let shards = database.describe_stream(serde_json::from_value(describe).unwrap()).unwrap();
    let shards = serde_json::to_value(shards).unwrap()["StreamDescription"]["Shards"].clone();
    let mut records = Vec::new();
    for shard in shards.as_array().unwrap() {
        let first = json!({ "StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON" });
        let iterator = database.get_shard_iterator(serde_json::from_value(first).unwrap()).unwrap();
        let get = json!({ "ShardIterator": serde_json::to_value(iterator).unwrap()["ShardIterator"] });
        let mut found =
            serde_json::to_value(database.get_records(serde_json::from_value(get).unwrap()).unwrap()).unwrap();
        records.append(found["Records"].as_array_mut().unwrap());
    }
    records
}

/// Whether a record meets a pattern; `record` is nothing where a path leads nowhere.
fn meets(pattern: &Value, record: Option<&Value>) -> bool {
    match pattern {
        Value::Object(members) => {
            members.iter().all(|(name, pattern)| meets(pattern, record.and_then(|record| record.get(name))))
        }
        Value::Array(choices) => choices.iter().any(|choice| {
            let text = record.and_then(Value::as_str);
            match choice {
                Value::String(expected) => text == Some(expected),
                Value::Object(operator) if operator.len() == 1 => match operator.iter().next().unwrap() {
                    (name, Value::String(prefix)) if name == "prefix" => {
                        text.is_some_and(|text| text.starts_with(prefix))
                    }
                    // Of leaves only, and what the patterns ask for is one: an S of an attribute.
                    (name, Value::Bool(exists)) if name == "exists" => text.is_some() == *exists,
                    other => panic!("an operator that this test does not know: {other:?}"),
                },
                other => panic!("a choice that this test does not know: {other}"),
            }
        }),
        other => panic!("expected a pattern, found {other}"),
    }
}

/// What an input template makes of a record: `<$.path>` becomes the value at the path, `"<$.path>"` its text.
///
/// A text that would have to be escaped is refused, as it would not be, and so is a path that leads nowhere.
fn filled(template: &str, record: &Value) -> Value {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("<$.") {
        let (path, after) = after.split_once('>').unwrap();
        let found =
            record.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or_else(|| panic!("{path} is not there"));
        text.push_str(before);
        match found {
            Value::Object(_) => text.push_str(&found.to_string()),
            Value::String(word) => {
                assert!(word.chars().all(char::is_alphanumeric), "{path}: {word} is not escaped");
                assert!(before.ends_with('"') && after.starts_with('"'), "{path} stands without quotes");
                text.push_str(word);
            }
            other => panic!("{path}: {other}"),
        }
        rest = after;
    }
    text.push_str(rest);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the state machine makes of its input.
fn shaped(template: &Value, input: &Value) -> Value {
    let machine = &template["Resources"]["ChangesShape"]["Properties"]["Definition"];
    assert_eq!((&machine["QueryLanguage"], &machine["StartAt"]), (&json!("JSONata"), &json!("Shape")));
    let state = &machine["States"]["Shape"];
    assert_eq!((&state["Type"], &state["End"]), (&json!("Pass"), &json!(true)));
    let expression = state["Output"].as_str().unwrap().strip_prefix("{%").unwrap().strip_suffix("%}").unwrap();
    let arena = Bump::new();
    let expression = format!("($states := $$.states; {expression})");
    let expression = JsonAta::new(&expression, &arena).unwrap();
    let input = json!({ "states": { "input": input } }).to_string();
    serde_json::from_str(&expression.evaluate(Some(&input), None).unwrap().serialize(false)).unwrap()
}

/// What the event bus is told of a record: the detail types and the details.
fn told(template: &Value, record: &Value) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    for pipe in resources(template, &["AWS::Pipes::Pipe"]).values() {
        let properties = &pipe["Properties"];
        let filters = properties["SourceParameters"]["FilterCriteria"]["Filters"].as_array().unwrap();
        let met = filters
            .iter()
            .any(|filter| meets(&serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap(), Some(record)));
        if !met {
            continue;
        }
        let input = filled(properties["EnrichmentParameters"]["InputTemplate"].as_str().unwrap(), record);
        // Batches are handed on as arrays, even where a batch is one.
        let details = shaped(template, &json!([input]));
        let detail_type = &properties["TargetParameters"]["EventBridgeEventBusParameters"]["DetailType"];
        let member = detail_type.as_str().unwrap().strip_prefix("$.").unwrap();
        for detail in details.as_array().unwrap() {
            told.push((detail[member].as_str().unwrap().to_owned(), detail.clone()));
        }
    }
    told
}

#[tokio::test]
async fn every_change_is_told_once_with_the_summary_of_the_api() {
    let template = template();
    let api = Api::start().await;
    stream(&api.engine.database, &template);

    let mut expected = Vec::new();
    // Whatever a caller puts into a name or a description, it is no more than a name or a description.
    let sly = r#"x", "client": "other"}, "type": "\u0041 <$.eventName> {% 1 %} ' \ "#;
    let plain = api.send(&Request::create(page_request_without("description"))).await;
    let described = api.send(&Request::create(page_request()).key("once")).await;
    let odd = api.send(&Request::create(page_request_with("name", json!(sly)))).await;
    // Told once, as it happens once.
    assert_eq!(api.send(&Request::create(page_request()).key("once")).await.status, 201);
    for answer in [&plain, &described, &odd] {
        expected.push(("project_flow_created", answer.json()["data"].clone()));
    }
    let plain = path(&plain);
    for (member, value) in [
        ("name", json!("Second")),
        ("description", json!(sly)),
        ("status", json!("active")),
        ("description", json!("")),
        ("description", Value::Null),
        ("status", json!("paused")),
    ] {
        expected.push(("project_flow_updated", set(&api, &plain, member, value).await.json()["data"].clone()));
    }
    // Changes nothing, tells nothing.
    set(&api, &plain, "status", json!("paused")).await;

    assert_eq!(api.send(&Request::of("DELETE", &plain)).await.status, 200);
    let deleted = api.send(&Request::get(&format!("{plain}/versions"))).await.json()["data"][0].clone();
    assert_eq!(deleted["status"], "deleted");
    expected.push(("project_flow_deleted", deleted));
    let restored = api.send(&Request::of("POST", &format!("{plain}/versions/1/restore"))).await;
    assert_eq!(restored.status, 200);
    expected.push(("project_flow_updated", restored.json()["data"].clone()));

    let told: Vec<_> = records(&api.engine.database).iter().flat_map(|record| told(&template, record)).collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, mut flow)| {
            flow.as_object_mut().unwrap().retain(|member, _| member != "configuration" && member != "steps");
            (name.to_owned(), json!({ "type": name, "object": flow }))
        })
        .collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_removed_by_hand_is_not_told() {
    let template = template();
    let api = Api::start().await;
    stream(&api.engine.database, &template);
    let id = id(&api.send(&Request::create(page_request())).await);
    let item = api.engine.items().into_iter().find(|item| item["_id"]["S"] == *id).unwrap();
    let key = json!({ "TableName": engine::TABLE, "Key": { "pk": item["pk"], "sk": item["sk"] } });
    api.engine.database.delete_item(serde_json::from_value(key).unwrap()).unwrap();
    let records = records(&api.engine.database);
    assert_eq!(records.last().unwrap()["eventName"], "REMOVE");
    assert_eq!(told(&template, records.last().unwrap()), []);
}

/// "Reading and processing a stream" in the `DynamoDB` Developer Guide: more than two readers may be throttled.
#[test]
fn no_more_than_two_read_the_stream() {
    assert!((1..=2).contains(&resources(&template(), &["AWS::Pipes::Pipe"]).len()));
}
