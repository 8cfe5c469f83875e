//! Station 2, parse: method, path, query and body → [`Command`]. The only routing table.

use std::borrow::Cow;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::cursor::{FlowCursor, VersionCursor};
use crate::error::{Cause, Code, Error, Problem, Problems};
use crate::etag::{EntityTags, Preconditions};
use crate::event::{Body, Event, Headers, Query};
use crate::flow::content::{FlowType, ProjectId, unknown_field};
use crate::flow::{self, Content, Fingerprint, FlowId, IdempotencyKey, Instant, Once, Status, Update};
use crate::json::{self, Order, pointer_step};

/// The largest body, in bytes: 256 KiB, which leaves room for the rest of an item (400 KB).
pub const BODY_LIMIT: usize = 256 * 1024;

/// The flows of a page of a list, unless `limit` says otherwise, and at most.
pub const FLOWS_LISTED: (usize, usize) = (10, 100);
/// The versions of a page of a flow's versions, unless `limit` says otherwise, and at most.
pub const VERSIONS_LISTED: (usize, usize) = (100, 100);

/// The operations, each with its route: the only routing table.
const ROUTES: [(Operation, &str); 9] = [
    (Operation::Create, "POST /v2/project-flows"),
    (Operation::List, "GET /v2/project-flows"),
    (Operation::Retrieve, "GET /v2/project-flows/{id}"),
    (Operation::Update, "PUT /v2/project-flows/{id}"),
    (Operation::Delete, "DELETE /v2/project-flows/{id}"),
    (Operation::Versions, "GET /v2/project-flows/{id}/versions"),
    (Operation::Version, "GET /v2/project-flows/{id}/versions/{version}"),
    (Operation::Diff, "GET /v2/project-flows/{id}/versions/{version}/diff"),
    (Operation::Restore, "POST /v2/project-flows/{id}/versions/{version}/restore"),
];

/// The route that each path has beside its operations: nobody has to prove who asks.
const PREFLIGHTS: [&str; 6] = [
    "OPTIONS /v2/project-flows",
    "OPTIONS /v2/project-flows/{id}",
    "OPTIONS /v2/project-flows/{id}/versions",
    "OPTIONS /v2/project-flows/{id}/versions/{version}",
    "OPTIONS /v2/project-flows/{id}/versions/{version}/diff",
    "OPTIONS /v2/project-flows/{id}/versions/{version}/restore",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    List,
    Retrieve,
    Update,
    Delete,
    Versions,
    Version,
    Diff,
    Restore,
}

/// What a request asks for, all of it valid; an update is judged together with the flow that it changes.
#[derive(Debug, Clone)]
pub enum Command<'request> {
    /// `POST /v2/project-flows`
    Create {
        /// The flow to create.
        content: Content,
        /// Only say what would be created.
        dry_run: bool,
        /// Create it once for ever, however often it is sent.
        once: Option<Once>,
    },
    /// `GET /v2/project-flows`
    List {
        /// Which flows.
        filter: Filter,
        /// Where the page begins.
        place: Place,
        /// The most flows of a page.
        limit: usize,
    },
    /// `GET /v2/project-flows/{id}`
    Retrieve {
        /// The flow.
        id: FlowId,
        /// `If-None-Match`: the versions that the client has already.
        known: Option<EntityTags>,
    },
    /// `GET /v2/project-flows/{id}?asOf=…`
    RetrieveAsOf {
        /// The flow.
        id: FlowId,
        /// When the version that is asked for was in force.
        moment: Instant,
    },
    /// `PUT /v2/project-flows/{id}`
    Update {
        /// The flow.
        id: FlowId,
        /// What to change, and from which version.
        update: Update<'request>,
        /// The versions to change.
        preconditions: Preconditions,
        /// Only say what it would be changed to.
        dry_run: bool,
    },
    /// `DELETE /v2/project-flows/{id}`
    Delete {
        /// The flow.
        id: FlowId,
        /// The versions to delete.
        preconditions: Preconditions,
    },
    /// `GET /v2/project-flows/{id}/versions`
    Versions {
        /// The flow.
        id: FlowId,
        /// Where the page begins.
        after: Option<VersionCursor>,
        /// The most versions of a page.
        limit: usize,
    },
    /// `GET /v2/project-flows/{id}/versions/{version}`
    Version {
        /// The flow.
        id: FlowId,
        /// The version.
        version: u64,
    },
    /// `GET /v2/project-flows/{id}/versions/{version}/diff?from=…`
    Diff {
        /// The flow.
        id: FlowId,
        /// The version to compare with.
        from: u64,
        /// The version that is compared.
        to: u64,
    },
    /// `POST /v2/project-flows/{id}/versions/{version}/restore`
    Restore {
        /// The flow.
        id: FlowId,
        /// The version to bring back.
        version: u64,
        /// The versions to put it in the place of.
        preconditions: Preconditions,
    },
}

