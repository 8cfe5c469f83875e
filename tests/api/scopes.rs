//! What a token allows: the scope that each operation needs.

use project_flows::caller::{Authenticator, Claims, Permission, Source};
use project_flows::handler::Handler;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use project_flows::log::Log;
use project_flows::store::Store;
use serde_json::json;

use crate::engine;
use crate::support::{Api, CLIENT, JWKS, PLACE, Request, now, page_request, sdk, send, signed};

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
    let (path, active) = (api.create().await, api.create_active().await);
    let rows = [
        (Request::get("/v2/project-flows"), "flows:read"),
        (Request::get(&path), "flows:read"),
        (Request::get(&format!("{path}?asOf=2100-01-01T00:00:00Z")), "flows:read"),
        (Request::get(&format!("{path}/versions")), "flows:read"),
        (Request::get(&format!("{path}/versions/1")), "flows:read"),
        (Request::get(&format!("{path}/versions/1/diff?from=1")), "flows:read"),
        (Request::create(page_request()), "flows:write"),
        (Request::create(page_request()).query("dryRun=true"), "flows:write"),
        (Request::put(&path, json!({ "name": "Second" })), "flows:write"),
        (Request::put(&path, json!({ "name": "Third" })).query("dryRun=true"), "flows:write"),
        (Request::patch(&path, json!({ "name": "Fourth" })), "flows:write"),
        (Request::restore(&path, 1), "flows:write"),
        (Request::delete(&path), "flows:write"),
        (Request::release(&active, 2), "flows:release"),
        (Request::get(PLACE), "flows:read"),
        (Request::get(&format!("{PLACE}?asOf=2099-01-01T00:00:00Z")), "flows:read"),
        (Request::get(&format!("{PLACE}/releases")), "flows:read"),
        (Request::get("/v2/project-flows/live"), "flows:read"),
        (Request::delete(PLACE), "flows:release"),
    ];
    for (request, scope) in rows {
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
