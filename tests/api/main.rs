//! The function as its callers see it: events of API Gateway in, its responses out, and a real engine as the database.

// A panic is how a test fails.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]
// Tables and helpers are written to be read. Nobody waits for their copies.
#![allow(clippy::assigning_clones, clippy::needless_pass_by_value, clippy::type_complexity, clippy::unnecessary_wraps)]

mod support;

mod authors;
mod binary;
mod body;
mod caller;
mod calls;
mod change_events;
mod changes;
mod cost_of_pages;
mod costs;
mod create;
mod delete;
mod digest;
mod dry_run;
mod events;
mod faults;
mod fetched_keys;
mod four_eyes;
mod fsck;
mod history;
mod idempotency;
mod issuer;
mod json;
mod list;
mod live;
mod metrics;
mod model;
mod names;
mod openapi;
mod patch;
mod preflight;
mod projects;
mod properties;
mod race;
mod readme;
mod retrieve;
mod routes;
mod scopes;
mod secrets;
mod settings;
mod size;
mod table_restore;
mod template;
mod tenants;
mod trash;
mod update;

use network::{engine, http, proxy};
