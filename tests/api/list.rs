//! `GET /v2/project-flows`

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, CLIENT, Engine, Request, flow_item, page_request, page_request_with};

/// Puts `count` flows of a client into the table, each created seven milliseconds after the one before: many in each second.
///
/// Of ten, the first is active and the second is a login flow. Of a hundred, the first belongs to another project.
fn fill(engine: &Engine, client: &str, count: usize) {
    for number in 0..count {
        let (seconds, milliseconds) = (7 * number / 1_000, 7 * number % 1_000);
        let created = format!("2024-01-15T10:30:{seconds:02}.{milliseconds:03}Z");
        // The ids are in the opposite order, so that it is not they which make the order of the list.
        let mut item = flow_item(client, &format!("project_flow_{:026}", 9_999 - number), &created);
        for (name, text) in [
            ("project", if number % 100 == 0 { "rare" } else { "common" }),
            ("type", if number % 10 == 1 { "login" } else { "onboarding" }),
            ("status", if number % 10 == 0 { "active" } else { "draft" }),
            ("name", &format!("Flow {number}")),
        ] {
            item[name] = json!({ "S": text });
        }
        engine.put(engine::TABLE, &item);
    }
}

/// The numbers of the flows on a page.
#[track_caller]
fn numbers(page: &Value) -> Vec<usize> {
    let flows = page["data"].as_array().unwrap_or_else(|| panic!("expected a page, found {page}"));
    flows.iter().map(|flow| flow["name"].as_str().unwrap().strip_prefix("Flow ").unwrap().parse().unwrap()).collect()
}

async fn page(api: &Api, query: &str) -> Value {
    let answer = api.send(&Request::get("/v2/project-flows").query(query)).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_list_has_summaries_and_totals() {
    let api = Api::start().await;
    let none = page(&api, "").await;
    let pagination = json!({ "page": 1, "limit": 10, "total": 0, "pages": 0 });
    assert_eq!(none, json!({ "success": true, "data": [], "pagination": pagination }));
    let created = api.send(&Request::create(page_request())).await;
    let updated = api.set(&created.path(), "name", json!("Changed")).await;

    let answer = api.get("/v2/project-flows").await;

    answer.expect_headers();
    let mut summary = updated.json()["data"].clone();
    summary.as_object_mut().unwrap().retain(|name, _| !["configuration", "steps"].contains(&name.as_str()));
    let pagination = json!({ "page": 1, "limit": 10, "total": 1, "pages": 1 });
    assert_eq!(answer.json(), json!({ "success": true, "data": [summary], "pagination": pagination }));
    assert_eq!(created.id(), answer.json()["data"][0]["_id"]);
}

#[tokio::test]
async fn pages_by_number_and_by_cursor_show_every_flow_once_newest_first() {
    let api = Api::start().await;
    fill(&api.engine, CLIENT, 250);
    fill(&api.engine, "client_2", 50);
    // Each with the flows that match it.
    let filters: [(&str, fn(usize) -> bool); 7] = [
        ("", |_| true),
        ("&status=active", |n| n % 10 == 0),
        ("&type=login", |n| n % 10 == 1),
        ("&type=onboarding&status=draft", |n| n % 10 > 1),
        ("&project=rare", |n| n % 100 == 0),
        ("&project=common&type=onboarding&status=active", |n| n % 10 == 0 && n % 100 != 0),
        ("&project=nobodys", |_| false),
    ];
    for (filter, counts) in filters {
        let expected: Vec<_> = (0..250).rev().filter(|number| counts(*number)).collect();
        for limit in [1, 7, 10, 100] {
            let pages = expected.len().div_ceil(limit);
            let mut found = Vec::new();
            // Pages past the last one are empty, but have the totals.
            for number in (1..=pages + 2).filter(|number| limit > 1 || *number < 5 || *number + 5 > pages) {
                let page = page(&api, &format!("page={number}&limit={limit}{filter}")).await;
                let chunk: Vec<_> = expected.iter().skip((number - 1) * limit).take(limit).copied().collect();
                assert_eq!(numbers(&page), chunk, "page {number} of {limit}{filter}");
                let (total, next) = (expected.len(), number < pages);
                let mut pagination = page["pagination"].clone();
                assert_eq!(pagination.as_object_mut().unwrap().remove("next").is_some(), next);
                assert_eq!(pagination, json!({ "page": number, "limit": limit, "total": total, "pages": pages }));
            }
            let mut query = format!("limit={limit}{filter}");
            loop {
                let page = page(&api, &query).await;
                found.append(&mut numbers(&page));
                let Some(next) = page["pagination"]["next"].as_str() else { break };
                assert_eq!(page["data"].as_array().unwrap().len(), limit, "a full page");
                query = format!("limit={limit}{filter}&cursor={next}");
            }
            assert_eq!(found, expected, "{filter} by {limit}");
        }
    }
    let by_cursor = page(&api, "limit=100&page=2").await["pagination"]["next"].as_str().unwrap().to_owned();
    let last = page(&api, &format!("limit=100&cursor={by_cursor}")).await;
    assert_eq!(last["pagination"], json!({ "limit": 100 }));
}

#[tokio::test]
async fn a_cursor_of_another_client_shows_only_flows_of_the_caller() {
    let api = Api::start().await;
    fill(&api.engine, CLIENT, 20);
    fill(&api.engine, "client_2", 30);
    let theirs = api.send(&Request::get("/v2/project-flows").client("client_2")).await.json();
    let cursor = theirs["pagination"]["next"].as_str().unwrap();

    let mine = page(&api, &format!("cursor={cursor}")).await;

    assert_eq!(numbers(&mine), (10..20).rev().collect::<Vec<_>>());
    assert!(mine["data"].as_array().unwrap().iter().all(|flow| flow["client"] == CLIENT));
    let text = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, cursor).unwrap();
    assert!(!String::from_utf8(text).unwrap().contains("client"));
}

