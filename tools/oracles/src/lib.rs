//! What the tests judge the function by: schemas, generated input, a model.
//!
//! A crate of its own, because the features that dev-dependencies ask for count in builds of tests alone: the AWS SDK would
//! be compiled once for `make run`, and once more for the tests.

pub use bumpalo;
pub use json_patch;
pub use jsonata_rs;
pub use jsonschema;
pub use proptest;
pub use stateright;
