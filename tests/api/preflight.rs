//! `OPTIONS`: the preflight, which a browser sends before a script's request.

use std::collections::BTreeMap;

use project_flows::operations::routes;

use crate::support::{Api, Engine, Operation, Process, Request, event, page_request};

/// Every path with its methods, in the order of the routes.
fn paths() -> BTreeMap<String, String> {
    let mut paths = BTreeMap::<String, Vec<String>>::new();
    let table = Operation::all();
    for route in routes().map(ToString::to_string) {
        assert!(table.iter().any(|operation| operation.route == route), "{route} is not in the table of operations");
        let (method, path) = route.split_once(' ').unwrap();
        paths.entry(path.to_owned()).or_default().push(method.to_owned());
    }
    for operation in table {
        let (method, path) = operation.route.split_once(' ').unwrap();
        assert!(paths[path].contains(&method.to_owned()), "{} is not a route", operation.route);
    }
    paths.into_iter().map(|(path, methods)| (path, format!("{}, OPTIONS", methods.join(", ")))).collect()
}

/// The preflight of a request with this method by a script of `console.example.com`.
fn preflight(path: &str, method: &str) -> Request {
    Request::of("OPTIONS", path)
        .without("authorization")
        .header("origin", "https://console.example.com")
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type")
}

#[tokio::test]
async fn every_path_names_its_methods_and_asks_for_no_token() {
    let api = Api::start().await;
    for (path, allow) in paths() {
        // The flow need not exist, and a base path makes no difference.
        let path = path.replace("{id}", "x").replace("{version}", "0");
        for base in ["", "/prod", "/v2/project-flows"] {
            let answer = api.send(&preflight(&format!("{base}{path}"), "GET")).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{base}{path}");
            assert_eq!(answer.headers["allow"], allow, "{base}{path}");
            answer.expect_headers();
        }
        let refused = api.send(&Request::of("TRACE", &path)).await;
        refused.expect(405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.headers["allow"], allow, "{path}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_whatever_else_it_contains() {
    let api = Api::start().await;
    let options = || preflight("/v2/project-flows", "POST");
    let rows = [
        (options().header("authorization", "Bearer nonsense"), "a bad token"),
        (Request::of("OPTIONS", "/v2/project-flows"), "a good token"),
        (options().query("%zz"), "a malformed query"),
        (Request { body: Some("{".to_owned()), ..options() }, "a malformed body"),
    ];
    for (request, why) in rows {
        let answer = api.send(&request).await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{why}");
    }
    assert_eq!(api.engine.items().len(), 0);
}

#[tokio::test]
async fn a_preflight_of_an_unknown_path_gets_the_answers_of_other_methods() {
    let api = Api::start().await;
    for path in ["/", "/v2/project-flows/", "/v2/project-flows/x/y", "/v2/project-flows/a%20b"] {
        api.send(&preflight(path, "GET")).await.expect(401, "MISSING_TOKEN");
        api.send(&Request::of("OPTIONS", path)).await.expect(404, "ROUTE_NOT_FOUND");
    }
}

/// Unless the status of this answer is ok, the request is never sent ("CORS-preflight fetch" in the Fetch Standard).
#[tokio::test]
async fn the_answer_to_a_preflight_lets_a_browser_send_the_request() {
    let api = Api::start().await;
    let path = api.create().await;
    for (name, request) in [("preflight", Request::get(&path)), ("preflight-rest-api", Request::create(page_request()))]
    {
        let event = event(name);
        let headers = event["headers"].as_object().unwrap();
        let header = |name| headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        assert_eq!(header("authorization"), None, "a browser sends none");
        assert!(header("origin").is_some());
        let asked = header("access-control-request-method").unwrap().as_str().unwrap();

        let answer = api.send_event(&event).await;

        assert!((200..300).contains(&answer.status), "{name}: {answer:?}");
        assert!(answer.headers["allow"].split(", ").any(|method| method == asked), "{name}: {answer:?}");
        assert_eq!(asked, request.method);
        let answer = api.send(&request.header("origin", "https://console.example.com")).await;
        assert!((200..300).contains(&answer.status), "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn the_log_line_of_a_preflight_has_a_route_and_no_client() {
    let engine = Engine::start().await;
    let mut process = Process::start(&engine.url).await;

    let answer = process.send(&preflight("/v2/project-flows/x", "PUT")).await;

    assert_eq!(answer.status, 204);
    let lines = process.log(1).await;
    assert_eq!(lines[0]["http.route"], "OPTIONS /v2/project-flows/{id}");
    assert_eq!(lines[0]["http.status"], 204);
    for absent in ["client", "code", "cause", "flow.id"] {
        assert_eq!(lines[0].get(absent), None);
    }
}