/// Which of a client's flows: those that meet every condition given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this type.
    pub flow_type: Option<FlowType>,
    /// With this status.
    pub status: Option<Status>,
}

/// Where a page of flows begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At the page of this number, from 1.
    Page(u32),
    /// After the page before.
    After(FlowCursor),
}

impl<'request> Command<'request> {
    /// What `event` asks of the operation that it calls; `buffer` holds the body where it came in base64.
    ///
    /// # Errors
    ///
    /// The first of: path, parameters, headers, media type, encoding, size, JSON, content.
    pub fn parse(call: Call<'_>, event: &'request Event, buffer: &'request mut Vec<u8>) -> Result<Self, Error> {
        let Call { operation, route: _, id, version } = call;
        let (query, headers) = (event.query(), event.headers());
        let parse_id = || FlowId::parse(id).ok_or(Error::ProjectFlowNotFound);
        let parse_version = || flow::version(version).ok_or(Error::ProjectFlowNotFound);
        match operation {
            Operation::Create => {
                let dry_run = Parameters::read(&query, &["dryRun"])?.dry_run()?;
                let key = idempotency_key(headers)?;
                let body = body(event, buffer)?;
                let content = Content::parse(&json::read_object(body)?)?;
                let once = key.map(|key| once(key, body)).transpose()?;
                Ok(Self::Create { content, dry_run, once })
            }
            Operation::List => {
                let parameters = Parameters::read(&query, &["page", "limit", "project", "type", "status", "cursor"])?;
                let (filter, place) = (parameters.filter()?, parameters.place()?);
                let limit = parameters.limit(FLOWS_LISTED)?;
                no_body(event, buffer)?;
                Ok(Self::List { filter, place, limit })
            }
            Operation::Retrieve => {
                let id = parse_id()?;
                let moment = Parameters::read(&query, &["asOf"])?.as_of()?;
                let known = entity_tags(headers.if_none_match.as_deref())?;
                no_body(event, buffer)?;
                Ok(match moment {
                    Some(moment) => Self::RetrieveAsOf { id, moment },
                    None => Self::Retrieve { id, known },
                })
            }
            Operation::Update => {
                let id = parse_id()?;
                let dry_run = Parameters::read(&query, &["dryRun"])?.dry_run()?;
                let preconditions = preconditions(headers)?;
                let update = Update(json::read_object(body(event, buffer)?)?);
                Ok(Self::Update { id, update, preconditions, dry_run })
            }
            Operation::Delete => {
                let id = parse_id()?;
                Parameters::read(&query, &[])?;
                let preconditions = preconditions(headers)?;
                no_body(event, buffer)?;
                Ok(Self::Delete { id, preconditions })
            }
            Operation::Versions => {
                let id = parse_id()?;
                let parameters = Parameters::read(&query, &["limit", "cursor"])?;
                let (after, limit) = (parameters.cursor(VersionCursor::parse)?, parameters.limit(VERSIONS_LISTED)?);
                no_body(event, buffer)?;
                Ok(Self::Versions { id, after, limit })
            }
            Operation::Version => {
                let (id, version) = (parse_id()?, parse_version()?);
                Parameters::read(&query, &[])?;
                no_body(event, buffer)?;
                Ok(Self::Version { id, version })
            }
            Operation::Diff => {
                let (id, to) = (parse_id()?, parse_version()?);
                let from = Parameters::read(&query, &["from"])?.from()?;
                no_body(event, buffer)?;
                Ok(Self::Diff { id, from, to })
            }
            Operation::Restore => {
                let (id, version) = (parse_id()?, parse_version()?);
                Parameters::read(&query, &[])?;
                let preconditions = preconditions(headers)?;
                no_body(event, buffer)?;
                Ok(Self::Restore { id, version, preconditions })
            }
        }
    }

