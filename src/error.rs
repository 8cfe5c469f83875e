//! Every way to fail: one enum, one match for the status, one for the code, one for the sentence.
//!
//! What leaves the function is the status, the code, the sentence and the details; what an operator needs beside them
//! is the [`Cause`], which goes to the log only. Turning an error into a response is left to [`crate::reply`].

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::etag::Precondition;
use crate::flow::KEY_LENGTH;

/// At most this many problems are listed in one answer; one more entry then says how many there are in all.
///
/// A body of 256 KiB can hold tens of thousands of problems, and an answer of Lambda holds 6 MB
/// (AWS Lambda Developer Guide, "Lambda quotas").
pub const PROBLEMS_LISTED: usize = 1_000;

/// The code of a problem with what was sent: the `code` of a detail, or the answer's `message` when it comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The text is not JSON (RFC 8259).
    InvalidJson,
    /// An object names the same member twice.
    DuplicateMember,
    /// Objects and arrays are nested too deep.
    TooDeep,
    /// The body is JSON, but not an object.
    InvalidBody,
    /// `project` is missing, malformed, unknown or another client's.
    InvalidProjectId,
    /// `type` is neither `login` nor `onboarding`.
    InvalidFlowType,
    /// `name` is missing, too long, blank, or has a control character.
    InvalidName,
    /// `description` is not a string, or too long.
    InvalidDescription,
    /// `configuration` is missing, or something in it is wrong.
    InvalidConfiguration,
    /// `steps` is missing, or something in it is wrong.
    InvalidSteps,
    /// `status` is none that a flow can be given.
    InvalidStatus,
    /// `version` is none that a flow can have.
    InvalidVersion,
    /// A member that cannot be changed is not as it was read.
    ImmutableField,
    /// A member that the contract does not know.
    UnknownField,
    /// A query parameter is unknown, repeated or malformed.
    InvalidParameters,
}

impl Code {
    /// The code as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "INVALID_JSON",
            Self::DuplicateMember => "DUPLICATE_MEMBER",
            Self::TooDeep => "TOO_DEEP",
            Self::InvalidBody => "INVALID_BODY",
            Self::InvalidProjectId => "INVALID_PROJECT_ID",
            Self::InvalidFlowType => "INVALID_FLOW_TYPE",
            Self::InvalidName => "INVALID_NAME",
            Self::InvalidDescription => "INVALID_DESCRIPTION",
            Self::InvalidConfiguration => "INVALID_CONFIGURATION",
            Self::InvalidSteps => "INVALID_STEPS",
            Self::InvalidStatus => "INVALID_STATUS",
            Self::InvalidVersion => "INVALID_VERSION",
            Self::ImmutableField => "IMMUTABLE_FIELD",
            Self::UnknownField => "UNKNOWN_FIELD",
            Self::InvalidParameters => "INVALID_PARAMETERS",
        }
    }

    /// The sentence that the API page fixes for this code, where it fixes one.
    const fn fixed_sentence(self) -> Option<&'static str> {
        match self {
            Self::InvalidProjectId => Some("Invalid project ID"),
            Self::InvalidFlowType => Some("Invalid flow type"),
            Self::InvalidJson
            | Self::DuplicateMember
            | Self::TooDeep
            | Self::InvalidBody
            | Self::InvalidName
            | Self::InvalidDescription
            | Self::InvalidConfiguration
            | Self::InvalidSteps
            | Self::InvalidStatus
            | Self::InvalidVersion
            | Self::ImmutableField
            | Self::UnknownField
            | Self::InvalidParameters => None,
        }
    }

    /// The status of an answer whose `message` it is.
    const fn status(self) -> u16 {
        match self {
            Self::ImmutableField => 409,
            Self::InvalidJson
            | Self::DuplicateMember
            | Self::TooDeep
            | Self::InvalidBody
            | Self::InvalidProjectId
            | Self::InvalidFlowType
            | Self::InvalidName
            | Self::InvalidDescription
            | Self::InvalidConfiguration
            | Self::InvalidSteps
            | Self::InvalidStatus
            | Self::InvalidVersion
            | Self::UnknownField
            | Self::InvalidParameters => 400,
        }
    }
}

