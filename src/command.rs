//! Station 2, parse: path, query, headers and body → [`Command`]. The parts are read in [`crate::route`],
//! [`crate::query`] and [`crate::body`].

mod live;

pub use live::{LiveCommand, RELEASES_LISTED};

use crate::body::{self, Body, MediaType};
use crate::cursor::VersionCursor;
use crate::error::{Cause, Error};
use crate::etag::{EntityTags, Preconditions};
use crate::event::{Event, Headers};
use crate::flow::{
    self, Content, Fingerprint, FlowId, Idempotency, IdempotencyKey, MAX_KEY, Note, Timestamp, Update, UpdateKind,
};
use crate::json::{self, Members};
use crate::problem::{Code, Problem};
use crate::query::{Base, Parameters};
use crate::route::{Call, Operation};
use crate::store::{Filter, Position};

/// The flows of a page of a list, unless `limit` says otherwise, and at most.
pub const FLOWS_LISTED: (usize, usize) = (10, 100);
/// The versions of a page of a flow's versions, unless `limit` says otherwise, and at most.
pub const VERSIONS_LISTED: (usize, usize) = (100, 100);

/// What a request asks for, all of it valid; an update is judged together with the flow that it changes.
#[derive(Debug, Clone)]
pub enum Command<'request> {
    Create {
        content: Content,
        dry_run: bool,
        idempotency: Option<Idempotency>,
        note: Option<Note>,
    },
    List {
        filter: Filter,
        position: Position,
        limit: usize,
    },
    /// `known`: the versions that the client has already.
    Retrieve {
        id: FlowId,
        known: Option<EntityTags>,
    },
    RetrieveAsOf {
        id: FlowId,
        moment: Timestamp,
    },
    Update {
        id: FlowId,
        update: Update<'request>,
        preconditions: Preconditions,
        dry_run: bool,
        note: Option<Note>,
    },
    Delete {
        id: FlowId,
        preconditions: Preconditions,
        note: Option<Note>,
    },
    Versions {
        id: FlowId,
        after: Option<VersionCursor>,
        limit: usize,
    },
    Version {
        id: FlowId,
        version: u64,
    },
    Diff {
        id: FlowId,
        from: Base,
        to: u64,
    },
    Restore {
        id: FlowId,
        version: u64,
        preconditions: Preconditions,
        note: Option<Note>,
    },
    Live(LiveCommand),
}

