//! The function as its callers know it: gateway events in, gateway responses out, a real engine underneath.

// A test that cannot go on has failed; nothing is gained by saying so more gently.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]
// Tables and helpers are written to be read; what they copy is no matter.
#![allow(clippy::assigning_clones, clippy::needless_pass_by_value, clippy::type_complexity, clippy::unnecessary_wraps)]

mod support;

mod binary;
mod caller;
mod calls;
mod changes;
mod cost_of_pages;
mod costs;
mod create;
mod delete;
mod events;
mod faults;
mod fsck;
mod history;
mod idempotency;
mod json;
mod list;
mod metrics;
mod model;
mod openapi;
mod preflight;
mod projects;
mod properties;
mod race;
mod retrieve;
mod secrets;
mod settings;
mod size;
mod table_restore;
mod template;
mod tenants;
mod update;

use network::{engine, http, proxy};