#[tokio::test]
async fn unknown_repeated_and_malformed_parameters_are_refused() {
    let api = Api::start().await;
    fill(&api.engine, CLIENT, 20);
    let next = page(&api, "").await["pagination"]["next"].as_str().unwrap().to_owned();
    let both = format!("page=1&cursor={next}");
    let (shorter, longer) = (format!("cursor={}", &next[1..]), format!("cursor={next}A"));
    let refused = [
        "page=0",
        "page=-1",
        "page=x",
        "page=",
        "page=01",
        "page=+1",
        "page=1.0",
        "page=4294967296",
        "page=1&page=1",
        "limit=0",
        "limit=101",
        "limit=ten",
        "limit=%31%30%30%30",
        "status=gone",
        "status=Draft",
        "status=",
        "type=signup",
        "project=",
        "project=a%20b",
        "project=%00",
        "cursor=",
        "cursor=x",
        "cursor=%25",
        "cursor=MjAyNC0wMS0xNVQxMDozMDowMFo",
        "sort=name",
        "Page=1",
        "dryRun=true",
        "limit=%zz",
        &both,
        &shorter,
        &longer,
    ];
    for query in refused {
        let answer = api.send(&Request::get("/v2/project-flows").query(query)).await;
        answer.expect(400, "INVALID_PARAMETERS");
    }
    assert_eq!(page(&api, "page=4294967295&limit=100").await["data"], json!([]));
    let names: BTreeSet<_> = page(&api, "limit=%31&type=onboarding&project=common").await["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flow| flow["name"].to_string())
        .collect();
    assert_eq!(names.len(), 1);
}

#[tokio::test]
async fn each_page_by_cursor_takes_one_query() {
    let (api, proxy) = Api::start().await.behind_proxy().await;
    fill(&api.engine, CLIENT, 1_000);

    let first = page(&api, "").await;
    assert_eq!(proxy.calls("Query"), 2, "a page with its totals");
    let mut next = first["pagination"]["next"].as_str().map(str::to_owned);
    let mut pages = 1;
    while let Some(cursor) = next {
        let page = page(&api, &format!("cursor={cursor}")).await;
        next = page["pagination"]["next"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((pages, proxy.calls("Query")), (100, 2 + 99));
    assert_eq!(proxy.calls("GetItem") + proxy.calls("Scan"), 0);
}

/// The names of all flows of a list, page by page.
async fn names(api: &Api, list: &str) -> Vec<String> {
    let (mut names, mut query) = (Vec::new(), format!("{list}&limit=3"));
    loop {
        let page = page(api, &query).await;
        let flows = page["data"].as_array().unwrap().iter();
        names.extend(flows.map(|flow| flow["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["pagination"]["next"].as_str() else { return names };
        query = format!("{list}&limit=3&cursor={next}");
    }
}

/// Within one second too. Each call waits for another millisecond.
#[tokio::test]
async fn flows_are_listed_in_the_order_in_which_they_were_created_or_deleted() {
    let api = Api::start().await;
    let send = async |request: Request| {
        tokio::time::sleep(Duration::from_millis(2)).await;
        api.send(&request).await
    };
    let mut paths = Vec::new();
    for number in 0..20 {
        let create = Request::create(page_request_with("name", json!(number.to_string())));
        paths.push(send(create).await.path());
    }
    let numbers =
        |numbers: &mut dyn Iterator<Item = usize>| numbers.map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&api, "type=onboarding").await, numbers(&mut (0..20).rev()));

    // 7 has no factor in common with 20, so this is an order of its own.
    let deleted: Vec<_> = (0..20).map(|number| number * 7 % 20).collect();
    for number in &deleted {
        assert_eq!(send(Request::delete(&paths[*number])).await.status, 200);
    }
    assert_eq!(names(&api, "status=deleted").await, numbers(&mut deleted.iter().rev().copied()));

    // A flow that comes back stands where it stood.
    for number in deleted.iter().filter(|number| **number != 5) {
        assert_eq!(send(Request::restore(&paths[*number], 1)).await.status, 200);
    }
    assert_eq!(names(&api, "type=onboarding").await, numbers(&mut (0..20).rev().filter(|number| *number != 5)));
    assert_eq!(names(&api, "status=deleted").await, ["5"]);
}
