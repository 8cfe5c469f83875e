//! Change events: the records of a real stream, through the filters, the input templates and the expression of
//! template.yaml.
//!
//! There is no local `EventBridge`. These tests know only the part of its language that its User Guide describes ("Event
//! filtering" and "Input transformation", both of pipes). They fail if template.yaml uses anything else.

use oracles::bumpalo::Bump;
use oracles::jsonata_rs::JsonAta;
use serde_json::{Value, json};

use crate::support::{
    Answer, Api, CLIENT, Engine, PLACE, Request, newest_key, now, page_request, page_request_with,
    page_request_without, resources, signed, template,
};

/// Switches the table's stream on, as the template does for change events.
fn enable_stream(engine: &Engine, template: &Value) {
    let table = &template["Resources"]["Table"]["Properties"];
    let choice = &table["StreamSpecification"]["!If"];
    assert_eq!((&choice[0], &choice[2]), (&json!("HasEventBus"), &json!({ "!Ref": "AWS::NoValue" })));
    engine.enable_stream(choice[1]["StreamViewType"].as_str().unwrap());
}

/// Whether a record matches a pattern. `record` is `None` if the record does not have what the pattern names.
fn matches(pattern: &Value, record: Option<&Value>) -> bool {
    match pattern {
        Value::Object(members) => {
            members.iter().all(|(name, pattern)| matches(pattern, record.and_then(|record| record.get(name))))
        }
        Value::Array(choices) => choices.iter().any(|choice| {
            let text = record.and_then(Value::as_str);
            match choice {
                Value::String(expected) => text == Some(expected),
                Value::Object(operator) if operator.len() == 1 => match operator.iter().next().unwrap() {
                    (name, Value::String(prefix)) if name == "prefix" => {
                        text.is_some_and(|text| text.starts_with(prefix))
                    }
                    // It works on leaves only. The patterns ask for leaves: the S of an attribute.
                    (name, Value::Bool(exists)) if name == "exists" => text.is_some() == *exists,
                    other => panic!("an operator that this test does not know: {other:?}"),
                },
                other => panic!("a choice that this test does not know: {other}"),
            }
        }),
        other => panic!("expected a pattern, found {other}"),
    }
}

