//! `GET /v2/project-flows?status=deleted`

use serde_json::{Value, json};

use crate::engine;
use crate::support::{Api, CLIENT, Engine, Request, flow_item, newest_key, page_request, stored};

/// The moment of a minute in 2024.
fn minute(number: usize) -> String {
    format!("2024-01-{:02}T{:02}:{:02}:00Z", number / 60 / 24 + 1, number / 60 % 24, number % 60)
}

/// Puts `count` deleted flows of a client into the table. They were created in the order of their numbers, a minute apart, and
/// deleted in the opposite order. Ten at a time were deleted in the same second.
///
/// Of ten, the second is a login flow. Of a hundred, the first belongs to another project.
fn fill(engine: &Engine, client: &str, count: usize) {
    for number in 0..count {
        let id = format!("project_flow_{number:026}");
        let mut item = flow_item(client, &id, &minute(number));
        let deleted = minute(20_000 - number / 10);
        for (name, text) in [
            ("project", if number % 100 == 0 { "rare" } else { "common" }),
            ("type", if number % 10 == 1 { "login" } else { "onboarding" }),
            ("status", "deleted"),
            ("name", &format!("Flow {number}")),
            ("updatedAt", &stored(&deleted)),
            ("listKey", &format!("~{}#{id}", stored(&deleted))),
        ] {
            item[name] = json!({ "S": text });
        }
        engine.put(engine::TABLE, &item);
    }
}

async fn page(api: &Api, query: &str) -> Value {
    let answer = api.send(&Request::get("/v2/project-flows").query(query)).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.json()
}

