//! What is wrong with a request: where, which rule, what was expected and what was found.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// At most this many problems are listed in one answer; one more entry then says how many there are in all.
///
/// A body of 256 KiB can hold tens of thousands of problems, and an answer of Lambda holds 6 MB
/// (AWS Lambda Developer Guide, "Lambda quotas").
pub const MAX_PROBLEMS: usize = 1_000;

/// Makes the codes and the list of all.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident => ($status:literal, $text:literal, $title:literal),)+) => {
        /// The rule that a request breaks: the `code` of a detail, or the answer's `message` when it comes first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The status of the answer (RFC 9110, 15), the code as it is sent, and the title.
            pub const fn answer(self) -> (u16, &'static str, &'static str) {
                match self {
                    $(Self::$code => ($status, $text, $title),)+
                }
            }
        }
    };
}

codes! {
    InvalidJson => (400, "INVALID_JSON", "Invalid JSON"),
    DuplicateMember => (400, "DUPLICATE_MEMBER", "Duplicate member"),
    TooDeep => (400, "TOO_DEEP", "Too deep"),
    InvalidBody => (400, "INVALID_BODY", "Invalid body"),
    InvalidBodyEncoding => (400, "INVALID_BODY_ENCODING", "Invalid body encoding"),
    UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"),
    /// A patch in another format (RFC 5789, 2.2).
    UnsupportedPatch => (415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type"),
    InvalidProjectId => (400, "INVALID_PROJECT_ID", "Invalid project ID"),
    InvalidFlowType => (400, "INVALID_FLOW_TYPE", "Invalid flow type"),
    InvalidName => (400, "INVALID_NAME", "Invalid name"),
    InvalidDescription => (400, "INVALID_DESCRIPTION", "Invalid description"),
    InvalidConfiguration => (400, "INVALID_CONFIGURATION", "Invalid configuration"),
    InvalidSteps => (400, "INVALID_STEPS", "Invalid steps"),
    InvalidStatus => (400, "INVALID_STATUS", "Invalid status"),
    /// `_id` is not a string.
    InvalidFlowId => (400, "INVALID_FLOW_ID", "Invalid flow ID"),
    /// `version` is not an integer from 1.
    InvalidVersion => (400, "INVALID_VERSION", "Invalid version"),
    ImmutableField => (409, "IMMUTABLE_FIELD", "Immutable field"),
    UnknownField => (400, "UNKNOWN_FIELD", "Unknown field"),
    InvalidParameters => (400, "INVALID_PARAMETERS", "Invalid parameters"),
    InvalidIdempotencyKey => (400, "INVALID_IDEMPOTENCY_KEY", "Invalid idempotency key"),
    IdempotencyKeyReused => (422, "IDEMPOTENCY_KEY_REUSED", "Idempotency key reused"),
    InvalidEtag => (400, "INVALID_ETAG", "Invalid ETag"),
    /// The version of a header is not the flow's (RFC 9110, 13.1).
    PreconditionFailed => (412, "VERSION_CONFLICT", "Version conflict"),
    VersionConflict => (409, "VERSION_CONFLICT", "Version conflict"),
    FlowIsActive => (409, "FLOW_IS_ACTIVE", "Flow is active"),
    FlowIsLive => (409, "FLOW_IS_LIVE", "Flow is live"),
    FlowNotActive => (409, "FLOW_NOT_ACTIVE", "Flow not active"),
    /// The caller wrote what is to be released.
    OwnChange => (403, "OWN_CHANGE", "Own change"),
    /// More versions than a review reads.
    TooManyChanges => (409, "TOO_MANY_CHANGES", "Too many changes"),
    FlowTooLarge => (413, "FLOW_TOO_LARGE", "Flow too large"),
}

impl Code {
    /// The code as it is sent.
    pub const fn as_str(self) -> &'static str {
        self.answer().1
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The part of a request that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A JSON Pointer (RFC 6901) into the body; empty for the whole body.
    Path(String),
    Parameter(String),
    Header(&'static str),
}

/// One problem with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(flatten)]
    pub part: Part,
    pub code: Code,
    /// What was expected and what was found.
    pub error: String,
}

impl Problem {
    /// A problem at `path`, a JSON Pointer into the body.
    pub fn new(path: impl Into<String>, code: Code, error: impl Into<String>) -> Self {
        Self { part: Part::Path(path.into()), code, error: error.into() }
    }

    pub fn parameter(name: impl Into<String>, error: impl Into<String>) -> Self {
        Self { part: Part::Parameter(name.into()), code: Code::InvalidParameters, error: error.into() }
    }

    pub fn header(name: &'static str, code: Code, error: impl Into<String>) -> Self {
        Self { part: Part::Header(name), code, error: error.into() }
    }

    /// The JSON Pointer, where the problem is in the body.
    pub fn path(&self) -> Option<&str> {
        match &self.part {
            Part::Path(path) => Some(path),
            Part::Parameter(_) | Part::Header(_) => None,
        }
    }
}

/// The problem of a member at `path` that is not one of `known`.
pub fn unknown_field(path: String, known: &[&str]) -> Problem {
    let error = match known {
        [] => "expected no members, found one".to_owned(),
        known => format!("expected no members but {}, found another", known.join(", ")),
    };
    Problem::new(path, Code::UnknownField, error)
}

/// The problems of a body, as they are found.
#[derive(Debug, Default)]
pub struct ProblemList(Vec<Problem>);

impl ProblemList {
    pub fn add(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.0.extend(problems);
    }

    /// Adds what is wrong with a value, if anything is.
    pub fn note<T>(&mut self, value: Result<T, Problem>) -> Result<T, Problem> {
        self.add(value.as_ref().err().cloned());
        value
    }

    /// Ends the list.
    ///
    /// # Errors
    ///
    /// All problems, if there are any; unknown members come last, those of a step too.
    pub fn finish(mut self) -> Result<(), Problems> {
        self.0.sort_by_key(|problem| problem.code == Code::UnknownField);
        Problems::found(self.0).map_or(Ok(()), Err)
    }
}

/// Problems in the order of the contract: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    first: Problem,
    rest: Vec<Problem>,
}

impl Problems {
    /// The problems found, or `None` when there are none.
    pub fn found(problems: Vec<Problem>) -> Option<Self> {
        let mut problems = problems.into_iter();
        let first = problems.next()?;
        Some(Self { first, rest: problems.collect() })
    }

    /// The problem that decides the answer's status, `error` and `message`.
    pub const fn first(&self) -> &Problem {
        &self.first
    }

    /// What the answer lists as `details`. The API page shows a lone problem with `project` or `type` without them.
    pub fn details(&self) -> Vec<Cow<'_, Problem>> {
        let is_project_or_type = matches!(self.first.code, Code::InvalidProjectId | Code::InvalidFlowType)
            && matches!(self.first.path(), Some("/project" | "/type" | ""));
        if self.rest.is_empty() && is_project_or_type {
            return Vec::new();
        }
        let all = self.rest.len() + 1;
        let mut details: Vec<_> =
            std::iter::once(&self.first).chain(&self.rest).take(MAX_PROBLEMS).map(Cow::Borrowed).collect();
        if all > MAX_PROBLEMS {
            let more = format!("expected at most {MAX_PROBLEMS} problems to list, found {all}");
            details.push(Cow::Owned(Problem::new("", self.first.code, more)));
        }
        details
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
