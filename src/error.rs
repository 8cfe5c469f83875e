//! Every way to fail, and what the answer to each says: one arm each.
//!
//! What an operator needs beside the answer is the [`Cause`], which goes to the log only. Turning a [`Failure`] into a
//! response is left to [`crate::reply`].

use std::borrow::Cow;
use std::fmt;

use crate::body::MediaType;
use crate::problem::{Code, Problem, Problems};

/// Why something failed inside: for the log, never for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// A cause in words that carry nothing a user sent or stored.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A request that was not carried out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    MissingToken,
    /// A token that proves nothing.
    InvalidToken(Cause),
    /// The token does not allow the operation; it would with this scope.
    InsufficientScope {
        scope: String,
    },
    RouteNotFound,
    /// The path has operations, but not with this method.
    MethodNotAllowed {
        allow: String,
    },
    /// The caller's client has no such flow, or no such version of it.
    ProjectFlowNotFound,
    /// The caller's client has nothing live in this place.
    NoLiveFlow,
    /// The request breaks the contract, or does not fit the flow as it is.
    Invalid(Problems),
    /// The database cannot carry it out now, and nothing was written.
    TemporarilyUnavailable(Cause),
    /// The write may or may not have happened.
    OutcomeUnknown(Cause),
    Internal(Cause),
}

/// What the answer to an error says.
#[derive(Debug)]
pub struct Failure<'error> {
    pub status: u16,
    /// The code: the answer's `message`.
    pub code: &'static str,
    /// The title: the answer's `error`.
    pub title: &'static str,
    /// A header of its own.
    pub header: Option<(&'static str, Cow<'error, str>)>,
    /// What was expected and found, where the title does not say it all.
    pub details: Vec<Cow<'error, Problem>>,
}

impl<'error> Failure<'error> {
    const fn new(status: u16, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title, header: None, details: Vec::new() }
    }

    fn with(self, name: &'static str, value: impl Into<Cow<'error, str>>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }
}

impl Error {
    pub fn failure(&self) -> Failure<'_> {
        match self {
            // RFC 6750, 3: a challenge without an error where there was no token.
            Self::MissingToken => {
                Failure::new(401, "MISSING_TOKEN", "Missing token").with("WWW-Authenticate", "Bearer")
            }
            Self::InvalidToken(_) => Failure::new(401, "INVALID_TOKEN", "Invalid token")
                .with("WWW-Authenticate", "Bearer error=\"invalid_token\""),
            // RFC 6750, 3.1.
            Self::InsufficientScope { scope } => Failure::new(403, "INSUFFICIENT_SCOPE", "Insufficient scope")
                .with("WWW-Authenticate", format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
            Self::RouteNotFound => Failure::new(404, "ROUTE_NOT_FOUND", "Route not found"),
            Self::MethodNotAllowed { allow } => {
                Failure::new(405, "METHOD_NOT_ALLOWED", "Method not allowed").with("Allow", allow)
            }
            Self::ProjectFlowNotFound => Failure::new(404, "PROJECT_FLOW_NOT_FOUND", "Project flow not found"),
            Self::NoLiveFlow => Failure::new(404, "NO_LIVE_FLOW", "No live flow"),
            Self::Invalid(problems) => {
                let (status, code, title) = problems.first().code.answer();
                let failure = Failure { details: problems.details(), ..Failure::new(status, code, title) };
                // RFC 5789, 2.2.
                if problems.first().code == Code::UnsupportedPatch {
                    failure.with("Accept-Patch", MediaType::MergePatch.as_str())
                } else {
                    failure
                }
            }
            Self::TemporarilyUnavailable(_) => {
                Failure::new(503, "TEMPORARILY_UNAVAILABLE", "Temporarily unavailable").with("Retry-After", "1")
            }
            Self::OutcomeUnknown(_) => Failure::new(503, "OUTCOME_UNKNOWN", "Outcome unknown").with("Retry-After", "1"),
            Self::Internal(_) => Failure::new(500, "INTERNAL_ERROR", "Internal error"),
        }
    }

    /// What only the log may say.
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::InvalidToken(cause)
            | Self::TemporarilyUnavailable(cause)
            | Self::OutcomeUnknown(cause)
            | Self::Internal(cause) => Some(cause),
            Self::MissingToken
            | Self::InsufficientScope { .. }
            | Self::RouteNotFound
            | Self::MethodNotAllowed { .. }
            | Self::ProjectFlowNotFound
            | Self::NoLiveFlow
            | Self::Invalid(_) => None,
        }
    }
}

/// The cause, or the code where there is none.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.cause().map_or_else(|| self.failure().code, Cause::as_str))
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self::Internal(cause)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Invalid(problem.into())
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::Invalid(problems)
    }
}
