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
/// What a function needs beside its keys.
const NEEDED: [(&str, &str); 2] = [("TABLE_NAME", "flows"), ("AWS_REGION", "eu-central-1")];

fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::read(|name| variables.get(name).map(|value| (*value).to_owned()).ok_or(VarError::NotPresent))
}

/// Reads these variables beside those that are needed, which they may replace.
fn read_with(more: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    read(&[&NEEDED[..], &[("JWKS", JWKS), ALLOWED], more].concat())
}

#[test]
fn only_the_table_its_region_and_the_keys_are_required() {
    let settings = read_with(&[("JWT_ISSUER", "")]).unwrap();
    assert_eq!((settings.table_name.as_str(), settings.region.as_str()), ("flows", "eu-central-1"));
    assert_eq!((settings.endpoint, settings.issuer, settings.authorities), (None, None, None));
    assert_eq!((settings.fips, settings.dual_stack, settings.concurrent), (false, false, false));
}

#[test]
fn the_usual_aws_variables_are_read() {
    let settings = read_with(&[
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_CA_BUNDLE", concat!(env!("CARGO_MANIFEST_DIR"), "/src/amazon-roots.pem")),
    ]);
    let settings = settings.unwrap();
    assert_eq!((settings.fips, settings.dual_stack), (true, true));
    assert_eq!(settings.authorities.unwrap(), include_bytes!("../../src/amazon-roots.pem"));

    let problems = read_with(&[("AWS_USE_FIPS_ENDPOINT", "yes"), ("AWS_CA_BUNDLE", "/nowhere.pem")]).unwrap_err();
    assert_eq!(problems[0], "AWS_USE_FIPS_ENDPOINT: expected true or false, found \"yes\"");
    assert!(problems[1].starts_with("AWS_CA_BUNDLE: /nowhere.pem: "), "{problems:?}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let problems = read_with(&[("AWS_CA_BUNDLE", file)]).unwrap_err();
    assert_eq!(problems, [format!("AWS_CA_BUNDLE: {file}: expected certificates in PEM, found none")]);
}

/// With another region, no request has an address, or the signature of each is refused.
#[test]
fn the_region_is_one() {
    let region = |own: &str, default: &str| {
        let settings = read_with(&[("AWS_REGION", own), ("AWS_DEFAULT_REGION", default)]);
        settings.map(|settings| settings.region)
    };
    for (own, default, expected) in [
        ("us-gov-west-1", "", "us-gov-west-1"),
        ("", "eu-west-1", "eu-west-1"),
        ("eu-central-1", "eu-west-1", "eu-central-1"),
        ("eu-central-1", "not read, because the other is set", "eu-central-1"),
        ("local", "", "local"),
    ] {
        assert_eq!(region(own, default).unwrap(), expected, "{own:?}, {default:?}");
    }
    assert_eq!(
        region("", ""),
        Err(vec!["AWS_REGION: expected a region, such as eu-central-1, found nothing".to_owned()])
    );
    let long = "a".repeat(64);
    for unusable in
        [" ", "eu central 1", "eu-central-1 ", "EU-CENTRAL-1", "eu_central_1", "eu.central", "-a", "a-", &long]
    {
        for (name, [own, default]) in [("AWS_REGION", [unusable, "a"]), ("AWS_DEFAULT_REGION", ["", unusable])] {
            let expected = format!("{name}: expected a region, such as eu-central-1, found {unusable:?}");
            assert_eq!(region(own, default), Err(vec![expected]));
        }
    }
}

/// With another address, no request reaches the table, or the SDK ignores a part of it.
#[test]
fn an_endpoint_is_an_address() {
    let endpoint = |own: &str, any: &str| {
        let settings = read_with(&[("AWS_ENDPOINT_URL_DYNAMODB", own), ("AWS_ENDPOINT_URL", any)]);
        settings.map(|settings| settings.endpoint)
    };
    assert_eq!(endpoint("", ""), Ok(None));
    assert_eq!(endpoint("http://this", "not read, because the other is set"), Ok(Some("http://this".to_owned())));
    for usable in [
        "http://any",
        "http://127.0.0.1:8000",
        "http://database:8000/",
        "https://[::1]:8000",
        "HTTPS://vpce-1-a.dynamodb.us-east-1.vpce.amazonaws.com",
        "https://gateway.example/dynamodb",
    ] {
        assert_eq!(endpoint(usable, ""), Ok(Some(usable.to_owned())));
        assert_eq!(endpoint("", usable), Ok(Some(usable.to_owned())));
    }
    for (unusable, why) in [
        (" ", "nothing but white space"),
        (" http://database", "white space before it"),
        ("http://data base", "white space within"),
        ("database", "no scheme"),
        ("localhost:8000", "no scheme: the host looks like one"),
        ("127.0.0.1:8000", "no scheme"),
        ("//database", "no scheme"),
        ("/database", "a path alone"),
        ("ftp://database", "another scheme"),
        ("http:database", "no authority"),
        ("http://", "no host"),
        ("http://:8000", "no host"),
        ("http://database:", "no port after the colon"),
        ("http://database:99999", "no such port"),
        ("http://database:port", "no number"),
        ("http://user@database", "a user"),
        ("https://user:secret@database:8000", "a user with a password"),
        ("http://database?a=b", "a query"),
        ("http://database/#a", "a fragment"),
    ] {
        for (name, [own, any]) in
            [("AWS_ENDPOINT_URL_DYNAMODB", [unusable, "http://any"]), ("AWS_ENDPOINT_URL", ["", unusable])]
        {
            let expected = format!("{name}: expected an address such as http://127.0.0.1:8000, found {unusable:?}");
            assert_eq!(endpoint(own, any), Err(vec![expected]), "{why}");
        }
    }
}

/// With both, the SDK refuses each request.
#[test]
fn an_endpoint_of_ones_own_excludes_those_of_the_region() {
    for name in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
        let problems = read_with(&[("AWS_ENDPOINT_URL", "http://any"), (name, "true")]).unwrap_err();
        assert_eq!(problems, [format!("{name}: expected false beside the address of an endpoint, found true")]);
        read_with(&[("AWS_ENDPOINT_URL", "http://any"), (name, "false")]).unwrap();
    }
}

