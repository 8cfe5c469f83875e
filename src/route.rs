//! Routes: method and path of an operation, and what a request to it may contain. How a path is matched.

use std::fmt;

use crate::body::MediaType;
use crate::caller::Permission;

/// The route of an operation, and what a request to it may contain.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    /// As in `/v2/project-flows/{id}`.
    pub path: &'static str,
    /// What a token must allow; dry runs are no exception.
    pub permission: Permission,
    /// The query parameters that it knows.
    pub parameters: &'static [&'static str],
    /// What its body must be; `None` where a body is refused.
    pub body: Option<MediaType>,
}

/// As in `GET /v2/project-flows/{id}`.
impl fmt::Display for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// The segments of a path that a route has parameters for; empty where it has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Segments<'path> {
    /// `{id}`
    pub id: &'path str,
    /// `{version}`
    pub version: &'path str,
    /// `{project}`
    pub project: &'path str,
    /// `{type}`
    pub flow_type: &'path str,
}

impl Route {
    /// A route whose operation refuses a body.
    pub const fn new(
        method: &'static str,
        path: &'static str,
        permission: Permission,
        parameters: &'static [&'static str],
    ) -> Self {
        Self { method, path, permission, parameters, body: None }
    }

    /// The same with a body of this media type.
    #[must_use]
    pub const fn with_body(self, media_type: MediaType) -> Self {
        Self { body: Some(media_type), ..self }
    }

    /// The segments of `path`, if it is a path of this route.
    pub fn matched<'path>(&self, path: &'path str) -> Option<Segments<'path>> {
        /// What stands in a path where others have an id.
        const OWN_PATHS: [&str; 2] = ["changes", "live"];

        let mut found = Segments::default();
        let mut segments = path.split('/');
        for expected in self.path.split('/') {
            let segment = segments.next()?;
            match expected {
                "{id}" if is_plain(segment) && !OWN_PATHS.contains(&segment) => found.id = segment,
                "{version}" if is_plain(segment) => found.version = segment,
                "{project}" if is_plain(segment) => found.project = segment,
                "{type}" if is_plain(segment) => found.flow_type = segment,
                _ if expected == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(found)
    }
}

/// The path without the stage or base path that may stand before it.
///
/// API Gateway leaves the stage on an HTTP API's path, and a custom domain's base path on both kinds', and the event
/// does not name the latter. A base path may look like the collection, so the last occurrence counts: no operation's
/// own path has a second one, because `project-flows` is not a type.
pub fn own_path(path: &str) -> Option<&str> {
    const COLLECTION: &[u8] = b"/v2/project-flows";

    // For a text as short as a path, `str::rfind` takes longer to prepare its search than this takes to find it.
    let start = path.as_bytes().windows(COLLECTION.len()).rposition(|window| window == COLLECTION)?;
    let (before, own) = path.split_at_checked(start)?;
    let accepted = before.is_empty() || before.strip_prefix('/')?.split('/').all(is_plain);
    accepted.then_some(own)
}

/// Whether a segment of a path can only mean itself: not `.` or `..`, and no character that is or must be escaped.
fn is_plain(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.+!*'()".contains(&byte))
}