/// One problem with what was sent: where, which rule, and what was expected and found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A JSON Pointer (RFC 6901) into the body; empty for the body as a whole, and for the query.
    pub path: String,
    /// The rule that was broken.
    pub code: Code,
    /// What was expected and what was found.
    pub error: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, code: Code, error: impl Into<String>) -> Self {
        Self { path: path.into(), code, error: error.into() }
    }

    /// Whether the problem says more than the answer's `error` and `message` can.
    fn needs_detail(&self) -> bool {
        let below_a_member = self.path.matches('/').count() > 1;
        below_a_member || matches!(self.code, Code::InvalidJson | Code::DuplicateMember | Code::TooDeep)
    }
}

/// Problems in the order of the contract: never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    first: Problem,
    rest: Vec<Problem>,
}

impl Problems {
    /// The problems found, or `None` when there is none.
    pub fn found(problems: Vec<Problem>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let first = problems.next()?;
        Some(Self { first, rest: problems.collect() })
    }

    /// The problem that decides the answer's `error` and `message`.
    pub const fn first(&self) -> &Problem {
        &self.first
    }

    /// What the answer lists as `details`: nothing where the first problem's code and sentence say it all.
    pub fn details(&self) -> Vec<Cow<'_, Problem>> {
        if self.rest.is_empty() && !self.first.needs_detail() {
            return Vec::new();
        }
        let mut listed: Vec<_> =
            std::iter::once(&self.first).chain(&self.rest).take(PROBLEMS_LISTED).map(Cow::Borrowed).collect();
        let all = self.rest.len() + 1;
        if all > PROBLEMS_LISTED {
            let more = format!("expected at most {PROBLEMS_LISTED} problems to list, found {all}");
            listed.push(Cow::Owned(Problem::new("", self.first.code, more)));
        }
        listed
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::iter::Chain<std::iter::Once<Problem>, std::vec::IntoIter<Problem>>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self.first).chain(self.rest)
    }
}

impl From<Problem> for Problems {
    fn from(first: Problem) -> Self {
        Self { first, rest: Vec::new() }
    }
}

/// Why something failed inside: for the log, never for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(String);

impl Cause {
    /// A cause in words that carry nothing a user sent or stored.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The cause as text.
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
    /// No `Authorization` header.
    MissingToken,
    /// A token that proves nothing; the reason is for the log.
    InvalidToken(Cause),
    /// No operation has this path.
    RouteNotFound,
    /// The path has operations, but not with this method.
    MethodNotAllowed {
        /// The methods that it has, as in the `Allow` header (RFC 9110, 10.2.1).
        allow: String,
    },
    /// The body is not said to be plain JSON in UTF-8.
    UnsupportedMediaType(String),
    /// The gateway's base64 does not decode.
    InvalidBodyEncoding,
    /// `Idempotency-Key` is not one.
    InvalidIdempotencyKey,
    /// `If-Match` or `If-None-Match` has no entity tags.
    InvalidEtag,
    /// The caller's client has no such flow, or no such version of it.
    ProjectFlowNotFound,
    /// The flow is not at a version of `If-Match`, or is at one of `If-None-Match`.
    PreconditionFailed {
        /// The one that is not met.
        precondition: Precondition,
        /// The version that the flow is at.
        found: u64,
    },
    /// The body was made from another version than the flow is at; what was expected and what was found.
    VersionConflict(String),
    /// The flow is in use.
    FlowIsActive,
    /// More bytes than a flow may have; what was expected and what was found.
    FlowTooLarge(String),
    /// The idempotency key was used before, for other content.
    IdempotencyKeyReused,
    /// What was sent breaks the contract.
    Invalid(Problems),
    /// The database cannot carry it out now, and nothing was written.
    TemporarilyUnavailable(Cause),
    /// The write may or may not have happened.
    OutcomeUnknown(Cause),
    /// Anything else.
    Internal(Cause),
}

