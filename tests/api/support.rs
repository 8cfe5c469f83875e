//! The harness: an engine with its table, the function on it, requests and answers, tokens, and what tests read from files.

mod answer;
mod api;
mod engine;
mod fsck;
mod issuer;
mod operations;
mod process;
mod request;
mod settings;
mod template;
mod token;

pub use answer::Answer;
pub use api::{Api, Options};
pub use engine::{Engine, OWN_PROJECT, PROJECTS, dynamo_db, flow_item, newest_key, sdk, stored, version_key};
pub use fsck::{build_fsck, fsck, fsck_with};
pub use issuer::{ISSUER, Issuer, Published, Signer};
pub use operations::Operation;
pub use process::Process;
pub use request::{NOWHERE, PLACE, Request, event, page_request, page_request_with, page_request_without};
pub use settings::{Change, FOUR_EYES, keys_at, settings};
pub use template::{resources, template};
pub use token::{CLIENT, JWKS, bearer, development_key, key_pair, now, signed};
