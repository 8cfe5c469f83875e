//! No line of the log contains data of tokens, bodies, keys, stored items or messages of the database. An answer contains
//! only data that the request names or the flow has.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::engine;
use crate::proxy::{Fault, Loss, Proxy, When};
use crate::support::{
    Answer, CLIENT, Engine, JWKS, Operation, Process, Request, newest_key, now, page_request, page_request_with, signed,
};

/// A word that occurs nowhere else.
const CANARY: &str = "canary7f3a";

/// The path of the flow that the test creates, with FLOW in place of its id.
const FLOW: &str = "/v2/project-flows/FLOW";

/// An `Authorization` with this header and these claims, and with a wrong signature.
fn forged(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("Bearer {}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(CANARY))
}

/// Requests with the word wherever a caller can put one.
fn requests() -> Vec<Request> {
    let token = signed(&json!({ "clientId": CLIENT, "sub": CANARY, "exp": now() + 600, "secret": CANARY }));
    let request = |body: Value| Request::create(body).header("authorization", &format!("Bearer {token}"));
    let page = || request(page_request());
    let mut requests = vec![
        page(),
        page().header("authorization", &format!("Bearer {CANARY}")),
        page().header("authorization", CANARY),
        page().header("authorization", &format!("Bearer {token}{CANARY}")),
        page().header(
            "authorization",
            &format!("Bearer {}", signed(&json!({ "clientId": format!("{CANARY} "), "exp": 1 }))),
        ),
        page().header("authorization", &forged(&json!({ "alg": CANARY, "kid": "development" }), &json!({}))),
        page().header(
            "authorization",
            &forged(&json!({ "alg": "HS256", "kid": "development", "typ": [CANARY] }), &json!({})),
        ),
        page().header("authorization", &format!("Bearer {}", signed(&json!({ "exp": CANARY })))),
        page().header("authorization", &format!("Bearer {}", signed(&json!([CANARY])))),
        page().header(
            "authorization",
            &format!("Bearer {}", signed(&json!({ "clientId": CLIENT, "sub": [CANARY], "exp": now() + 600 }))),
        ),
        page().query(&format!("note={CANARY}")),
        page().query(&format!("note={CANARY}%0A")),
        page().header("content-type", CANARY),
        page().header("content-encoding", CANARY),
        page().query(&format!("{CANARY}=true")),
        page().query(&format!("dryRun={CANARY}")),
        page().key(&format!("{CANARY} {CANARY}")),
        page().key(CANARY),
        page().key(CANARY),
        request(page_request_with("name", json!(CANARY))).key(CANARY),
        request(page_request_with("name", json!(CANARY))),
        request(page_request_with("configuration", json!({ CANARY: CANARY }))),
        request(page_request_with("description", json!(CANARY))),
        request(page_request_with("type", json!(CANARY))),
        request(page_request_with("project", json!(format!("{CANARY} ")))),
        request(page_request_with("steps", json!([{ "stepType": CANARY, CANARY: 1 }]))),
        request(page_request_with(CANARY, json!(CANARY))),
        Request { body: Some(format!("{{\"a\": \"{CANARY}")), ..page() },
        Request { body: Some(format!("{{\"{CANARY}\": 1, \"{CANARY}\": 2}}")), ..page() },
        Request { base64: true, body: Some(format!("%{CANARY}")), ..page() },
    ];
    requests.extend(Operation::all().iter().map(|operation| {
        let request = operation.request().header("authorization", &format!("Bearer {token}"));
        let query = format!("{CANARY}=1&{}", request.query);
        request.query(&query).header("if-none-match", CANARY)
    }));
    for path in ["/v2/canary7f3a", "/canary7f3a/v2/project-flows"] {
        requests.push(Request { path: path.to_owned(), ..page() });
    }
    requests.push(Request { method: CANARY.to_owned(), ..page() });
    let put = |body: Value| Request { method: "PUT".to_owned(), path: FLOW.to_owned(), ..request(body) };
    let patch = |body: Value| {
        let media_type = "application/merge-patch+json";
        Request { method: "PATCH".to_owned(), ..put(body) }.header("content-type", media_type)
    };
    let get = |path: &str, query: &str| {
        let request = page().query(query).without("content-type");
        Request { method: "GET".to_owned(), path: path.to_owned(), body: None, ..request }
    };
    requests.extend([
        put(json!({ "name": CANARY, "version": 7 })),
        put(json!({ "status": CANARY, "version": CANARY, "client": CANARY, "configuration": CANARY })),
        put(json!({})).header("if-match", &format!("\"{CANARY}\"")),
        put(json!({})).header("if-match", CANARY),
        patch(json!({ "configuration": { "securityThresholds": { CANARY: CANARY } } })),
        patch(json!({ "configuration": CANARY, CANARY: null })),
        patch(json!({})).header("content-type", CANARY),
        get(FLOW, "").header("if-none-match", CANARY),
        get(FLOW, &format!("asOf={CANARY}")),
        get("/v2/project-flows", &format!("cursor={CANARY}")),
        get("/v2/project-flows", &format!("type={CANARY}")),
        get(&format!("/v2/project-flows/{CANARY}"), ""),
        get(&format!("{FLOW}/versions/{CANARY}"), ""),
        get(&format!("{FLOW}/versions/1/diff"), &format!("from={CANARY}")),
        get(&format!("/v2/project-flows/live/{CANARY}/{CANARY}"), ""),
        get(&format!("/v2/project-flows/live/{CANARY}%20/login"), ""),
        get("/v2/project-flows/live", &format!("cursor={CANARY}")),
        get("/v2/project-flows/live/p/login", &format!("asOf={CANARY}")),
        get("/v2/project-flows/live/p/login/releases", &format!("cursor={CANARY}")),
        Request {
            path: "/v2/project-flows/live/p/login".to_owned(),
            ..put(json!({ "_id": CANARY, "version": CANARY, CANARY: CANARY }))
        },
        // From here on the flow has the word, so an answer may show it.
        put(json!({ "name": CANARY })),
        patch(json!({ "configuration": { CANARY: { CANARY: CANARY } } })),
    ]);
    requests
}

#[tokio::test]
async fn no_secret_is_in_the_log_or_in_an_answer_that_need_not_show_it() {
    let engine = Engine::start().await;
    let proxy = Proxy::start(&engine.url).await;
    let mut process = Process::start(&proxy.url).await;
    let mut lines = 0;

    let stored = Request::create(page_request()).key("stored");
    let id = process.send(&stored).await.id();
    lines += 1;
    for mut request in requests() {
        request.path = request.path.replace("FLOW", &id);
        let (kind, answer) = process.invoke(&request.event().to_string()).await;
        assert_eq!(kind, "response");
        lines += 1;
        // Problems name the members and the query parameters that they are about.
        let names_it = request.query.starts_with(CANARY);
        let must_show = names_it || request.body.as_ref().is_some_and(|body| body.contains(CANARY));
        assert!(must_show || !answer.contains(CANARY), "{answer}");
    }
    // The stored flow becomes unreadable, and the messages of the database have the word.
    let mut item = engine.item(&newest_key(&id));
    item["name"]["S"] = json!(CANARY);
    item["steps"]["S"] = json!(format!("{{{CANARY}"));
    engine.put(engine::TABLE, &item);
    let faults = [
        Fault::None,
        Fault::Error(400, "ValidationException", CANARY),
        Fault::Error(400, "AccessDeniedException", CANARY),
        Fault::Error(400, "ThrottlingException", CANARY),
        Fault::Error(500, "InternalServerError", CANARY),
        Fault::Lost(When::AfterCommit, Loss::Garbage),
        Fault::Lost(When::AfterCommit, Loss::Close),
        Fault::Lost(When::AfterCommit, Loss::Cut),
    ];
    lines += faults.len();
    for fault in faults {
        proxy.heal();
        proxy.fail("PutItem", &vec![fault.clone(); 3]);
        let (_, answer) = process.invoke(&stored.event().to_string()).await;
        assert!(Answer::read(&answer, true).status >= 500, "{fault:?}: {answer}");
        assert!(!answer.contains(CANARY), "{fault:?}: {answer}");
    }

    assert_eq!(process.log(lines).await.len(), lines, "one line a request");
    let output = process.output();
    let secret = serde_json::from_str::<Value>(JWKS).unwrap()["keys"][0]["k"].as_str().unwrap().to_owned();
    for word in [CANARY, &secret, "AWS_SECRET", "Bearer"] {
        assert!(!output.contains(word), "{word} is in the log: {output}");
    }
}
