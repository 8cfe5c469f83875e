//! The settings of the function in the tests.

use std::collections::BTreeMap;

use super::{ISSUER, JWKS};
use crate::engine;

/// A setting with another value, or without one.
pub type Change<'text> = (&'text str, Option<&'text str>);

/// Nobody releases what they have written.
pub const FOUR_EYES: &[Change<'_>] = &[("FOUR_EYES", Some("true"))];

/// The settings of every function, whose key is the development key.
const SETTINGS: [(&str, &str); 4] =
    [("TABLE_NAME", engine::TABLE), ("AWS_REGION", "us-east-1"), ("JWKS", JWKS), ("ALLOW_SHARED_SECRETS", "true")];

/// The settings of every function and these, then changed.
pub fn settings(more: &[(&str, &str)], changes: &[Change<'_>]) -> BTreeMap<String, String> {
    let all = SETTINGS.iter().chain(more);
    let mut settings: BTreeMap<_, _> = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (name, value) in changes {
        match value {
            Some(value) => settings.insert((*name).to_owned(), (*value).to_owned()),
            None => settings.remove(*name),
        };
    }
    settings
}

/// The keys are those of [`ISSUER`], which publishes them at `url`.
pub const fn keys_at(url: &str) -> [Change<'_>; 4] {
    [("JWKS", None), ("JWKS_URL", Some(url)), ("JWT_ISSUER", Some(ISSUER)), ("ALLOW_SHARED_SECRETS", None)]
}
