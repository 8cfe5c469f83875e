//! Any bytes as the event: it is refused by the runtime, or answered without a server error.

#![no_main]

mod ready;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use project_flows::caller::{self, Authenticator, Claims, Source};
use project_flows::event::Event;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use project_flows::operations::Target;
use project_flows::reply::Reply;
use ready::ready;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let jwks = include_str!("../../tools/jwks.json");
    let keys = Keys::parse(jwks, Origin::Setting(SharedSecrets::Allowed), None, None).expect("usable keys");
    Authenticator::new(Source::Given(keys), Claims::default())
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Event>(bytes) else { return };
    let token = caller::token(event.headers().authorization.as_deref());
    let caller = token.and_then(|token| ready(AUTHENTICATOR.authenticate(&token))).map(|_| ());
    // What comes after the door, for events that do not get in too.
    let body = event.body();
    let parsed = Target::find(&event).and_then(|target| match target {
        Target::Operation(call) => call.parse(&event, &body).map(|_| ()),
        Target::Preflight { .. } => Ok(()),
    });
    for error in [caller, parsed].into_iter().filter_map(Result::err) {
        assert!(error.failure().status < 500, "{error:?}");
        let reply = Reply::new(Err(error), &event, event.request_id().unwrap_or("id")).0;
        let reply = serde_json::to_value(&reply).expect("a response");
        let body = reply["body"].as_str().expect("a body");
        serde_json::from_str::<serde_json::Value>(body).expect("a body of JSON");
    }
});
