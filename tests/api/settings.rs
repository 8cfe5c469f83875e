//! The settings in the environment, as the function reads them when it starts.

use std::collections::BTreeMap;
use std::env::VarError;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use project_flows::caller::Permission;
use project_flows::settings::{KeySource, Settings};

use crate::support::JWKS;

/// Allows the development key, which is a shared secret.
const ALLOWED: (&str, &str) = ("ALLOW_SHARED_SECRETS", "true");

fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::read(|name| variables.get(name).map(|value| (*value).to_owned()).ok_or(VarError::NotPresent))
}

#[test]
fn only_the_table_and_the_keys_are_required() {
    let settings = read(&[("TABLE_NAME", "flows"), ("JWKS", JWKS), ALLOWED, ("JWT_ISSUER", "")]).unwrap();
    assert_eq!(settings.table_name, "flows");
    assert_eq!(settings.endpoint, None);
}

#[test]
fn an_empty_endpoint_counts_as_absent() {
    let endpoint = |url| {
        let variables = [("TABLE_NAME", "flows"), ("JWKS", JWKS), ALLOWED, ("AWS_ENDPOINT_URL_DYNAMODB", url)];
        read(&variables).unwrap().endpoint
    };
    assert_eq!(endpoint(""), None);
    assert_eq!(endpoint("http://127.0.0.1:8000").as_deref(), Some("http://127.0.0.1:8000"));
}

