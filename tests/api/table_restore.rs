//! The rehearsal of docs/restore.md. A local engine has no point-in-time restore, so a copy of the items stands in for the
//! restored table. The check, the switch and the function on the restored table are real.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, Process, Request, dynamo_db, fsck, page_request, template};

/// The name of the restored table. A restore always makes a new table.
const RESTORED: &str = "project-flows-restored";

#[tokio::test]
async fn the_function_serves_a_restored_table_after_the_check_and_the_switch() {
    let api = Api::start().await;
    let path = api.create_from(&Request::create(page_request()).key("key")).await;
    api.set(&path, "name", json!("As it was")).await;
    let was = api.get(&path).await;
    // The point in time of the restore.
    let items = api.engine.items();
    // After it, a flow is changed, another one is created, and somebody damages an item without the function.
    api.set(&path, "name", json!("As it should not be")).await;
    let late = api.create().await;
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

    // Switch.
    let mut process = Process::start_with(&api.engine.url, &[("TABLE_NAME", Some(RESTORED))]).await;
    assert_eq!(process.send(&Request::get(&path)).await, was);
    process.send(&Request::get(&late)).await.expect(404, "PROJECT_FLOW_NOT_FOUND");
    // The restored table knows the key, has a list and accepts an update.
    let replay = process.send(&Request::create(page_request()).key("key")).await;
    assert_eq!(replay.headers["idempotency-replayed"], "true");
    let list = process.send(&Request::get("/v2/project-flows")).await;
    assert_eq!(list.json()["pagination"]["total"], 1);
    let update = Request::put(&path, json!({ "name": "On from there" })).header("if-match", "\"2\"");
    assert_eq!(process.send(&update).await.json()["data"]["version"], 3);
    fsck(&api.engine.url, RESTORED).await.expect_healthy();
    // The old table has not changed since the switch.
    let dynamo_db = dynamo_db(&api.engine.url).await;
    assert_eq!(dynamo_db.scan().table_name(engine::TABLE).send().await.unwrap().count(), 4);
}

/// A lost version is copied from the restored table, but only if the table does not have it.
#[tokio::test]
async fn a_single_item_can_be_copied_back_from_a_restored_table() {
    let api = Api::start().await;
    let path = api.create().await;
    api.set(&path, "name", json!("Second")).await;
    let first = api.engine.items().into_iter().find(|item| item["version"]["N"] == "1").unwrap();
    engine::create_table_named(&api.engine.database, RESTORED).unwrap();
    api.engine.put(RESTORED, &first);
    api.engine.delete(&first);
    assert_eq!(fsck(&api.engine.url, engine::TABLE).await.status, 1);

    let dynamo_db = dynamo_db(&api.engine.url).await;
    let text = |name: &str| AttributeValue::S(first[name]["S"].as_str().unwrap().to_owned());
    let get = dynamo_db.get_item().table_name(RESTORED).key("pk", text("pk")).key("sk", text("sk"));
    let item = get.consistent_read(true).send().await.unwrap().item;
    let put = dynamo_db.put_item().table_name(engine::TABLE).set_item(item);
    let put = put.condition_expression("attribute_not_exists(pk)");
    put.clone().send().await.unwrap();

    fsck(&api.engine.url, engine::TABLE).await.expect_healthy();
    assert!(put.send().await.unwrap_err().into_service_error().is_conditional_check_failed_exception());
}

/// Resolves an intrinsic function of the template, if the named conditions hold.
#[track_caller]
fn resolve(value: &Value, conditions: &[&str]) -> String {
    let (function, argument) = value.as_object().unwrap().iter().next().unwrap();
    if function == "!If" {
        let branch = if conditions.contains(&argument[0].as_str().unwrap()) { 1 } else { 2 };
        return resolve(&argument[branch], conditions);
    }
    format!("{function} {}", argument.as_str().unwrap())
}

#[test]
fn one_parameter_of_the_template_switches_the_function_and_its_permissions_to_the_restored_table() {
    let template = template();
    let function = &template["Resources"]["Function"]["Properties"];
    let statements = &function["Policies"][0]["Statement"];
    let table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTableName}";
    let rows = [
        (&function["Environment"]["Variables"]["TABLE_NAME"], "!Ref Table", "!Ref RestoredTableName".to_owned()),
        (&statements[0]["Resource"][0], "!GetAtt Table.Arn", format!("!Sub {table}")),
        (&statements[1]["Resource"][0], "!Sub ${Table.Arn}/index/*", format!("!Sub {table}/index/*")),
        (&template["Outputs"]["TableName"]["Value"], "!Ref Table", "!Ref RestoredTableName".to_owned()),
    ];
    assert_eq!(template["Parameters"]["RestoredTableName"]["Default"], "");
    for (value, own, restored) in rows {
        assert_eq!(resolve(value, &[]), own);
        assert_eq!(resolve(value, &["HasRestoredTable"]), restored);
    }
}
