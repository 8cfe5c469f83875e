//! What a token allows: the scope that each operation needs.

use serde_json::json;

use crate::support::{Api, CLIENT, Change, Operation, Options, Request, now, signed};

/// A scope for each permission.
const SCOPES: &[Change<'_>] = &[
    ("READ_SCOPE", Some("flows:read")),
    ("WRITE_SCOPE", Some("flows:write")),
    ("RELEASE_SCOPE", Some("flows:release")),
];

/// An `Authorization` of [`CLIENT`] with these scopes.
fn with_scopes(scopes: &str) -> String {
    format!("Bearer {}", signed(&json!({ "clientId": CLIENT, "scope": scopes, "exp": now() + 600 })))
}

#[tokio::test]
async fn each_operation_needs_its_scope_and_no_other() {
    let api = Api::with(Options { settings: SCOPES, ..Options::default() }).await;
    for operation in Operation::all() {
        let (request, scope) = (operation.request(), operation.scope.as_str());
        let others = ["flows:read", "flows:write", "flows:release"].into_iter().filter(|other| *other != scope);
        let others: Vec<_> = others.collect();
        for scopes in ["", &others.join(" ")] {
            let answer = api.send(&request.clone().header("authorization", &with_scopes(scopes))).await;
            answer.expect(403, "INSUFFICIENT_SCOPE");
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(answer.headers["www-authenticate"], challenge, "{request:?}");
            assert_eq!(answer.text, r#"{"error":"Insufficient scope","message":"INSUFFICIENT_SCOPE"}"#);
        }
        let answer = api.send(&request.clone().header("authorization", &with_scopes(scope))).await;
        assert!((200..300).contains(&answer.status), "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_told_before_the_request_is_read_but_after_the_route_is_known() {
    let api = Api::with(Options { settings: SCOPES, ..Options::default() }).await;
    let send = |request: Request| api.send(&request.header("authorization", &with_scopes("flows:read")));
    send(Request::create("not even JSON").query("%zz")).await.expect(403, "INSUFFICIENT_SCOPE");
    send(Request::of("PATCH", "/v2/project-flows")).await.expect(405, "METHOD_NOT_ALLOWED");
    send(Request::get("/nowhere")).await.expect(404, "ROUTE_NOT_FOUND");
    assert_eq!(api.engine.items().len(), 0);
}
