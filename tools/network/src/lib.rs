//! What the function talks to: a real engine of `DynamoDB` in process, a network in front of it that fails on demand, and an
//! issuer of tokens. For the tests, the benchmark and `make run`.

// What is public is so for the tests, and is named after what it does.
#![allow(clippy::missing_errors_doc, clippy::missing_panics_doc)]
// A test that cannot go on has failed; nothing is gained by saying so more gently.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

pub mod engine;
pub mod http;
pub mod issuer;
pub mod proxy;
