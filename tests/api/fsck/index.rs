//! Tables whose index disagrees: for good, until it has caught up, or because a flow changes all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::{Flows, OF};
use crate::engine;
use crate::http::{body, read_message};
use crate::support::{CLIENT, Engine, build_fsck, fsck, newest_key};

/// Serves the table of one engine and the index of another as one database, and returns its URL.
async fn combine(table: &Engine, index: &Engine) -> String {
    combine_with(table, index, |_| ()).await
}

/// The same, and calls a function before and after each read.
pub async fn combine_with(table: &Engine, index: &Engine, at_read: impl Fn(&Value) + Clone + Send + 'static) -> String {
    let engines = [&table.url, &index.url].map(|url| url.strip_prefix("http://").unwrap().to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (engines, at_read) = (engines.clone(), at_read.clone());
            tokio::spawn(async move {
                while let Some(request) = read_message(&mut client).await {
                    let call: Value = serde_json::from_slice(body(&request)?).ok()?;
                    let of_index = call.get("IndexName").is_some();
                    at_read(&call);
                    let mut engine = TcpStream::connect(&engines[usize::from(of_index)]).await.ok()?;
                    engine.write_all(&request).await.ok()?;
                    let answer = read_message(&mut engine).await?;
                    at_read(&call);
                    client.write_all(&answer).await.ok()?;
                }
                Some(())
            });
        }
    });
    url
}

#[tokio::test]
async fn an_index_that_disagrees_with_the_table_is_reported() {
    let flows = Flows::create().await;
    let index = Engine::start().await;
    let items = flows.engine.items();
    let list_key = |id: &str| flows.engine.item(&newest_key(id))["listKey"]["S"].as_str().unwrap().to_owned();
    // In the index one flow is missing, a deleted one is where it was before, and one has its version before the newest.
    let deleted_at = list_key(&flows.new).replace(&flows.new, &flows.deleted);
    for item in &items {
        let mut item = item.clone();
        match &item["sk"]["S"] {
            sort if *sort == newest_key(&flows.new) => continue,
            sort if *sort == newest_key(&flows.deleted) => item["listKey"] = json!({ "S": deleted_at }),
            sort if *sort == newest_key(&flows.keyed) => {
                item["version"] = json!({ "N": "3" });
                item["name"] = json!({ "S": "Version 3" });
            }
            _ => {}
        }
        index.put(engine::TABLE, &item);
    }
    // It also has a flow of a client that the table does not know.
    let mut stray = flows.engine.item(&newest_key(&flows.new));
    stray["pk"] = json!({ "S": "CLIENT#gone" });
    stray["client"] = json!({ "S": "gone" });
    index.put(engine::TABLE, &stray);

    let checked = fsck(&combine(&flows.engine, &index).await, engine::TABLE).await;

    let new_at = list_key(&flows.new);
    let trashed_at = list_key(&flows.deleted);
    let mut expected = vec![
        format!(
            "{OF}{}: index newest-first: expected an entry at {trashed_at:?} of client {CLIENT:?}, found nothing",
            flows.deleted
        ),
        format!(
            "{OF}{}: index newest-first: expected an entry at {new_at:?} of client {CLIENT:?}, found nothing",
            flows.new
        ),
        format!(
            "{OF}{}: index changes: expected an entry at {:?} of client {CLIENT:?}, found nothing",
            flows.new,
            format!("{new_at}#0000000001")
        ),
        format!("{OF}{}: index changes: name: expected another value, found something else", flows.keyed),
        format!("{OF}{}: index changes: version: expected 4, found 3", flows.keyed),
        format!(
            "client \"gone\", flow {}: index changes: expected nothing at {:?} of client \"gone\", as in the table, found an \
             entry",
            flows.new,
            format!("{new_at}#0000000001")
        ),
        format!("{OF}{}: index newest-first: name: expected another value, found something else", flows.keyed),
        format!("{OF}{}: index newest-first: version: expected 4, found 3", flows.keyed),
        format!(
            "{OF}{}: index newest-first: expected nothing at {deleted_at:?} of client {CLIENT:?}, as in the table, found an \
             entry",
            flows.deleted
        ),
        format!(
            "client \"gone\", flow {}: index newest-first: expected nothing at {new_at:?} of client \"gone\", as in the \
             table, found an entry",
            flows.new
        ),
    ];
    expected.sort();
    assert_eq!(checked.findings, expected);
    assert_eq!(checked.status, 1);
}

#[tokio::test]
async fn an_index_that_catches_up_in_time_is_no_finding() {
    let flows = Flows::create().await;
    let index = Engine::start().await;
    for item in flows.engine.items().iter().filter(|item| item["sk"]["S"] != newest_key(&flows.new)) {
        index.put(engine::TABLE, item);
    }
    let url = combine(&flows.engine, &index).await;
    let catches_up = async {
        // Between the first look at the index and the second: an entry of a new item may come two seconds late.
        tokio::time::sleep(Duration::from_millis(700)).await;
        index.put(engine::TABLE, &flows.engine.item(&newest_key(&flows.new)));
    };
    // A time in the future counts as just now.
    flows.change(&newest_key(&flows.new), |item| {
        item["updatedAt"] = json!({ "S": "2999-01-01T00:00:00.000Z" });
        item["changeKey"] = json!({ "S": format!("2999-01-01T00:00:00.000Z#{}#0000000001", flows.new) });
        item.as_object_mut().unwrap().remove("digest");
    });

    build_fsck();
    let (checked, ()) = tokio::join!(fsck(&url, engine::TABLE), catches_up);

    checked.expect_healthy();
}

#[tokio::test]
async fn a_flow_that_changes_at_every_look_is_counted_but_is_no_finding() {
    let flows = Flows::create().await;
    let changes = Arc::new(AtomicU32::new(0));
    let (database, mut item) = (flows.engine.database.clone(), flows.engine.item(&newest_key(&flows.new)));
    item["updatedAt"] = json!({ "S": "2999-01-01T00:00:00.000Z" });
    let change = move |read: &Value| {
        if read.get("IndexName").is_none() {
            return;
        }
        let mut item = item.clone();
        item["name"] = json!({ "S": format!("Change {}", changes.fetch_add(1, Ordering::Relaxed)) });
        let put = json!({ "TableName": engine::TABLE, "Item": item });
        database.put_item(serde_json::from_value(put).unwrap()).unwrap();
    };
    let url = combine_with(&flows.engine, &flows.engine, change).await;

    let checked = fsck(&url, engine::TABLE).await;

    checked.expect_healthy();
    assert!(checked.closing.contains(", flows too busy to compare with the index 2, "), "{checked:?}");
}
