//! A real engine of `DynamoDB` with the table of template.yaml, and items put there without the function.

use std::sync::atomic::{AtomicU32, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::config::Credentials;
use dynoxide::Database;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::scan::ScanRequest;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::CLIENT;
use crate::engine;

/// The name of the table of projects, in the tests that have one.
pub const PROJECTS: &str = "projects";

/// The project of the flow of the API page, which is [`CLIENT`]'s.
pub const OWN_PROJECT: &[(&str, &str)] = &[("project_123456789", CLIENT)];

/// An engine with an empty table.
#[derive(Clone)]
pub struct Engine {
    pub database: Database,
    pub url: String,
}

impl Engine {
    pub async fn start() -> Self {
        let database = Database::memory().unwrap();
        engine::create_table(&database).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = engine::serve(database.clone(), listener).unwrap();
        Self { database, url }
    }

    /// Adds a table of projects, each with the client that owns it.
    pub fn add_projects(&self, projects: &[(&str, &str)]) {
        let table = json!({
            "TableName": PROJECTS,
            "AttributeDefinitions": [{ "AttributeName": "_id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "_id", "KeyType": "HASH" }],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.database.create_table(serde_json::from_value(table).unwrap()).unwrap();
        for (id, client) in projects {
            self.put(PROJECTS, &json!({ "_id": { "S": id }, "client": { "S": client } }));
        }
    }

    /// Puts an item, as DynamoDB JSON.
    #[track_caller]
    pub fn put(&self, table: &str, item: &Value) {
        let put = json!({ "TableName": table, "Item": item });
        self.database.put_item(serde_json::from_value(put).unwrap()).unwrap();
    }

    /// Deletes an item of the table.
    #[track_caller]
    pub fn delete(&self, item: &Value) {
        let delete = json!({ "TableName": engine::TABLE, "Key": { "pk": item["pk"], "sk": item["sk"] } });
        self.database.delete_item(serde_json::from_value(delete).unwrap()).unwrap();
    }

    /// Every item of the table, as DynamoDB JSON.
    pub fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut scan = json!({ "TableName": engine::TABLE });
        loop {
            let request: ScanRequest = serde_json::from_value(scan.clone()).unwrap();
            let mut page = serde_json::to_value(self.database.scan(request).unwrap()).unwrap();
            items.append(page["Items"].as_array_mut().unwrap());
            match page.get("LastEvaluatedKey") {
                Some(key) => scan["ExclusiveStartKey"] = key.clone(),
                None => return items,
            }
        }
    }

    /// Switches the table's stream on.
    pub fn enable_stream(&self, view: &str) {
        let specification = json!({ "StreamEnabled": true, "StreamViewType": view });
        let update = json!({ "TableName": engine::TABLE, "StreamSpecification": specification });
        self.database.update_table(serde_json::from_value(update).unwrap()).unwrap();
    }

    /// Every record of the table's stream, in the order of the writes.
    pub fn records(&self) -> Vec<Value> {
        let streams = self.database.list_streams(serde_json::from_value(json!({})).unwrap()).unwrap();
        let stream = serde_json::to_value(streams).unwrap()["Streams"][0]["StreamArn"].clone();
        let describe = json!({ "StreamArn": stream });
        let shards = self.database.describe_stream(serde_json::from_value(describe).unwrap()).unwrap();
        let shards = serde_json::to_value(shards).unwrap()["StreamDescription"]["Shards"].clone();
        let mut records = Vec::new();
        for shard in shards.as_array().unwrap() {
            let first =
                json!({ "StreamArn": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON" });
            let iterator = self.database.get_shard_iterator(serde_json::from_value(first).unwrap()).unwrap();
            let mut iterator = serde_json::to_value(iterator).unwrap()["ShardIterator"].clone();
            while !iterator.is_null() {
                let get = serde_json::from_value(json!({ "ShardIterator": iterator })).unwrap();
                let mut page = serde_json::to_value(self.database.get_records(get).unwrap()).unwrap();
                let found = page["Records"].as_array_mut().unwrap();
                if found.is_empty() {
                    break;
                }
                records.append(found);
                iterator = page["NextShardIterator"].clone();
            }
        }
        records
    }

    /// An item of [`CLIENT`] with this sort key, as DynamoDB JSON.
    #[track_caller]
    pub fn item(&self, sort_key: &str) -> Value {
        let key = json!({ "pk": { "S": format!("CLIENT#{CLIENT}") }, "sk": { "S": sort_key } });
        let get: GetItemRequest = serde_json::from_value(json!({ "TableName": engine::TABLE, "Key": key })).unwrap();
        let found = serde_json::to_value(self.database.get_item(get).unwrap()).unwrap();
        found.get("Item").unwrap_or_else(|| panic!("expected an item at {sort_key}, found none")).clone()
    }
}

/// The sort key of the newest version of a flow.
pub fn newest_key(id: &str) -> String {
    format!("FLOW#{id}")
}

/// The sort key of an earlier version of a flow.
pub fn version_key(id: &str, version: u64) -> String {
    format!("VERSION#{id}#{version:010}")
}

/// A moment as the table has it: with milliseconds, of which the API shows none.
pub fn stored(moment: &str) -> String {
    if moment.contains('.') { moment.to_owned() } else { moment.replace('Z', ".000Z") }
}

/// The item of a flow at version 1, as DynamoDB JSON
pub fn flow_item(client: &str, id: &str, created_at: &str) -> Value {
    let created_at = stored(created_at);
    let mut item = json!({ "version": { "N": "1" } });
    for (attribute, text) in [
        ("pk", format!("CLIENT#{client}").as_str()),
        ("sk", &newest_key(id)),
        ("listKey", &format!("{created_at}#{id}")),
        ("_id", id),
        ("client", client),
        ("project", "project_123456789"),
        ("type", "onboarding"),
        ("status", "draft"),
        ("name", "Complete Onboarding Flow"),
        ("configuration", "{}"),
        ("steps", "[]"),
        ("createdAt", &created_at),
        ("updatedAt", &created_at),
    ] {
        item[attribute] = json!({ "S": text });
    }
    item
}

/// The SDK's client for the engine or the proxy at `url`.
pub async fn dynamo_db(url: &str) -> DynamoDb {
    DynamoDb::new(&sdk(url).await)
}

/// The SDK's configuration for the engine or the proxy at `url`.
pub async fn sdk(url: &str) -> SdkConfig {
    static CONFIGURATIONS: AtomicU32 = AtomicU32::new(0);
    // All clients of a region share one budget of retries. No test may spend that of another.
    let region = format!("local-{}", CONFIGURATIONS.fetch_add(1, Ordering::Relaxed));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url(url)
        .load()
        .await
}
