//! The rehearsal of docs/restore.md, as far as a local engine goes: it has no point-in-time restore, so a copy of the
//! items as they were stands for the restored table. The check, the switch and what the function then serves are real.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use serde_norway::Value;

use crate::binary::{Process, RuntimeApi, lambda};
use crate::engine;
use crate::support::{Answer, Api, Request, fsck, page_request, sdk};

/// The name that the restored table gets: a restore always makes a new one.
const RESTORED: &str = "project-flows-restored";

#[tokio::test]
async fn a_restored_table_is_checked_switched_to_and_serves_what_was() {
    let api = Api::start().await;
    let path = api.create_from(&Request::create(page_request()).key("key")).await;
    api.set(&path, "name", json!("As it was")).await;
    let was = api.get(&path).await;
    // The moment that is restored to.
    let items = api.engine.items();
    // After it, a flow is changed and another is created, and somebody damages the table past the function.
    api.set(&path, "name", json!("As it should not be")).await;
    let late = api.send(&Request::create(page_request())).await;
    let mut damaged = api.engine.items().into_iter().find(|item| item["version"]["N"] == "3").unwrap();
    damaged["configuration"] = json!({ "S": "" });
    api.engine.put(engine::TABLE, &damaged);
    let damage = fsck(&api.engine.url, engine::TABLE).await;
    assert_eq!((damage.status, damage.findings.len()), (1, 1), "{damage:?}");

    // Restore.
    engine::create_table_named(&api.engine.database, RESTORED).unwrap();
    for item in &items {
        api.engine.put(RESTORED, item);
    }

    // Check.
    fsck(&api.engine.url, RESTORED).await.expect_healthy();

    // Switch, and see.
    let mut runtime = RuntimeApi::start().await;
    let mut variables = lambda(&runtime, &api.engine.url);
    variables.retain(|(name, _)| *name != "TABLE_NAME");
    variables.push(("TABLE_NAME", RESTORED));
    let _process = Process::start(&variables);
    let (_, answer) = runtime.invoke(&Request::get(&path).event().to_string()).await;
    assert_eq!(Answer::read(&answer, true), was);
    let (_, answer) = runtime.invoke(&Request::get(&late.path()).event().to_string()).await;
    Answer::read(&answer, true).expect(404, "PROJECT_FLOW_NOT_FOUND");
    // Life goes on there: a key is still known, lists show what is there, and a change lands.
    let (_, answer) = runtime.invoke(&Request::create(page_request()).key("key").event().to_string()).await;
    assert_eq!(Answer::read(&answer, true).headers["idempotency-replayed"], "true");
    let (_, answer) = runtime.invoke(&Request::get("/v2/project-flows").event().to_string()).await;
    assert_eq!(Answer::read(&answer, true).json()["pagination"]["total"], 1);
    let change = Request::put(&path, json!({ "name": "On from there" })).header("if-match", "\"2\"");
    let (_, answer) = runtime.invoke(&change.event().to_string()).await;
    assert_eq!(Answer::read(&answer, true).json()["data"]["version"], 3);
    fsck(&api.engine.url, RESTORED).await.expect_healthy();
    // The table that was left is as it was left.
    let client = Client::new(&sdk(&api.engine.url).await);
    assert_eq!(client.scan().table_name(engine::TABLE).send().await.unwrap().count(), 4);
}

/// A version that is lost is put back from the restored table, on the condition that nothing is there.
#[tokio::test]
async fn a_single_item_is_brought_back_from_a_restored_table() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "name", json!("Second")).await;
    let first = api.engine.items().into_iter().find(|item| item["version"]["N"] == "1").unwrap();
    engine::create_table_named(&api.engine.database, RESTORED).unwrap();
    api.engine.put(RESTORED, &first);
    let key = json!({ "pk": first["pk"], "sk": first["sk"] });
    let delete = json!({ "TableName": engine::TABLE, "Key": key });
    api.engine.database.delete_item(serde_json::from_value(delete).unwrap()).unwrap();
    assert_eq!(fsck(&api.engine.url, engine::TABLE).await.status, 1);

    let client = Client::new(&sdk(&api.engine.url).await);
    let text = |name: &str| AttributeValue::S(key[name]["S"].as_str().unwrap().to_owned());
    let get = client.get_item().table_name(RESTORED).key("pk", text("pk")).key("sk", text("sk"));
    let item = get.consistent_read(true).send().await.unwrap().item;
    let put = client.put_item().table_name(engine::TABLE).set_item(item);
    let put = put.condition_expression("attribute_not_exists(pk)");
    put.clone().send().await.unwrap();

    fsck(&api.engine.url, engine::TABLE).await.expect_healthy();
    assert!(put.send().await.unwrap_err().into_service_error().is_conditional_check_failed_exception());
}

/// What an intrinsic function of the template comes to, when the named conditions hold.
fn resolve(value: &Value, conditions: &[&str]) -> String {
    match value {
        Value::Tagged(tagged) if tagged.tag == "!If" => {
            let branch = if conditions.contains(&tagged.value[0].as_str().unwrap()) { 1 } else { 2 };
            resolve(&tagged.value[branch], conditions)
        }
        Value::Tagged(tagged) => format!("{} {}", tagged.tag, tagged.value.as_str().unwrap()),
        other => other.as_str().unwrap().to_owned(),
    }
}

/// The switch: the function and its permissions go over to the restored table together.
#[test]
fn a_parameter_of_the_template_points_the_function_and_its_permissions_at_the_restored_table() {
    let template: Value = serde_norway::from_str(include_str!("../../template.yaml")).unwrap();
    let function = &template["Resources"]["Function"]["Properties"];
    let statements = &function["Policies"][0]["Statement"];
    let table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTableName}";
    let rows = [
        (&function["Environment"]["Variables"]["TABLE_NAME"], "!Ref Table", "!Ref RestoredTableName".to_owned()),
        (&statements[0]["Resource"][0], "!GetAtt Table.Arn", format!("!Sub {table}")),
        (
            &statements[1]["Resource"][0],
            "!Sub ${Table.Arn}/index/newest-first",
            format!("!Sub {table}/index/newest-first"),
        ),
        (&template["Outputs"]["TableName"]["Value"], "!Ref Table", "!Ref RestoredTableName".to_owned()),
    ];
    assert_eq!(template["Parameters"]["RestoredTableName"]["Default"], "");
    for (value, own, restored) in rows {
        assert_eq!(resolve(value, &[]), own);
        assert_eq!(resolve(value, &["HasRestoredTable"]), restored);
    }
}
