//! The item of the keys that an issuer publishes.

use super::{Item, key};

/// The key of the JWK Set that was fetched from `url`. It is in no tenant's partition.
pub fn keys_key(url: &str) -> Item {
    key(KEYS_PARTITION.to_owned(), url.to_owned())
}

/// The partition of what issuers publish.
pub const KEYS_PARTITION: &str = "KEYS";
/// The text of a JWK Set.
pub const JWKS: &str = "jwks";
/// When it was fetched, in milliseconds since 1970.
pub const FETCHED_AT: &str = "fetchedAt";
/// When a process last set out to fetch it, in milliseconds since 1970.
pub const TRIED_AT: &str = "triedAt";