#[test]
fn the_usual_aws_variables_are_read() {
    let needed = [("TABLE_NAME", "flows"), ("JWKS", JWKS), ALLOWED];
    let with = |more: &[(&str, &str)]| read(&[&needed[..], more].concat());
    let settings = with(&[("AWS_DEFAULT_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", "http://any")]).unwrap();
    assert_eq!((settings.region.as_deref(), settings.endpoint.as_deref()), (Some("eu-west-1"), Some("http://any")));
    assert_eq!((settings.fips, settings.dual_stack, settings.authorities), (false, false, None));
    let settings = with(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://this"),
        ("AWS_ENDPOINT_URL", "http://any"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_CA_BUNDLE", concat!(env!("CARGO_MANIFEST_DIR"), "/src/amazon-roots.pem")),
    ]);
    let settings = settings.unwrap();
    assert_eq!((settings.region.as_deref(), settings.endpoint.as_deref()), (Some("eu-central-1"), Some("http://this")));
    assert_eq!((settings.fips, settings.dual_stack), (true, true));
    assert_eq!(settings.authorities.unwrap(), include_bytes!("../../src/amazon-roots.pem"));

    let problems = with(&[("AWS_USE_FIPS_ENDPOINT", "yes"), ("AWS_CA_BUNDLE", "/nowhere.pem")]).unwrap_err();
    assert_eq!(problems[0], "AWS_USE_FIPS_ENDPOINT: expected true or false, found \"yes\"");
    assert!(problems[1].starts_with("AWS_CA_BUNDLE: /nowhere.pem: "), "{problems:?}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let problems = with(&[("AWS_CA_BUNDLE", file)]).unwrap_err();
    assert_eq!(problems, [format!("AWS_CA_BUNDLE: {file}: expected certificates in PEM, found none")]);
}

#[test]
fn each_missing_setting_is_named_in_a_line_of_its_own() {
    let missing = [
        "TABLE_NAME: expected the name of the table, found nothing",
        "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), or JWKS_URL, found nothing",
    ];
    assert_eq!(read(&[]).unwrap_err(), missing);
    assert_eq!(read(&[("TABLE_NAME", ""), ("JWKS", "")]).unwrap_err(), missing);
}

#[test]
fn an_unusable_setting_is_named_with_the_reason() {
    let problems = read(&[("TABLE_NAME", "flows"), ("JWKS", r#"{"keys":[]}"#)]).unwrap_err();
    assert_eq!(problems, ["JWKS: expected at least one key that verifies signatures, found none"]);

    let problems = Settings::read(|_| Err(VarError::NotUnicode(OsString::from_vec(vec![0xff])))).unwrap_err();
    assert_eq!(problems[0], "TABLE_NAME: expected UTF-8, found other bytes");
}

#[test]
fn the_keys_come_from_a_setting_or_from_an_address() {
    let url = ("JWKS_URL", "https://issuer.example/keys");
    let issuer = ("JWT_ISSUER", "https://issuer.example");
    let with = |more: &[(&str, &str)]| read(&[&[("TABLE_NAME", "flows")], more].concat());
    assert!(matches!(with(&[url, issuer]).unwrap().keys, KeySource::Url(found) if found == url.1));
    assert!(matches!(with(&[("JWKS", JWKS), ALLOWED, ("JWKS_URL", "")]).unwrap().keys, KeySource::Given(_)));
    let both = with(&[("JWKS", JWKS), ALLOWED, url, issuer]).unwrap_err();
    assert_eq!(both, ["JWKS: expected JWKS or JWKS_URL, found both"]);
    let alone = with(&[url]).unwrap_err();
    assert_eq!(alone, ["JWT_ISSUER: expected the issuer of the keys at JWKS_URL, found nothing"]);
    for near in ["http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]:1/keys", "HTTPS://issuer.example"]
    {
        with(&[("JWKS_URL", near), issuer]).unwrap();
    }
    for far in [
        "http://issuer.example/keys",
        "http://127.0.0.1.example/",
        "ftp://127.0.0.1/",
        "issuer.example",
        "https://",
        "a b",
    ] {
        let problems = with(&[("JWKS_URL", far), issuer]).unwrap_err();
        let expected = format!("JWKS_URL: expected an https address (http on this machine only), found {far:?}");
        assert_eq!(problems, [expected]);
    }
    let of_length = |bytes: usize| format!("https://issuer.example/{}", "x".repeat(bytes - 23));
    with(&[("JWKS_URL", &of_length(1024)), issuer]).unwrap();
    let problems = with(&[("JWKS_URL", &of_length(1025)), issuer]).unwrap_err();
    assert_eq!(problems, ["JWKS_URL: expected at most 1024 bytes, found 1025"]);
}

#[test]
fn each_unusable_key_of_the_setting_is_named_in_a_line_of_its_own() {
    let jwks = r#"{"keys":[{"kty":"foo"},{"kty":"RSA","use":"enc"}]}"#;
    let problems = read(&[("TABLE_NAME", "flows"), ("JWKS", jwks)]).unwrap_err();
    assert_eq!(
        problems,
        [
            "JWKS: keys[0]: kty: expected RSA, EC or OKP, found \"foo\"",
            "JWKS: keys[1]: use: expected sig, found \"enc\"",
        ]
    );
}

#[test]
fn claims_and_scopes_have_defaults_and_settings() {
    let with = |more: &[(&str, &str)]| read(&[&[("TABLE_NAME", "flows"), ("JWKS", JWKS), ALLOWED], more].concat());
    let claims = with(&[("READ_SCOPE", ""), ("AUTHOR_CLAIM", "")]).unwrap().claims;
    let names = [claims.client, claims.author, claims.scope];
    assert_eq!((names, claims.scopes), (["clientId", "sub", "scope"].map(str::to_owned), vec![]));
    let set = [
        ("CLIENT_CLAIM", "a"),
        ("AUTHOR_CLAIM", "b"),
        ("SCOPE_CLAIM", "c"),
        ("READ_SCOPE", "r:1"),
        ("WRITE_SCOPE", "w"),
        ("RELEASE_SCOPE", "x"),
        ("FOUR_EYES", "true"),
    ];
    let claims = with(&set).unwrap().claims;
    assert_eq!([claims.client, claims.author, claims.scope], ["a", "b", "c"].map(str::to_owned));
    let scopes = [(Permission::Read, "r:1"), (Permission::Write, "w"), (Permission::Release, "x")];
    assert_eq!((claims.scopes, claims.four_eyes), (scopes.map(|(of, scope)| (of, scope.to_owned())).into(), true));
    for off in ["", "false"] {
        assert!(!with(&[("FOUR_EYES", off)]).unwrap().claims.four_eyes);
    }
    let problems = with(&[("FOUR_EYES", "yes")]).unwrap_err();
    assert_eq!(problems, ["FOUR_EYES: expected true or false, found \"yes\""]);
    for malformed in ["a b", "a\"", "a\\", "ä"] {
        let problems = with(&[("WRITE_SCOPE", malformed)]).unwrap_err();
        let expected = format!("WRITE_SCOPE: expected one scope, visible ASCII without quotes, found {malformed:?}");
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn a_shared_secret_among_the_keys_is_refused_unless_a_setting_allows_it() {
    let with = |allow| read(&[("TABLE_NAME", "flows"), ("JWKS", JWKS), ("ALLOW_SHARED_SECRETS", allow)]);
    with("true").unwrap();
    let refused = "JWKS: keys[0] (kid \"development\"): expected a public key, found a secret (\"oct\"): whoever may read the function's \
                   configuration could sign tokens with it; ALLOW_SHARED_SECRETS=true takes it, for development";
    for refusing in ["", "false"] {
        assert_eq!(with(refusing).unwrap_err(), [refused], "{refusing}");
    }
    assert_eq!(read(&[("TABLE_NAME", "flows"), ("JWKS", JWKS)]).unwrap_err(), [refused]);
    for neither in ["yes", "1", "TRUE", "true "] {
        let expected = format!("ALLOW_SHARED_SECRETS: expected true or false, found {neither:?}");
        assert_eq!(with(neither).unwrap_err(), [expected.as_str(), refused]);
    }
}

#[test]
fn sam_local_gets_the_development_keys() {
    let variables: serde_json::Value = serde_json::from_str(include_str!("../../tools/sam-local.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_str(variables["Function"]["JWKS"].as_str().unwrap()).unwrap();
    assert_eq!(keys, serde_json::from_str::<serde_json::Value>(JWKS).unwrap());
    let (name, value) = ALLOWED;
    assert_eq!(variables["Function"][name], value);
}
