//! The environment at start-up.

use std::collections::BTreeMap;
use std::env::VarError;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use project_flows::settings::Settings;

use crate::support::JWKS;

fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::read(|name| variables.get(name).map(|value| (*value).to_owned()).ok_or(VarError::NotPresent))
}

#[test]
fn a_table_and_keys_are_enough() {
    let settings = read(&[("TABLE_NAME", "flows"), ("JWKS", JWKS), ("JWT_ISSUER", "")]).unwrap();
    assert_eq!(settings.table_name, "flows");
    assert_eq!(settings.endpoint, None);
}

#[test]
fn an_empty_endpoint_is_none() {
    let endpoint = |url| {
        let variables = [("TABLE_NAME", "flows"), ("JWKS", JWKS), ("AWS_ENDPOINT_URL_DYNAMODB", url)];
        read(&variables).unwrap().endpoint
    };
    assert_eq!(endpoint(""), None);
    assert_eq!(endpoint("http://127.0.0.1:8000").as_deref(), Some("http://127.0.0.1:8000"));
}

#[test]
fn each_setting_that_is_missing_is_named_in_a_line_of_its_own() {
    let missing = [
        "TABLE_NAME: expected the name of the table, found nothing",
        "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), found nothing",
    ];
    assert_eq!(read(&[]).unwrap_err(), missing);
    assert_eq!(read(&[("TABLE_NAME", ""), ("JWKS", "")]).unwrap_err(), missing);
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_the_reason() {
    let problems = read(&[("TABLE_NAME", "flows"), ("JWKS", r#"{"keys":[]}"#)]).unwrap_err();
    assert_eq!(problems, ["JWKS: expected at least one key that verifies signatures, found none"]);

    let problems = Settings::read(|_| Err(VarError::NotUnicode(OsString::from_vec(vec![0xff])))).unwrap_err();
    assert_eq!(problems[0], "TABLE_NAME: expected UTF-8, found other bytes");
}

#[test]
fn sam_local_is_given_the_development_keys() {
    let variables: serde_json::Value = serde_json::from_str(include_str!("../../examples/sam-local.json")).unwrap();
    let keys: serde_json::Value = serde_json::from_str(variables["Function"]["JWKS"].as_str().unwrap()).unwrap();
    assert_eq!(keys, serde_json::from_str::<serde_json::Value>(JWKS).unwrap());
}