/// Fills an input template from a record: `<$.path>` becomes the value at the path, `"<$.path>"` its text.
///
/// Panics at a text with characters to escape, because pipes do not escape it, and at a path that the record does not have.
fn fill(template: &str, record: &Value) -> Value {
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

/// Runs the state machine on an input.
fn shape(template: &Value, input: &Value) -> Value {
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

/// The events that a record leads to: their detail types and details.
fn change_events(template: &Value, record: &Value) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for pipe in resources(template, &["AWS::Pipes::Pipe"]).values() {
        let properties = &pipe["Properties"];
        let filters = properties["SourceParameters"]["FilterCriteria"]["Filters"].as_array().unwrap();
        let passes = filters
            .iter()
            .any(|filter| matches(&serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap(), Some(record)));
        if !passes {
            continue;
        }
        let input = fill(properties["EnrichmentParameters"]["InputTemplate"].as_str().unwrap(), record);
        // A pipe hands on arrays, even for one record.
        let details = shape(template, &json!([input]));
        let detail_type = &properties["TargetParameters"]["EventBridgeEventBusParameters"]["DetailType"];
        let member = detail_type.as_str().unwrap().strip_prefix("$.").unwrap();
        for detail in details.as_array().unwrap() {
            events.push((detail[member].as_str().unwrap().to_owned(), detail.clone()));
        }
    }
    events
}

#[tokio::test]
async fn every_change_leads_to_one_event_with_the_summary_of_the_api() {
    let template = template();
    let api = Api::start().await;
    enable_stream(&api.engine, &template);

    let mut expected = Vec::new();
    // A name or a description is only data, whatever a caller puts into it.
    let sly = r#"x", "client": "other"}, "type": "\u0041 <$.eventName> {% 1 %} ' \ "#;
    let plain = api.send(&Request::create(page_request_without("description"))).await;
    // Who made a change, and why, is in no event.
    let ann = format!("Bearer {}", signed(&json!({ "clientId": CLIENT, "sub": "ann", "exp": now() + 600 })));
    let described = Request::create(page_request()).key("once").query("note=Why").header("authorization", &ann);
    let described = api.send(&described).await;
    let odd = api.send(&Request::create(page_request_with("name", json!(sly)))).await;
    // The same create again changes nothing, so it leads to no event.
    assert_eq!(api.send(&Request::create(page_request()).key("once")).await.status, 201);
    for answer in [&plain, &described, &odd] {
        expected.push(("project_flow_created", answer.json()["data"].clone()));
    }
    let plain = plain.path();
    for (member, value) in [
        ("name", json!("Second")),
        ("description", json!(sly)),
        ("status", json!("active")),
        ("description", json!("")),
        ("description", Value::Null),
        ("status", json!("paused")),
    ] {
        expected.push(("project_flow_updated", api.set(&plain, member, value).await.json()["data"].clone()));
    }
    // The same status again changes nothing either.
    api.set(&plain, "status", json!("paused")).await;

    assert_eq!(api.send(&Request::delete(&plain)).await.status, 200);
    let deleted = api.get(&format!("{plain}/versions")).await.json()["data"][0].clone();
    assert_eq!(deleted["status"], "deleted");
    expected.push(("project_flow_deleted", deleted));
    let restored = api.send(&Request::restore(&plain, 1)).await;
    assert_eq!(restored.status, 200);
    expected.push(("project_flow_updated", restored.json()["data"].clone()));

    // A release tells what is live, and a withdrawal that nothing is.
    for described in [false, true] {
        let flow = if described { page_request() } else { page_request_without("description") };
        let flow = api.send(&Request::create(flow)).await;
        expected.push(("project_flow_created", flow.json()["data"].clone()));
        let active = api.set(&flow.path(), "status", json!("active")).await.json()["data"].clone();
        expected.push(("project_flow_updated", active.clone()));
        let number = if described { 3 } else { 1 };
        let released =
            api.send(&Request::release(&flow.path(), 2).query("note=Why").header("authorization", &ann)).await;
        let release =
            |answer: &Answer, number: u64| json!({ "number": number, "since": answer.json()["release"]["since"] });
        let mut object = active.clone();
        object["release"] = release(&released, number);
        expected.push(("project_flow_released", object));
        let withdrawn = api.send(&Request::delete(PLACE)).await;
        let mut object = active;
        object["release"] = release(&withdrawn, number + 1);
        expected.push(("project_flow_withdrawn", object));
    }

    let events: Vec<_> = api.engine.records().iter().flat_map(|record| change_events(&template, record)).collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, mut flow)| {
            flow.as_object_mut()
                .unwrap()
                .retain(|member, _| !["configuration", "steps", "change"].contains(&member.as_str()));
            (name.to_owned(), json!({ "type": name, "object": flow }))
        })
        .collect();
    assert_eq!(events, expected);
}

#[tokio::test]
async fn an_item_that_is_deleted_by_hand_leads_to_no_event() {
    let template = template();
    let api = Api::start().await;
    enable_stream(&api.engine, &template);
    let created = api.send(&Request::create(page_request())).await;
    api.engine.delete(&api.engine.item(&newest_key(&created.id())));
    let records = api.engine.records();
    assert_eq!(records.last().unwrap()["eventName"], "REMOVE");
    assert_eq!(change_events(&template, records.last().unwrap()), []);
}

/// More than two readers may be throttled ("Reading and processing a stream" in the `DynamoDB` Developer Guide).
#[test]
fn the_stream_has_at_most_two_readers() {
    assert!((1..=2).contains(&resources(&template(), &["AWS::Pipes::Pipe"]).len()));
}
