//! What a token allows: the scope that each operation needs.

use project_flows::caller::{Authenticator, Claims, Permission, Source};
use project_flows::handler::Handler;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use project_flows::log::Log;
use project_flows::store::Store;
use serde_json::json;

use crate::engine;
use crate::support::{Api, CLIENT, JWKS, Operation, Request, now, sdk, send, signed};

/// The function on the engine of `api`, with a scope for each permission.
async fn handler(api: &Api) -> Handler {
    let keys = Keys::parse(JWKS, Origin::Setting(SharedSecrets::Allowed), None, None).unwrap();
    let scopes =
        [(Permission::Read, "flows:read"), (Permission::Write, "flows:write"), (Permission::Release, "flows:release")];
    let scopes = scopes.map(|(permission, scope)| (permission, scope.to_owned())).into();
    let authenticator = Authenticator::new(Source::Given(keys), Claims { scopes, ..Claims::default() });
    let store = Store::new(&sdk(&api.engine.url).await, engine::TABLE.to_owned(), None);
    Handler::new(authenticator, store, Log { function: "f".to_owned(), write: |_| () })
}

/// An `Authorization` of [`CLIENT`] with these scopes.
fn with_scopes(scopes: &str) -> String {
    format!("Bearer {}", signed(&json!({ "clientId": CLIENT, "scope": scopes, "exp": now() + 600 })))
}

#[tokio::test]
async fn each_operation_needs_its_scope_and_no_other() {
    let api = Api::start().await;
    let handler = handler(&api).await;
    for operation in Operation::all() {
        let (request, scope) = (operation.request(), operation.scope.as_str());
        let others = ["flows:read", "flows:write", "flows:release"].into_iter().filter(|other| *other != scope);
        let others: Vec<_> = others.collect();
        for scopes in ["", &others.join(" ")] {
            let answer = send(&handler, &request.clone().header("authorization", &with_scopes(scopes)).event()).await;
            answer.expect(403, "INSUFFICIENT_SCOPE");
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(answer.headers["www-authenticate"], challenge, "{request:?}");
            assert_eq!(answer.text, r#"{"error":"Insufficient scope","message":"INSUFFICIENT_SCOPE"}"#);
        }
        let answer = send(&handler, &request.clone().header("authorization", &with_scopes(scope)).event()).await;
        assert!((200..300).contains(&answer.status), "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_told_before_the_request_is_read_but_after_the_route_is_known() {
    let api = Api::start().await;
    let handler = handler(&api).await;
    let send = |request: Request| {
        let event = request.header("authorization", &with_scopes("flows:read")).event();
        let handler = &handler;
        async move { send(handler, &event).await }
    };
    send(Request::create("not even JSON").query("%zz")).await.expect(403, "INSUFFICIENT_SCOPE");
    send(Request::of("PATCH", "/v2/project-flows")).await.expect(405, "METHOD_NOT_ALLOWED");
    send(Request::get("/nowhere")).await.expect(404, "ROUTE_NOT_FOUND");
    assert_eq!(api.engine.items().len(), 0);
}