impl<'request> Command<'request> {
    /// What `event`, with this `body`, asks of the operation that it calls.
    ///
    /// # Errors
    ///
    /// The first of: path, parameters, headers, media type, encoding, size, JSON, content.
    pub fn parse(call: Call<'_>, event: &Event, body: &'request Body<'_>) -> Result<Self, Error> {
        let Call { operation, route: _, segments } = call;
        let (query, headers) = (event.query(), event.headers());
        let parse_id = || FlowId::parse(segments.id).ok_or(Error::ProjectFlowNotFound);
        let parse_version = || flow::parse_version(segments.version).ok_or(Error::ProjectFlowNotFound);
        let parse_update = |media_type, kind| {
            let id = parse_id()?;
            let parameters = Parameters::read(&query, &["dryRun", "note"])?;
            let (dry_run, note) = (parameters.dry_run()?, parameters.note()?);
            let preconditions = preconditions(headers)?;
            let members = json::read_object(body::read(headers, body, media_type)?)?;
            Ok(Self::Update { id, update: Update { members, kind }, preconditions, dry_run, note })
        };
        match operation {
            Operation::Create => {
                let parameters = Parameters::read(&query, &["dryRun", "note"])?;
                let (dry_run, note) = (parameters.dry_run()?, parameters.note()?);
                let key = idempotency_key(headers)?;
                let members = json::read_object(body::read(headers, body, MediaType::Json)?)?;
                let content = Content::parse(&members)?;
                let idempotency = key.map(|key| fingerprint(key, &members)).transpose()?;
                Ok(Self::Create { content, dry_run, idempotency, note })
            }
            Operation::List => {
                let parameters = Parameters::read(&query, &["page", "limit", "project", "type", "status", "cursor"])?;
                let filter = parameters.filter()?;
                let position = parameters.position(filter.list)?;
                let limit = parameters.limit(FLOWS_LISTED)?;
                body::refuse(headers, body)?;
                Ok(Self::List { filter, position, limit })
            }
            Operation::Retrieve => {
                let id = parse_id()?;
                let moment = Parameters::read(&query, &["asOf"])?.as_of()?;
                let known = entity_tags("If-None-Match", headers.if_none_match.as_deref())?;
                body::refuse(headers, body)?;
                Ok(match moment {
                    Some(moment) => Self::RetrieveAsOf { id, moment },
                    None => Self::Retrieve { id, known },
                })
            }
            Operation::Update => parse_update(MediaType::Json, UpdateKind::Replacement),
            Operation::Patch => parse_update(MediaType::MergePatch, UpdateKind::MergePatch),
            Operation::Delete => {
                let id = parse_id()?;
                let note = Parameters::read(&query, &["note"])?.note()?;
                let preconditions = preconditions(headers)?;
                body::refuse(headers, body)?;
                Ok(Self::Delete { id, preconditions, note })
            }
            Operation::Versions => {
                let id = parse_id()?;
                let parameters = Parameters::read(&query, &["limit", "cursor"])?;
                let (after, limit) = (parameters.cursor(VersionCursor::parse)?, parameters.limit(VERSIONS_LISTED)?);
                body::refuse(headers, body)?;
                Ok(Self::Versions { id, after, limit })
            }
            Operation::Version => {
                let (id, version) = (parse_id()?, parse_version()?);
                Parameters::read(&query, &[])?;
                body::refuse(headers, body)?;
                Ok(Self::Version { id, version })
            }
            Operation::Diff => {
                let (id, to) = (parse_id()?, parse_version()?);
                let from = Parameters::read(&query, &["from"])?.from()?;
                body::refuse(headers, body)?;
                Ok(Self::Diff { id, from, to })
            }
            Operation::Restore => {
                let (id, version) = (parse_id()?, parse_version()?);
                let note = Parameters::read(&query, &["note"])?.note()?;
                let preconditions = preconditions(headers)?;
                body::refuse(headers, body)?;
                Ok(Self::Restore { id, version, preconditions, note })
            }
            Operation::Live(operation) => LiveCommand::parse(operation, segments, event, body).map(Self::Live),
        }
    }

    /// Whether it may write: what came of it is then unknown where there was no answer.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Create { dry_run, .. } | Self::Update { dry_run, .. } => !*dry_run,
            Self::Delete { .. } | Self::Restore { .. } => true,
            Self::Live(command) => command.writes(),
            Self::List { .. }
            | Self::Retrieve { .. }
            | Self::RetrieveAsOf { .. }
            | Self::Versions { .. }
            | Self::Version { .. }
            | Self::Diff { .. } => false,
        }
    }
}

fn idempotency_key(headers: &Headers) -> Result<Option<IdempotencyKey>, Problem> {
    let malformed = || {
        let error = format!("expected 1 to {MAX_KEY} visible ASCII characters, found others");
        Problem::header("Idempotency-Key", Code::InvalidIdempotencyKey, error)
    };
    let key = headers.idempotency_key.as_deref();
    key.map(|key| IdempotencyKey::parse(key).ok_or_else(malformed)).transpose()
}

/// A key with what was sent under it.
fn fingerprint(key: IdempotencyKey, members: &Members<'_>) -> Result<Idempotency, Error> {
    let canonical = members.canonical().map_err(|error| Cause::new(format!("canonical form: {error}")))?;
    Ok(Idempotency { key, fingerprint: Fingerprint::of(&canonical) })
}

/// The entity tags of a header, where it is given.
fn entity_tags(name: &'static str, header: Option<&str>) -> Result<Option<EntityTags>, Problem> {
    let malformed =
        || Problem::header(name, Code::InvalidEtag, "expected * or entity tags such as \"1\", found something else");
    header.map(|header| EntityTags::parse(header).ok_or_else(malformed)).transpose()
}

fn preconditions(headers: &Headers) -> Result<Preconditions, Problem> {
    let if_match = entity_tags("If-Match", headers.if_match.as_deref())?;
    Ok(Preconditions { if_match, if_none_match: entity_tags("If-None-Match", headers.if_none_match.as_deref())? })
}