impl Error {
    /// The status of the answer (RFC 9110, 15).
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(problems) => problems.first.code.status(),
            Self::InvalidBodyEncoding | Self::InvalidIdempotencyKey | Self::InvalidEtag => 400,
            Self::MissingToken | Self::InvalidToken(_) => 401,
            Self::RouteNotFound | Self::ProjectFlowNotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::VersionConflict(_) | Self::FlowIsActive => 409,
            Self::PreconditionFailed { .. } => 412,
            Self::FlowTooLarge(_) => 413,
            Self::UnsupportedMediaType(_) => 415,
            Self::IdempotencyKeyReused => 422,
            Self::Internal(_) => 500,
            Self::TemporarilyUnavailable(_) | Self::OutcomeUnknown(_) => 503,
        }
    }

    /// The code of the answer: its `message`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "MISSING_TOKEN",
            Self::InvalidToken(_) => "INVALID_TOKEN",
            Self::RouteNotFound => "ROUTE_NOT_FOUND",
            Self::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
            Self::UnsupportedMediaType(_) => "UNSUPPORTED_MEDIA_TYPE",
            Self::InvalidBodyEncoding => "INVALID_BODY_ENCODING",
            Self::InvalidIdempotencyKey => "INVALID_IDEMPOTENCY_KEY",
            Self::InvalidEtag => "INVALID_ETAG",
            Self::ProjectFlowNotFound => "PROJECT_FLOW_NOT_FOUND",
            Self::PreconditionFailed { .. } | Self::VersionConflict(_) => "VERSION_CONFLICT",
            Self::FlowIsActive => "FLOW_IS_ACTIVE",
            Self::FlowTooLarge(_) => "FLOW_TOO_LARGE",
            Self::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Invalid(problems) => problems.first().code.as_str(),
            Self::TemporarilyUnavailable(_) => "TEMPORARILY_UNAVAILABLE",
            Self::OutcomeUnknown(_) => "OUTCOME_UNKNOWN",
            Self::Internal(_) => "INTERNAL_ERROR",
        }
    }

    /// The sentence of the answer: its `error`.
    pub fn sentence(&self) -> Cow<'_, str> {
        match self {
            Self::MissingToken => "expected an Authorization header with a bearer token, found none".into(),
            Self::InvalidToken(_) => "expected a valid bearer token, found one that is not".into(),
            Self::RouteNotFound => "expected the path of an operation, found another".into(),
            Self::MethodNotAllowed { allow } => format!("expected one of the methods {allow}, found another").into(),
            Self::UnsupportedMediaType(found) => {
                format!("expected application/json in UTF-8 without a content encoding, found {found}").into()
            }
            Self::InvalidBodyEncoding => "expected a body in base64, found one that does not decode".into(),
            Self::InvalidIdempotencyKey => {
                format!("expected an Idempotency-Key of 1 to {KEY_LENGTH} visible ASCII characters, found another")
                    .into()
            }
            Self::InvalidEtag => "expected * or entity tags such as \"1\", found something else".into(),
            Self::ProjectFlowNotFound => "expected a project flow of the client, found none".into(),
            Self::PreconditionFailed { precondition, found } => {
                let expected = match precondition {
                    Precondition::IfMatch => "a version of If-Match",
                    Precondition::IfNoneMatch => "no version of If-None-Match",
                };
                format!("expected the flow at {expected}, found it at version {found}").into()
            }
            Self::FlowIsActive => "expected a flow that is not active, found one that is: pause it first".into(),
            Self::VersionConflict(sentence) | Self::FlowTooLarge(sentence) => sentence.into(),
            Self::IdempotencyKeyReused => {
                "expected the content that was sent with this Idempotency-Key before, found other content".into()
            }
            Self::Invalid(problems) => {
                let first = problems.first();
                first.code.fixed_sentence().unwrap_or(&first.error).into()
            }
            Self::TemporarilyUnavailable(_) => "the request was not carried out, please try again".into(),
            Self::OutcomeUnknown(_) => {
                "the flow may or may not have been written, please look before trying again".into()
            }
            Self::Internal(_) => "something went wrong on our side".into(),
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
            | Self::RouteNotFound
            | Self::MethodNotAllowed { .. }
            | Self::UnsupportedMediaType(_)
            | Self::InvalidBodyEncoding
            | Self::InvalidIdempotencyKey
            | Self::InvalidEtag
            | Self::ProjectFlowNotFound
            | Self::PreconditionFailed { .. }
            | Self::VersionConflict(_)
            | Self::FlowIsActive
            | Self::FlowTooLarge(_)
            | Self::IdempotencyKeyReused
            | Self::Invalid(_) => None,
        }
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