/// The numbers of the flows on a page.
#[track_caller]
fn numbers(page: &Value) -> Vec<usize> {
    let flows = page["data"].as_array().unwrap_or_else(|| panic!("expected a page, found {page}"));
    flows.iter().map(|flow| flow["name"].as_str().unwrap().strip_prefix("Flow ").unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_deleted_flow_is_in_the_trash_and_in_no_other_list_until_it_is_restored() {
    let api = Api::start().await;
    let (deleted, kept) = (api.create().await, api.create().await);
    api.set(&deleted, "name", json!("Deleted")).await;
    let lists = ["", "status=draft", "status=active", "status=paused", "type=onboarding", "project=project_123456789"];
    for query in lists {
        let found = page(&api, query).await["pagination"]["total"].clone();
        assert_eq!(found, if query.contains("active") || query.contains("paused") { 0 } else { 2 }, "{query}");
    }
    assert_eq!(page(&api, "status=deleted").await["data"], json!([]));

    assert_eq!(api.send(&Request::delete(&deleted)).await.status, 200);

    let trash = page(&api, "status=deleted").await;
    assert_eq!(trash["pagination"], json!({ "page": 1, "limit": 10, "total": 1, "pages": 1 }));
    let summary = &trash["data"][0];
    assert_eq!(deleted, format!("/v2/project-flows/{}", summary["_id"].as_str().unwrap()));
    assert_eq!(
        (&summary["name"], &summary["status"], &summary["version"]),
        (&json!("Deleted"), &json!("deleted"), &json!(3))
    );
    assert_eq!((summary.get("configuration"), summary.get("steps")), (None, None));
    for query in lists {
        let found = page(&api, query).await;
        let names: Vec<_> = found["data"].as_array().unwrap().iter().map(|flow| flow["_id"].clone()).collect();
        let expected = if query.contains("active") || query.contains("paused") { vec![] } else { vec![kept.clone()] };
        let expected: Vec<_> =
            expected.iter().map(|path| json!(path.strip_prefix("/v2/project-flows/").unwrap())).collect();
        assert_eq!(
            (names, found["pagination"]["total"].as_u64()),
            (expected.clone(), Some(expected.len() as u64)),
            "{query}"
        );
    }

    assert_eq!(api.send(&Request::restore(&deleted, 2)).await.status, 200);

    assert_eq!(page(&api, "status=deleted").await["pagination"]["total"], 0);
    assert_eq!(page(&api, "").await["pagination"]["total"], 2);
}

#[tokio::test]
async fn the_trash_shows_every_deleted_flow_once_latest_deletion_first_by_page_and_by_cursor() {
    let api = Api::start().await;
    fill(&api.engine, CLIENT, 250);
    fill(&api.engine, "client_2", 30);
    for number in 0..7 {
        let id = format!("project_flow_{:026}", 1_000 + number);
        api.engine.put(engine::TABLE, &flow_item(CLIENT, &id, &minute(number)));
    }
    let filters: [(&str, fn(usize) -> bool); 5] = [
        ("", |_| true),
        ("&type=login", |n| n % 10 == 1),
        ("&project=rare", |n| n % 100 == 0),
        ("&project=common&type=onboarding", |n| n % 10 != 1 && n % 100 != 0),
        ("&project=nobodys", |_| false),
    ];
    // Those that were deleted in the same second are in the order of their ids, the last one first.
    let mut order: Vec<_> = (0..250).collect();
    order.sort_by_key(|number| (number / 10, std::cmp::Reverse(*number)));
    for (filter, counts) in filters {
        let expected: Vec<_> = order.iter().copied().filter(|number| counts(*number)).collect();
        for limit in [1, 7, 10, 100] {
            let pages = expected.len().div_ceil(limit);
            for number in (1..=pages + 2).filter(|number| limit > 1 || *number < 5 || *number + 5 > pages) {
                let page = page(&api, &format!("status=deleted&page={number}&limit={limit}{filter}")).await;
                let chunk: Vec<_> = expected.iter().skip((number - 1) * limit).take(limit).copied().collect();
                assert_eq!(numbers(&page), chunk, "page {number} of {limit}{filter}");
                let mut pagination = page["pagination"].clone();
                assert_eq!(pagination.as_object_mut().unwrap().remove("next").is_some(), number < pages);
                let total = expected.len();
                assert_eq!(pagination, json!({ "page": number, "limit": limit, "total": total, "pages": pages }));
            }
            let mut query = format!("status=deleted&limit={limit}{filter}");
            let mut found = Vec::new();
            loop {
                let page = page(&api, &query).await;
                found.append(&mut numbers(&page));
                let Some(next) = page["pagination"]["next"].as_str() else { break };
                assert_eq!(page["data"].as_array().unwrap().len(), limit, "a full page");
                query = format!("status=deleted&limit={limit}{filter}&cursor={next}");
            }
            assert_eq!(found, expected, "{filter} by {limit}");
        }
    }
    assert_eq!(page(&api, "").await["pagination"]["total"], 7);
}

#[tokio::test]
async fn a_cursor_of_one_list_is_refused_by_the_other() {
    let api = Api::start().await;
    fill(&api.engine, CLIENT, 2);
    api.create().await;
    api.create().await;
    let next = async |query: &str| page(&api, query).await["pagination"]["next"].as_str().unwrap().to_owned();
    let (flows, trash) = (next("limit=1").await, next("limit=1&status=deleted").await);
    let refused = [
        format!("status=deleted&cursor={flows}"),
        format!("cursor={trash}"),
        format!("status=draft&cursor={trash}"),
        format!("status=deleted&page=1&cursor={trash}"),
        "status=Deleted".to_owned(),
        "status=deleted&status=deleted".to_owned(),
    ];
    for query in refused {
        let answer = api.send(&Request::get("/v2/project-flows").query(&query)).await;
        answer.expect(400, "INVALID_PARAMETERS");
    }
    assert_eq!(page(&api, &format!("status=deleted&cursor={trash}")).await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_client_does_not_see_the_trash_and_its_cursor_shows_only_flows_of_the_caller() {
    let api = Api::start().await;
    fill(&api.engine, "client_2", 20);
    assert_eq!(page(&api, "status=deleted").await["pagination"]["total"], 0);
    let theirs = Request::get("/v2/project-flows").query("status=deleted").client("client_2");
    let theirs = api.send(&theirs).await.json();
    let cursor = theirs["pagination"]["next"].as_str().unwrap();
    fill(&api.engine, CLIENT, 15);

    let page = page(&api, &format!("status=deleted&limit=100&cursor={cursor}")).await;

    let flows = page["data"].as_array().unwrap();
    assert!(!flows.is_empty() && flows.iter().all(|flow| flow["client"] == CLIENT));
}

#[tokio::test]
async fn a_flow_that_was_deleted_before_there_was_a_trash_is_in_no_list_and_can_be_restored() {
    let api = Api::start().await;
    let created = api.send(&Request::create(page_request())).await;
    api.send(&Request::delete(&created.path())).await;
    let mut item = api.engine.item(&newest_key(&created.id()));
    assert_eq!(item["listKey"]["S"], format!("~{}#{}", item["updatedAt"]["S"].as_str().unwrap(), created.id()));
    item.as_object_mut().unwrap().remove("listKey");
    api.engine.put(engine::TABLE, &item);

    assert_eq!(page(&api, "status=deleted").await["pagination"]["total"], 0);
    assert_eq!(page(&api, "").await["pagination"]["total"], 0);
    assert_eq!(api.send(&Request::restore(&created.path(), 1)).await.status, 200);
    assert_eq!(page(&api, "").await["pagination"]["total"], 1);
}
