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
//! | [`caller`], [`keys`], [`issuer`] | 1: bearer token → [`caller::Caller`]; the keys that verify it, and who publishes them |
//! | [`route`], [`query`], [`body`] | 2: the parts of a request … |
//! | [`command`] | … → [`command::Command`] |
//! | [`json`] | the strict reader that parsing uses |
//! | [`etag`], [`cursor`] | entity tags and positions in a list, as headers and parameters have them |
//! | [`flow`] | the domain: a wrong value cannot be built |
//! | [`operations`] | 3: what each command asks of the store → [`operations::Outcome`] |
//! | [`store`] | conditional writes and consistent reads |
//! | [`item`] | flow ⇄ item of the table |
//! | [`diff`] | what changed from one version to another |
//! | [`error`], [`problem`] | every way to fail; what is wrong with a request |
//! | [`reply`] | 4: outcome or error → HTTP response |
//! | [`size`] | how many bytes an answer may have, and how many a text takes |
//! | [`tls`] | whom TLS trusts |
//! | [`log`] | one line a request, with its metrics |

pub mod body;
pub mod caller;
pub mod command;
pub mod cursor;
pub mod diff;
pub mod error;
pub mod etag;
pub mod event;
pub mod flow;
pub mod handler;
pub mod issuer;
pub mod item;
pub mod json;
pub mod keys;
pub mod log;
pub mod operations;
pub mod problem;
pub mod query;
pub mod reply;
pub mod route;
pub mod settings;
pub mod size;
pub mod store;
pub mod tls;
