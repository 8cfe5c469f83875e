//! Any bytes as a token: without the key, none is taken; with the key, only one that names a client.

#![no_main]

mod ready;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use libfuzzer_sys::fuzz_target;
use project_flows::caller::{self, Authenticator, Caller, Claims, Source};
use project_flows::error::Error;
use project_flows::keys::{Keys, Origin, SharedSecrets};
use ready::ready;
use std::sync::LazyLock;

const SECRET: &[u8] = b"not the key of any token in the seeds, and long enough";

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"k","alg":"HS256","k":"{secret}"}}]}}"#);
    let keys = Keys::parse(&jwks, Origin::Setting(SharedSecrets::Allowed), None, None).expect("usable keys");
    Authenticator::new(Source::Given(keys), Claims::default())
});

fn authenticate(authorization: &str) -> Result<Caller, Error> {
    ready(AUTHENTICATOR.authenticate(&caller::token(Some(authorization))?))
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    assert!(authenticate(&text).is_err());
    assert!(authenticate(&format!("Bearer {text}")).is_err());

    // Header and claims, a line feed between them, signed with the key.
    let Some((header, claims)) = text.split_once('\n') else { return };
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a signature");
    if let Ok(caller) = authenticate(&format!("Bearer {message}.{signature}")) {
        let claims: serde_json::Value = serde_json::from_str(claims).expect("JSON");
        assert_eq!(claims["clientId"].as_str(), Some(caller.client.as_str()));
        assert!(claims["exp"].is_number());
        let header: serde_json::Value = serde_json::from_str(header).expect("JSON");
        assert_eq!(header.get("crit"), None);
    }
});