    /// Whether it may write: what came of it is then unknown where there was no answer.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Create { dry_run, .. } | Self::Update { dry_run, .. } => !*dry_run,
            Self::Delete { .. } | Self::Restore { .. } => true,
            Self::List { .. }
            | Self::Retrieve { .. }
            | Self::RetrieveAsOf { .. }
            | Self::Versions { .. }
            | Self::Version { .. }
            | Self::Diff { .. } => false,
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
    /// An operation.
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

/// An operation, and the parts of its path that differ from flow to flow.
#[derive(Debug, Clone, Copy)]
pub struct Call<'path> {
    operation: Operation,
    /// As in `GET /v2/project-flows/{id}`.
    route: &'static str,
    /// `{id}`; empty where the route has none.
    id: &'path str,
    /// `{version}`; empty where the route has none.
    version: &'path str,
}

impl<'path> Target<'path> {
    /// What the method and the path of `event` name.
    ///
    /// # Errors
    ///
    /// [`Error::RouteNotFound`], [`Error::MethodNotAllowed`].
    pub fn find(event: &'path Event) -> Result<Self, Error> {
        let path = own_path(event.path()).ok_or(Error::RouteNotFound)?;
        let method = event.method();
        let mut methods = Vec::new();
        for (operation, route) in ROUTES {
            let Some((its_method, template)) = route.split_once(' ') else { continue };
            let Some((id, version)) = matched(template, path) else { continue };
            if its_method == method {
                return Ok(Self::Operation(Call { operation, route, id, version }));
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
            Self::Operation(call) => FlowId::parse(call.id),
            Self::Preflight { .. } => None,
        }
    }
}

/// The path without the stage or base path that may stand before it.
///
/// API Gateway leaves the stage on an HTTP API's path, and a custom domain's base path on both kinds', and the event
/// does not name the latter. A base path may look like the collection, so the last occurrence counts: no operation's
/// own path has a second one.
fn own_path(path: &str) -> Option<&str> {
    const COLLECTION: &[u8] = b"/v2/project-flows";

    // For a text as short as a path, `str::rfind` takes longer to prepare its search than this takes to find it.
    let start = path.as_bytes().windows(COLLECTION.len()).rposition(|window| window == COLLECTION)?;
    let (before, own) = path.split_at_checked(start)?;
    let accepted = before.is_empty() || before.strip_prefix('/')?.split('/').all(is_plain);
    accepted.then_some(own)
}

/// Whether a segment of a path is itself and nothing else: no dots that lead elsewhere, nothing escaped or to be.
fn is_plain(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"$-_.+!*'()".contains(&byte))
}

