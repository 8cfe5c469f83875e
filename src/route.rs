//! Where a request goes: method and path → [`Target`]. The only routing table.

use crate::caller::Permission;
use crate::error::Error;
use crate::event::Event;
use crate::flow::FlowId;

/// The operations, each with its route: the only routing table.
const ROUTES: [(Operation, &str); 15] = [
    (Operation::Create, "POST /v2/project-flows"),
    (Operation::List, "GET /v2/project-flows"),
    (Operation::Retrieve, "GET /v2/project-flows/{id}"),
    (Operation::Update, "PUT /v2/project-flows/{id}"),
    (Operation::Patch, "PATCH /v2/project-flows/{id}"),
    (Operation::Delete, "DELETE /v2/project-flows/{id}"),
    (Operation::Versions, "GET /v2/project-flows/{id}/versions"),
    (Operation::Version, "GET /v2/project-flows/{id}/versions/{version}"),
    (Operation::Diff, "GET /v2/project-flows/{id}/versions/{version}/diff"),
    (Operation::Restore, "POST /v2/project-flows/{id}/versions/{version}/restore"),
    (Operation::Live(LiveOperation::List), "GET /v2/project-flows/live"),
    (Operation::Live(LiveOperation::Retrieve), "GET /v2/project-flows/live/{project}/{type}"),
    (Operation::Live(LiveOperation::Release), "PUT /v2/project-flows/live/{project}/{type}"),
    (Operation::Live(LiveOperation::Withdraw), "DELETE /v2/project-flows/live/{project}/{type}"),
    (Operation::Live(LiveOperation::Releases), "GET /v2/project-flows/live/{project}/{type}/releases"),
];

/// The route that each path has beside its operations: nobody has to prove who asks.
const PREFLIGHTS: [&str; 9] = [
    "OPTIONS /v2/project-flows",
    "OPTIONS /v2/project-flows/{id}",
    "OPTIONS /v2/project-flows/{id}/versions",
    "OPTIONS /v2/project-flows/{id}/versions/{version}",
    "OPTIONS /v2/project-flows/{id}/versions/{version}/diff",
    "OPTIONS /v2/project-flows/{id}/versions/{version}/restore",
    "OPTIONS /v2/project-flows/live",
    "OPTIONS /v2/project-flows/live/{project}/{type}",
    "OPTIONS /v2/project-flows/live/{project}/{type}/releases",
];

/// What a request can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    List,
    Retrieve,
    Update,
    Patch,
    Delete,
    Versions,
    Version,
    Diff,
    Restore,
    Live(LiveOperation),
}

/// What a request can ask for in the places where flows are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveOperation {
    List,
    Retrieve,
    Release,
    Withdraw,
    Releases,
}

impl Operation {
    /// What a token must allow for it; dry runs are no exception.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Retrieve | Self::List | Self::Versions | Self::Version | Self::Diff => Permission::Read,
            Self::Create | Self::Update | Self::Patch | Self::Delete | Self::Restore => Permission::Write,
            Self::Live(operation) => operation.permission(),
        }
    }
}

impl LiveOperation {
    const fn permission(self) -> Permission {
        match self {
            Self::List | Self::Retrieve | Self::Releases => Permission::Read,
            Self::Release | Self::Withdraw => Permission::Release,
        }
    }
}

/// The route of every operation, as in `GET /v2/project-flows/{id}`.
pub fn routes() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|(_, route)| *route)
}

/// What a request is aimed at.
#[derive(Debug, Clone)]
pub enum Target<'path> {
    Operation(Call<'path>),
    /// The methods of a path (`OPTIONS`: RFC 9110, 9.3.7). A browser asks without a token before a script may send one
    /// ("CORS-preflight fetch" in the Fetch Standard).
    Preflight {
        /// As in `OPTIONS /v2/project-flows/{id}`.
        route: &'static str,
        /// As in the `Allow` header (RFC 9110, 10.2.1).
        allow: String,
    },
}

/// An operation, and the parts of its path that differ from one flow or place to another.
#[derive(Debug, Clone, Copy)]
pub struct Call<'path> {
    pub operation: Operation,
    /// As in `GET /v2/project-flows/{id}`.
    pub route: &'static str,
    pub segments: Segments<'path>,
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

impl<'path> Target<'path> {
    /// What the method and the path of `event` name.
    pub fn find(event: &'path Event) -> Result<Self, Error> {
        let path = own_path(event.path()).ok_or(Error::RouteNotFound)?;
        let method = event.method();
        let mut methods = Vec::new();
        for (operation, route) in ROUTES {
            let Some((its_method, template)) = route.split_once(' ') else { continue };
            let Some(segments) = matched(template, path) else { continue };
            if its_method == method {
                return Ok(Self::Operation(Call { operation, route, segments }));
            }
            methods.push(its_method);
        }
        let preflight = PREFLIGHTS.into_iter().find_map(|route| {
            let (its_method, template) = route.split_once(' ')?;
            matched(template, path).map(|_| (route, its_method))
        });
        let (route, its_method) = preflight.ok_or(Error::RouteNotFound)?;
        methods.push(its_method);
        let allow = methods.join(", ");
        if method == its_method { Ok(Self::Preflight { route, allow }) } else { Err(Error::MethodNotAllowed { allow }) }
    }

    /// As in `GET /v2/project-flows/{id}`.
    pub const fn route(&self) -> &'static str {
        match self {
            Self::Operation(Call { route, .. }) | Self::Preflight { route, .. } => route,
        }
    }

    /// The flow that the path names.
    pub fn flow_id(&self) -> Option<FlowId> {
        match self {
            Self::Operation(call) => FlowId::parse(call.segments.id),
            Self::Preflight { .. } => None,
        }
    }
}

/// The path without the stage or base path that may stand before it.
///
/// API Gateway leaves the stage on an HTTP API's path, and a custom domain's base path on both kinds', and the event
/// does not name the latter. A base path may look like the collection, so the last occurrence counts: no operation's
/// own path has a second one, because `project-flows` is not a type.
fn own_path(path: &str) -> Option<&str> {
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

/// The segment of a path where others have an id.
const LIVE: &str = "live";

/// The segments of `path`, if it is as `template` says.
fn matched<'path>(template: &str, path: &'path str) -> Option<Segments<'path>> {
    let mut found = Segments::default();
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        match expected {
            "{id}" if is_plain(segment) && segment != LIVE => found.id = segment,
            "{version}" if is_plain(segment) => found.version = segment,
            "{project}" if is_plain(segment) => found.project = segment,
            "{type}" if is_plain(segment) => found.flow_type = segment,
            _ if expected == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(found)
}
