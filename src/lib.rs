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
//! | [`operations`] | 2 and 3: one file an operation; what it reads of a request, asks of the store, and answers |
//! | [`route`], [`request`], [`query`], [`body`] | 2: the parts of a request |
//! | [`json`] | the strict reader that parsing uses |
//! | [`etag`] | entity tags, as headers have them |
//! | [`flow`] | the domain: a wrong value cannot be built |
//! | [`store`] | conditional writes and consistent reads |
//! | [`item`] | flow ⇄ item of the table |
//! | [`diff`] | what changed from one version to another |
//! | [`error`], [`problem`] | every way to fail; what is wrong with a request |
//! | [`answer`], [`reply`] | 4: answer or error → HTTP response |
//! | [`size`] | how many bytes an answer may have, and how many a text takes |
//! | [`tls`] | whom TLS trusts |
//! | [`log`] | one line a request, with its metrics |

pub mod answer;
pub mod body;
pub mod caller;
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
pub mod request;
pub mod route;
pub mod settings;
pub mod size;
pub mod store;
pub mod tls;
