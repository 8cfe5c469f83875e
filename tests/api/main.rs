//! The function as its callers know it: gateway events in, gateway responses out, a real engine underneath.

// A test that cannot go on has failed; nothing is gained by saying so more gently.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod engine;
mod proxy;
mod support;

mod binary;
mod caller;
mod create;
mod events;
mod faults;
mod json;
mod settings;
