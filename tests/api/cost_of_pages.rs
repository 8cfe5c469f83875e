//! The cost of a page of a list, by number and by cursor, for 10, 1,000 and 10,000 flows: `make bench`.
//!
//! A proxy counts the queries. The engine reports the read units that `DynamoDB` would bill for the same part of the index.
//! The times depend on the machine; they show only how the cost grows.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::engine;
use crate::support::{Api, CLIENT, Engine, Options, PLACE, Request};

const FLOWS: [usize; 3] = [10, 1_000, 10_000];
const LIMIT: usize = 10;
const TRIALS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark: `make bench`"]
async fn the_cost_of_a_page_is_printed() {
    println!("a page of {LIMIT}, median of {TRIALS}:");
    println!("{:>7}  {:<24} {:>7} {:>10} {:>9}", "flows", "page", "queries", "read units", "time");
    for flows in FLOWS {
        let direct = Api::start().await;
        for _ in 0..flows {
            direct.create().await;
        }
        let (counted, proxy) = direct.behind_proxy().await;
        let pages = flows / LIMIT;
        let middle = direct.send(&list(&format!("page={}", pages.div_ceil(2)))).await.json();
        let mut rows = vec![
            ("first, by number", "page=1".to_owned(), read_units(&direct.engine, None)),
            ("last, by number", format!("page={pages}"), read_units(&direct.engine, None)),
        ];
        if let Some(cursor) = middle["pagination"]["next"].as_str() {
            rows.push(("middle, by cursor", format!("cursor={cursor}"), read_units(&direct.engine, Some(LIMIT + 1))));
        }
        for (name, query, read_units) in rows {
            let before = proxy.calls("Query");
            assert_eq!(counted.send(&list(&query)).await.json()["data"].as_array().unwrap().len(), LIMIT);
            let queries = proxy.calls("Query") - before;
            let time = median(&direct, &list(&query)).await.as_secs_f64() * 1_000.0;
            println!("{flows:>7}  {name:<24} {queries:>7} {read_units:>10.1} {time:>6.1} ms");
        }
    }
}

fn list(query: &str) -> Request {
    Request::get("/v2/project-flows").query(query)
}

async fn median(api: &Api, request: &Request) -> Duration {
    let mut times = Vec::new();
    for _ in 0..TRIALS {
        let begin = Instant::now();
        assert_eq!(api.send(request).await.status, 200);
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times[TRIALS / 2]
}

/// The read units of a query for all entries of the client in the index, or for this many.
fn read_units(engine: &Engine, entries: Option<usize>) -> f64 {
    let mut query = json!({
        "TableName": engine::TABLE,
        "IndexName": "newest-first",
        "Select": "COUNT",
        "KeyConditionExpression": "client = :client",
        "ExpressionAttributeValues": { ":client": { "S": CLIENT } },
        "ReturnConsumedCapacity": "TOTAL",
    });
    if let Some(entries) = entries {
        query["Limit"] = json!(entries);
    }
    let mut units = 0.0;
    loop {
        let request = serde_json::from_value(query.clone()).unwrap();
        let answer = serde_json::to_value(engine.database.query(request).unwrap()).unwrap();
        units += answer["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap();
        match answer.get("LastEvaluatedKey") {
            Some(key) if entries.is_none() => query["ExclusiveStartKey"] = key.clone(),
            _ => return units,
        }
    }
}

/// What a login costs in time, by the size of the flow. `live.rs` tests the read units.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark: `make bench`"]
async fn the_time_of_a_login_is_printed() {
    println!("a read of what is live, median of {TRIALS}:");
    println!("{:>9} {:>11} {:>11} {:>13}", "bytes", "first", "later", "not modified");
    for bytes in [1_000, 20_000, 200_000] {
        let api = Api::start().await;
        let path = api.create().await;
        api.set(&path, "configuration", json!({ "pad": "p".repeat(bytes) })).await;
        api.set(&path, "status", json!("active")).await;
        assert_eq!(api.send(&Request::release(&path, 3)).await.status, 200);
        let (get, known) = (Request::get(PLACE), Request::get(PLACE).header("if-none-match", "\"1\""));
        // A function that keeps nothing yet.
        let mut first = Vec::new();
        for _ in 0..TRIALS {
            let fresh = Api::with(Options { engine: Some(&api.engine), ..Options::default() }).await;
            first.push(time(&fresh, &get, 200).await);
        }
        let (mut later, mut not_modified) = (Vec::new(), Vec::new());
        for _ in 0..TRIALS {
            later.push(time(&api, &get, 200).await);
            not_modified.push(time(&api, &known, 304).await);
        }
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[TRIALS / 2].as_secs_f64() * 1_000.0
        };
        let (first, later, not_modified) = (median(first), median(later), median(not_modified));
        println!("{bytes:>9} {first:>8.2} ms {later:>8.2} ms {not_modified:>10.2} ms");
    }
}

async fn time(api: &Api, request: &Request, status: i64) -> Duration {
    let begin = Instant::now();
    assert_eq!(api.send(request).await.status, status);
    begin.elapsed()
}