#[test]
fn a_table_has_a_name_or_an_arn() {
    let longest = "a".repeat(255);
    for usable in ["abc", &longest, "A_b-c.9", "arn:aws:dynamodb:eu-central-1:123456789012:table/flows"] {
        for name in ["TABLE_NAME", "PROJECTS_TABLE"] {
            read_with(&[(name, usable)]).unwrap();
        }
    }
    let too_long = "a".repeat(256);
    for unusable in
        [" ", "ab", &too_long, "my table", "flows ", "flöws", "flows/index", "arn:aws:dynamodb: :table/flows"]
    {
        for name in ["TABLE_NAME", "PROJECTS_TABLE"] {
            let expected = format!("{name}: expected the name of a table, found {unusable:?}");
            assert_eq!(read_with(&[(name, unusable)]).unwrap_err(), [expected]);
        }
    }
}

/// With white space around it, no token has such a claim.
#[test]
fn a_text_has_no_white_space_around_it() {
    for name in ["JWT_ISSUER", "JWT_AUDIENCE", "CLIENT_CLAIM", "AUTHOR_CLAIM", "SCOPE_CLAIM"] {
        for unusable in [" ", "a ", "\ta", "a\n"] {
            let expected = format!("{name}: expected a text without white space around it, found {unusable:?}");
            assert_eq!(read_with(&[(name, unusable)]).unwrap_err(), [expected]);
        }
        read_with(&[(name, "a b")]).unwrap();
    }
    read_with(&[("JWKS", &format!(" {JWKS}\n"))]).unwrap();
}

#[test]
fn each_missing_setting_is_named_in_a_line_of_its_own() {
    let missing = [
        "TABLE_NAME: expected the name of a table, found nothing",
        "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), or JWKS_URL, found nothing",
        "AWS_REGION: expected a region, such as eu-central-1, found nothing",
    ];
    assert_eq!(read(&[]).unwrap_err(), missing);
    assert_eq!(read(&[("TABLE_NAME", ""), ("JWKS", "")]).unwrap_err(), missing);
}

#[test]
fn an_unusable_setting_is_named_with_the_reason() {
    let problems = read_with(&[("JWKS", r#"{"keys":[]}"#)]).unwrap_err();
    assert_eq!(problems, ["JWKS: expected at least one key that verifies signatures, found none"]);

    let problems = Settings::read(|_| Err(VarError::NotUnicode(OsString::from_vec(vec![0xff])))).unwrap_err();
    assert_eq!(problems[0], "TABLE_NAME: expected UTF-8, found other bytes");
}

#[test]
fn the_keys_come_from_a_setting_or_from_an_address() {
    let url = ("JWKS_URL", "https://issuer.example/keys");
    let issuer = ("JWT_ISSUER", "https://issuer.example");
    let with = |more: &[(&str, &str)]| read(&[&NEEDED[..], more].concat());
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
    let problems = read_with(&[("JWKS", jwks)]).unwrap_err();
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
    let claims = read_with(&[("READ_SCOPE", ""), ("AUTHOR_CLAIM", "")]).unwrap().claims;
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
    let claims = read_with(&set).unwrap().claims;
    assert_eq!([claims.client, claims.author, claims.scope], ["a", "b", "c"].map(str::to_owned));
    let scopes = [(Permission::Read, "r:1"), (Permission::Write, "w"), (Permission::Release, "x")];
    assert_eq!((claims.scopes, claims.four_eyes), (scopes.map(|(of, scope)| (of, scope.to_owned())).into(), true));
    for off in ["", "false"] {
        assert!(!read_with(&[("FOUR_EYES", off)]).unwrap().claims.four_eyes);
    }
    let problems = read_with(&[("FOUR_EYES", "yes")]).unwrap_err();
    assert_eq!(problems, ["FOUR_EYES: expected true or false, found \"yes\""]);
    for malformed in ["a b", "a\"", "a\\", "ä"] {
        let problems = read_with(&[("WRITE_SCOPE", malformed)]).unwrap_err();
        let expected = format!("WRITE_SCOPE: expected one scope, visible ASCII without quotes, found {malformed:?}");
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn a_shared_secret_among_the_keys_is_refused_unless_a_setting_allows_it() {
    let with = |allow| read_with(&[("ALLOW_SHARED_SECRETS", allow)]);
    with("true").unwrap();
    let refused = "JWKS: keys[0] (kid \"development\"): expected a public key, found a secret (\"oct\"): whoever may read the function's \
                   configuration could sign tokens with it; ALLOW_SHARED_SECRETS=true takes it, for development";
    for refusing in ["", "false"] {
        assert_eq!(with(refusing).unwrap_err(), [refused], "{refusing}");
    }
    assert_eq!(read(&[&NEEDED[..], &[("JWKS", JWKS)]].concat()).unwrap_err(), [refused]);
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