/// `{id}` and `{version}` where `path` is as `template` says.
fn matched<'path>(template: &str, path: &'path str) -> Option<(&'path str, &'path str)> {
    let (mut id, mut version) = ("", "");
    let mut segments = path.split('/');
    for expected in template.split('/') {
        let segment = segments.next()?;
        match expected {
            "{id}" if is_plain(segment) => id = segment,
            "{version}" if is_plain(segment) => version = segment,
            _ if expected == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some((id, version))
}

/// The parameters of a query, each of them known and there once.
struct Parameters<'event>(Vec<Parameter<'event>>);

impl<'event> Parameters<'event> {
    fn read(query: &Query<'event>, known: &[&str]) -> Result<Self, Problem> {
        let parameters = parameters(query)?;
        for (index, (name, _)) in parameters.iter().enumerate() {
            if !known.contains(&name.as_ref()) {
                return Err(invalid(match known {
                    [] => "expected no parameters, found one".to_owned(),
                    known => format!("expected no parameters but {}, found another", known.join(", ")),
                }));
            }
            if parameters.iter().take(index).any(|(other, _)| other == name) {
                return Err(invalid(format!("{name}: expected it once, found it again")));
            }
        }
        Ok(Self(parameters))
    }

    /// What `read` makes of a parameter, where it is given; `expected` is what it must be.
    fn get<T>(&self, name: &str, expected: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some((_, value)) = self.0.iter().find(|(one, _)| one == name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| invalid(format!("{name}: expected {expected}, found another value")))
    }

    fn dry_run(&self) -> Result<bool, Problem> {
        Ok(self.get("dryRun", "true or false", |value| value.parse().ok())?.unwrap_or(false))
    }

    fn as_of(&self) -> Result<Option<Instant>, Problem> {
        self.get("asOf", "an RFC 3339 instant (its + sent as %2B)", Instant::parse)
    }

    fn from(&self) -> Result<u64, Problem> {
        let from = self.get("from", "a version, an integer from 1", flow::version)?;
        from.ok_or_else(|| invalid("from: expected the version to compare with, found nothing".to_owned()))
    }

    fn limit(&self, (default, most): (usize, usize)) -> Result<usize, Problem> {
        let limit = |text: &str| integer(text).filter(|limit| (1..=most).contains(limit));
        Ok(self.get("limit", &format!("an integer from 1 to {most}"), limit)?.unwrap_or(default))
    }

    fn cursor<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        self.get("cursor", "the next of a page before", parse)
    }

    fn place(&self) -> Result<Place, Problem> {
        let page = |text: &str| integer(text).filter(|page| *page > 0);
        let page = self.get("page", &format!("an integer from 1 to {}", u32::MAX), page)?;
        match (page, self.cursor(FlowCursor::parse)?) {
            (Some(_), Some(_)) => Err(invalid("expected page or cursor, found both".to_owned())),
            (None, Some(cursor)) => Ok(Place::After(cursor)),
            (page, None) => Ok(Place::Page(page.unwrap_or(1))),
        }
    }

    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            project: self.get("project", "a project", ProjectId::named)?,
            flow_type: self.get("type", "login or onboarding", FlowType::named)?,
            status: self.get("status", &Status::SETTABLE.map(Status::as_str).join(" or "), Status::parse)?,
        })
    }
}

/// The integer that `text` spells, without a sign or leading zeros.
fn integer<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>().ok().filter(|number| number.to_string() == text)
}

fn invalid(error: impl Into<String>) -> Problem {
    Problem::new("", Code::InvalidParameters, error)
}

/// A query parameter: its name and its value.
type Parameter<'event> = (Cow<'event, str>, Cow<'event, str>);

/// The parameters of a query, decoded (WHATWG URL Standard, 5.1).
fn parameters<'event>(query: &Query<'event>) -> Result<Vec<Parameter<'event>>, Problem> {
    match query {
        Query::Decoded(pairs) => Ok(pairs
            .iter()
            .map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str())))
            .collect()),
        Query::Encoded(text) => text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect(),
    }
}

fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    let mut escapes = text.split('%');
    escapes.next();
    let is_escape =
        |rest: &str| matches!(rest.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    if !escapes.all(is_escape) {
        return Err(invalid("expected two hexadecimal digits after each %, found others"));
    }
    let text = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    let not_utf8 = |_| invalid("expected escapes of UTF-8, found others");
    match text {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8().map_err(not_utf8),
        Cow::Owned(text) => {
            percent_decode_str(&text).decode_utf8().map(|text| Cow::Owned(text.into_owned())).map_err(not_utf8)
        }
    }
}

fn idempotency_key(headers: &Headers) -> Result<Option<IdempotencyKey>, Error> {
    let key = headers.idempotency_key.as_deref();
    key.map(|key| IdempotencyKey::parse(key).ok_or(Error::InvalidIdempotencyKey)).transpose()
}

/// A key with what was sent under it, a body that has been read already.
fn once(key: IdempotencyKey, body: &[u8]) -> Result<Once, Error> {
    let canonical = std::str::from_utf8(body).map_err(|error| error.to_string());
    let canonical = canonical.and_then(|body| json::canonical(body, Order::Sorted).map_err(|error| error.to_string()));
    let canonical = canonical.map_err(|error| Error::Internal(Cause::new(format!("canonical form: {error}"))))?;
    Ok(Once { key, fingerprint: Fingerprint::of(&canonical) })
}

/// The entity tags of a header, where it is given.
fn entity_tags(header: Option<&str>) -> Result<Option<EntityTags>, Error> {
    header.map(|header| EntityTags::parse(header).ok_or(Error::InvalidEtag)).transpose()
}

fn preconditions(headers: &Headers) -> Result<Preconditions, Error> {
    let if_match = entity_tags(headers.if_match.as_deref())?;
    Ok(Preconditions { if_match, if_none_match: entity_tags(headers.if_none_match.as_deref())? })
}

/// The bytes of the body; `buffer` holds them where they came in base64.
fn body<'request>(event: &'request Event, buffer: &'request mut Vec<u8>) -> Result<&'request [u8], Error> {
    media_type(event.headers())?;
    let body = match event.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Base64(text) => {
            STANDARD.decode_vec(text, buffer).map_err(|_| Error::InvalidBodyEncoding)?;
            buffer
        }
    };
    if body.len() > BODY_LIMIT {
        let sentence = format!("expected a body of at most {BODY_LIMIT} bytes, found {}", body.len());
        return Err(Error::FlowTooLarge(sentence));
    }
    Ok(body)
}

/// Refuses a body that says something, where an operation has none: it would be dropped without a word.
fn no_body(event: &Event, buffer: &mut Vec<u8>) -> Result<(), Error> {
    match event.body() {
        Body::Text("") | Body::Base64("") => Ok(()),
        Body::Text(_) | Body::Base64(_) => {
            let members = json::read_object(body(event, buffer)?)?;
            let problems = members.iter().map(|member| unknown_field(pointer_step(&member.name), &[])).collect();
            Problems::found(problems).map_or(Ok(()), |problems| Err(problems.into()))
        }
    }
}

/// Refuses anything but JSON in UTF-8 (RFC 8259, 8.1 and 11).
fn media_type(headers: &Headers) -> Result<(), Error> {
    let refuse = |found: &str| Err(Error::UnsupportedMediaType(found.to_owned()));
    if headers.content_encoding.is_some() {
        return refuse("a content encoding");
    }
    let Some(content_type) = headers.content_type.as_deref() else {
        return refuse("no content type");
    };
    // What nearly every client sends.
    if content_type == "application/json" {
        return Ok(());
    }
    let Ok(content_type) = content_type.parse::<mime::Mime>() else {
        return refuse("a malformed content type");
    };
    if content_type.essence_str() != mime::APPLICATION_JSON.essence_str() {
        return refuse("another content type");
    }
    let mut charsets = content_type.params().filter(|(name, _)| *name == mime::CHARSET);
    if !charsets.all(|(_, charset)| charset == mime::UTF_8) {
        return refuse("another charset");
    }
    Ok(())
}
