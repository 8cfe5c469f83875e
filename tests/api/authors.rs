//! Who wrote a version, and why.

use serde_json::{Value, json};

use crate::support::{Answer, Api, Request, page_request, page_request_with};

/// The change of a version, without its digest.
fn change(answer: &Value) -> Value {
    let mut change = answer["change"].clone();
    assert_eq!(change.as_object_mut().unwrap().remove("digest").unwrap().as_str().unwrap().len(), 43);
    change
}

#[tokio::test]
async fn every_version_says_who_wrote_it_and_why() {
    let api = Api::start().await;
    let path = api.create_from(&Request::create(page_request()).query("note=First%20draft").by("ann")).await;
    let requests = [
        Request::put(&path, json!({ "name": "Second" })).query("note=Shorter+name").by("bob"),
        Request::patch(&path, json!({ "name": "Third" })).by("cleo"),
        Request::put(&path, json!({ "name": "Fourth" })).query("note=Nobody%20says%20who"),
        Request::restore(&path, 2).query("note=Bob%20was%20right%2C").by("dora"),
        Request::restore(&path, 1).by("emil"),
        Request::delete(&path).query("note=%C3%9Cberholt%20%F0%9F%97%91").by("fay"),
        Request::restore(&path, 6).by("gus"),
    ];
    for request in &requests {
        let answer = api.send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json().get("change"), None, "only the history shows it");
    }
    let expected = [
        json!({ "by": "ann", "note": "First draft" }),
        json!({ "by": "bob", "note": "Shorter name" }),
        json!({ "by": "cleo" }),
        json!({ "note": "Nobody says who" }),
        json!({ "by": "dora", "note": "Bob was right,", "restored": 2 }),
        json!({ "by": "emil", "restored": 1 }),
        json!({ "by": "fay", "note": "Überholt 🗑" }),
        json!({ "by": "gus", "restored": 6 }),
    ];
    let listed = api.get(&format!("{path}/versions")).await.json();
    for (version, expected) in (1..).zip(expected) {
        let answer = api.get(&format!("{path}/versions/{version}")).await;
        assert_eq!(change(&answer.json()), expected, "version {version}");
        assert_eq!(answer.json()["data"].get("change"), None);
        let entry = &listed["data"][8 - version];
        assert_eq!(entry["change"], answer.json()["change"], "version {version}");
    }
}

/// The members of an object, in the order of the text.
fn members(text: &str) -> Vec<&str> {
    ["\"success\":", "\"data\":", "\"change\":"].into_iter().filter(|member| text.contains(member)).collect()
}

#[tokio::test]
async fn the_answers_of_the_page_do_not_change() {
    let api = Api::start().await;
    let plain = api.send(&Request::create(page_request())).await;
    let noted = api.send(&Request::create(page_request()).query("note=Why").by("ann")).await;
    let without_identity = |answer: &Answer| {
        let data = answer.json()["data"].clone();
        ["_id", "createdAt", "updatedAt"]
            .iter()
            .fold(answer.text.clone(), |text, member| text.replace(data[member].as_str().unwrap(), member))
    };
    assert_eq!(without_identity(&plain), without_identity(&noted));
    assert_eq!(members(&noted.text), ["\"success\":", "\"data\":"]);
    for path in [noted.path(), format!("{}?asOf=2100-01-01T00:00:00Z", noted.path())] {
        assert_eq!(api.get(&path).await.text, noted.text);
    }
    let version = api.get(&format!("{}/versions/1", noted.path())).await.text;
    assert!(version.starts_with(noted.text.strip_suffix('}').unwrap()), "{version}");
}

#[tokio::test]
async fn a_note_is_no_part_of_the_content() {
    let api = Api::start().await;
    let create = |note: &str| Request::create(page_request()).key("key").query(note);
    let first = api.send(&create("note=One")).await;
    assert_eq!(first.status, 201);
    let replayed = api.send(&create("note=Two")).await;
    assert_eq!((replayed.status, replayed.text), (201, first.text.clone()));
    assert_eq!(replayed.headers["idempotency-replayed"], "true");

    let same = Request::put(&first.path(), json!({ "name": page_request()["name"] })).query("note=Nothing%20new");
    assert_eq!(api.send(&same).await.json()["data"]["version"], 1);
    let tried = Request::put(&first.path(), json!({ "name": "Tried" })).query("dryRun=true&note=Try");
    assert_eq!(api.send(&tried).await.json()["data"]["name"], "Tried");
    assert_eq!(api.send(&Request::create(page_request()).query("note=Try&dryRun=true")).await.status, 200);
    assert_eq!(api.engine.items().len(), 1);
    assert_eq!(api.engine.items()[0]["note"], json!({ "S": "One" }));
}

#[tokio::test]
async fn an_unusable_note_is_refused() {
    let api = Api::start().await;
    let path = api.create().await;
    let longest = "%C3%BC".repeat(200);
    let unusable = ["", "%07", "%C2%85", "a%0Ab", &format!("{longest}a")].map(|note| format!("note={note}"));
    for query in unusable.iter().map(String::as_str).chain(["note=a&note=b"]) {
        for request in [
            Request::create(page_request_with("name", json!("Another"))),
            Request::put(&path, json!({ "name": "Another" })),
            Request::patch(&path, json!({ "name": "Another" })),
            Request::delete(&path),
            Request::restore(&path, 1),
        ] {
            let answer = api.send(&request.query(query)).await;
            answer.expect(400, "INVALID_PARAMETERS");
            assert_eq!(answer.json()["details"][0]["parameter"], "note", "{query}");
        }
    }
    for read in [path.clone(), format!("{path}/versions"), format!("{path}/versions/1"), "/v2/project-flows".to_owned()]
    {
        api.get(&format!("{read}?note=a")).await.expect(400, "INVALID_PARAMETERS");
    }
    assert_eq!(api.engine.items().len(), 1);
    let noted = Request::put(&path, json!({ "name": "Another" })).query(&format!("note={longest}"));
    assert_eq!(api.send(&noted).await.status, 200);
    let version = api.get(&format!("{path}/versions/2")).await.json();
    assert_eq!(version["change"]["note"], "ü".repeat(200));
}

#[tokio::test]
async fn a_version_from_before_there_were_changes_says_nothing() {
    let api = Api::start().await;
    let path = api.create().await;
    let mut item = api.engine.items().remove(0);
    item.as_object_mut().unwrap().remove("digest");
    api.engine.put(crate::engine::TABLE, &item);

    assert_eq!(api.get(&format!("{path}/versions/1")).await.json()["change"], json!({}));
    assert_eq!(api.get(&format!("{path}/versions")).await.json()["data"][0]["change"], json!({}));
}
