//! The bare calls of the SDK: no token, no parsing, no envelope. `CALLS` names the calls, in order.
//!
//! They send what the function sends for the flow of `events/`: the same items, conditions and queries. They use the same SDK
//! features, and open the connection at the start.

use std::collections::HashMap;
use std::env;
use std::time::SystemTime;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, Select, TransactWriteItem,
};
use lambda_http::lambda_runtime::{Error, LambdaEvent, run, service_fn};
use project_flows::flow::{self, Change, Content, Flow, Head, Place, WriteToken};
use project_flows::{item, json};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let (calls, table) = (env::var("CALLS")?, env::var("TABLE_NAME")?);
    let calls: Vec<_> = calls.split(',').collect();
    let flow = flow()?;
    let _ = client.get_item().table_name(&table).set_key(Some(item::impossible_key())).send().await;
    let (client, table, calls, flow) = (&client, &table, &calls, &flow);
    run(service_fn(async |_: LambdaEvent<IgnoredAny>| {
        for call in calls {
            carry_out(call, client, table, flow).await?;
        }
        Ok::<_, Error>("done")
    }))
    .await
}

/// The flow of the API page.
fn flow() -> Result<Flow, Error> {
    let event: serde_json::Value = serde_json::from_str(include_str!("../../events/create-flow.json"))?;
    let members =
        json::read_object(event.get("body").and_then(serde_json::Value::as_str).unwrap_or_default().as_bytes());
    let content = Content::parse(&members.map_err(|problem| problem.error)?).map_err(|_| "expected a flow")?;
    let client = flow::Client::parse("client_123456789").ok_or("expected a client")?;
    Flow::create(client, SystemTime::now(), content, None, flow::Change::default())
        .map_err(|cause| cause.to_string().into())
}

async fn carry_out(call: &str, client: &Client, table: &str, flow: &Flow) -> Result<(), Error> {
    match call {
        "PutItem" => {
            let put = client.put_item().table_name(table).set_item(Some(item::from_flow(flow)));
            let put = put.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", "pk");
            put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).send().await?;
        }
        "GetItem" => {
            let key = item::flow_key(&flow.summary.client, &flow.summary.id);
            client.get_item().table_name(table).set_key(Some(key)).consistent_read(true).send().await?;
        }
        "TransactWriteItems" => {
            let put = Put::builder().table_name(table).set_item(Some(item::from_flow(flow)));
            let newest = put.clone().condition_expression("#version = :newest");
            let newest = newest.expression_attribute_names("#version", "version");
            let newest = newest.expression_attribute_values(":newest", AttributeValue::N("2".to_owned())).build()?;
            let history = put.set_item(Some(item::into_version(item::from_flow(flow), flow)));
            let history = history.condition_expression("attribute_not_exists(#pk)");
            let history = history.expression_attribute_names("#pk", "pk").build()?;
            let writes = [newest, history].map(|put| TransactWriteItem::builder().put(put).build());
            client.transact_write_items().set_transact_items(Some(writes.to_vec())).send().await?;
        }
        "Query" | "Count" => {
            let query = client.query().table_name(table).index_name("newest-first").scan_index_forward(false);
            let query = query.key_condition_expression("#client = :client");
            let client = AttributeValue::S(flow.summary.client.as_str().to_owned());
            let query = query.set_expression_attribute_values(Some(HashMap::from([(":client".to_owned(), client)])));
            if call == "Count" {
                let query = query.expression_attribute_names("#client", "client");
                query.select(Select::Count).send().await?;
            } else {
                project(query, &item::SUMMARY).limit(11).send().await?;
            }
        }
        "GetLive" => {
            let key = item::head_key(&flow.summary.client, &Place::of(&flow.summary));
            client.get_item().table_name(table).set_key(Some(key)).consistent_read(true).send().await?;
        }
        "Release" | "Withdraw" => {
            let place = Place::of(&flow.summary);
            let head = Head::release(None, SystemTime::now(), flow.clone(), Change::default(), false);
            let mut head = head.map_err(|error| error.to_string())?;
            if call == "Withdraw" {
                let withdrawn = Head::withdraw(Some(&head), SystemTime::now(), Change::default());
                head = withdrawn.map_err(|error| error.to_string())?;
            }
            head.release.write_token = WriteToken::random().ok();
            let release = item::from_release(&flow.summary.client, &place, &head);
            let live = item::into_head(release.clone(), &place);
            let copy = Put::builder().table_name(table).set_item(Some(release));
            let copy = copy.condition_expression("attribute_not_exists(#pk)").expression_attribute_names("#pk", "pk");
            let put =
                Put::builder().table_name(table).set_item(Some(live)).condition_expression("#release = :previous");
            let put = put.expression_attribute_names("#release", "release");
            let put = put.expression_attribute_values(":previous", AttributeValue::N("1".to_owned()));
            let mut writes =
                Vec::from([put.build()?, copy.build()?].map(|put| TransactWriteItem::builder().put(put).build()));
            if call == "Release" {
                let check = ConditionCheck::builder().table_name(table).condition_expression("#status = :active");
                let check = check.set_key(Some(item::flow_key(&flow.summary.client, &flow.summary.id)));
                let check = check.expression_attribute_names("#status", "status");
                let check = check.expression_attribute_values(":active", AttributeValue::S("active".to_owned()));
                writes.push(TransactWriteItem::builder().condition_check(check.build()?).build());
            }
            client.transact_write_items().set_transact_items(Some(writes)).send().await?;
        }
        "QueryRelease" => {
            in_partition(client, table, flow, "RELEASE#").scan_index_forward(false).limit(1).send().await?;
        }
        "QueryReleases" => {
            let query = in_partition(client, table, flow, "RELEASE#").scan_index_forward(false).limit(10);
            project(query, &item::RELEASES).send().await?;
        }
        "QueryChanges" => {
            let query = client.query().table_name(table).index_name(item::CHANGES_INDEX).scan_index_forward(false);
            let query = query.key_condition_expression("#client = :client");
            let client = AttributeValue::S(flow.summary.client.as_str().to_owned());
            let query = query.set_expression_attribute_values(Some(HashMap::from([(":client".to_owned(), client)])));
            project(query, &item::CHANGES).limit(11).send().await?;
        }
        "QueryLive" => {
            let query = in_partition(client, table, flow, "LIVE#").filter_expression("attribute_exists(#_id)");
            project(query, &item::LIVE_FLOWS).send().await?;
        }
        other => return Err(format!("expected a call, found {other}").into()),
    }
    Ok(())
}

/// A query of the client's items whose sort key begins with this text.
fn in_partition(client: &Client, table: &str, flow: &Flow, prefix: &str) -> QueryFluentBuilder {
    let query = client.query().table_name(table).consistent_read(true);
    let query = query.key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last");
    let query = query.expression_attribute_names("#pk", "pk").expression_attribute_names("#sk", "sk");
    let values = [
        (":pk", item::partition(&flow.summary.client)),
        (":first", prefix.to_owned()),
        (":last", format!("{prefix}~")),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    query.set_expression_attribute_values(Some(HashMap::from(values)))
}

fn project(query: QueryFluentBuilder, attributes: &[&str]) -> QueryFluentBuilder {
    let names: Vec<_> = attributes.iter().map(|name| format!("#{name}")).collect();
    let pairs = names.iter().zip(attributes);
    let query = pairs.fold(query, |query, (name, of)| query.expression_attribute_names(name, *of));
    query.projection_expression(names.join(", "))
}
