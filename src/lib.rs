//! Project flows on AWS Lambda and DynamoDB: which checks a person passes at login or onboarding.
//!
//! One way through the code, in this order, and one module for each station:
//!
//! ```text
//! event → authenticate → parse → store → envelope
//! ```
//!
//! | module | station |
//! |---|---|
//! | [`settings`] | the environment, read once at start-up |
//! | [`handler`] | the whole way on one screen |
//! | [`event`] | 0: what API Gateway hands over, whatever it looks like → [`event::Event`] |
//! | [`caller`] | 1: bearer token → [`caller::Caller`] |
//! | [`command`] | 2: method, path, query and body → [`command::Command`] |
//! | [`json`] | the strict reader that parsing uses |
//! | [`etag`], [`cursor`] | entity tags and positions in a list, as headers and parameters have them |
//! | [`flow`] | the domain: a wrong value cannot be built; [`flow::content`] has the rules for what is sent, [`flow::update`] for what is changed |
//! | [`diff`] | what changed from one version to another |
//! | [`store`] | 3: conditional writes and consistent reads |
//! | [`item`] | flow ⇄ item of the table |
//! | [`error`] | every way to fail |
//! | [`size`] | how many bytes an answer may have, and how many a text takes |
//! | [`reply`] | 4: outcome or error → HTTP response |
//! | [`log`] | one line a request, with its metrics |

pub mod caller;
pub mod command;
pub mod cursor;
pub mod diff;
pub mod error;
pub mod etag;
pub mod event;
pub mod flow;
pub mod handler;
pub mod item;
pub mod json;
pub mod log;
pub mod reply;
pub mod settings;
pub mod size;
pub mod store;
