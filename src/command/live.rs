//! Requests about live flows → [`LiveCommand`].

use super::{FLOWS_LISTED, entity_tags, preconditions};
use crate::body::{self, Body, MediaType};
use crate::cursor::{PlaceCursor, ReleaseCursor};
use crate::error::Error;
use crate::etag::{EntityTags, Preconditions};
use crate::event::Event;
use crate::flow::members::{FlowType, ProjectId};
use crate::flow::{Note, Place, ReleasedVersion, Timestamp};
use crate::json;
use crate::problem::{Code, Problem};
use crate::query::Parameters;
use crate::route::{LiveOperation, Segments};

/// The releases of a page of a place's releases, unless `limit` says otherwise, and at most.
pub const RELEASES_LISTED: (usize, usize) = (100, 100);

/// What a request asks for, all of it valid; a release is judged together with the flow that it names.
#[derive(Debug, Clone)]
pub enum LiveCommand {
    List {
        project: Option<ProjectId>,
        after: Option<PlaceCursor>,
        limit: usize,
    },
    /// `known`: the releases that the client has already.
    Retrieve {
        place: Place,
        known: Option<EntityTags>,
    },
    RetrieveAsOf {
        place: Place,
        moment: Timestamp,
    },
    Release {
        place: Place,
        version: ReleasedVersion,
        preconditions: Preconditions,
        note: Option<Note>,
    },
    Withdraw {
        place: Place,
        preconditions: Preconditions,
        note: Option<Note>,
    },
    Releases {
        place: Place,
        after: Option<ReleaseCursor>,
        limit: usize,
    },
}

impl LiveCommand {
    /// What `event`, with this `body`, asks of an operation on the place that the path names.
    ///
    /// # Errors
    ///
    /// The first of: path, parameters, headers, media type, encoding, size, JSON, content.
    pub fn parse(
        operation: LiveOperation,
        segments: Segments<'_>,
        event: &Event,
        body: &Body<'_>,
    ) -> Result<Self, Error> {
        let (query, headers) = (event.query(), event.headers());
        match operation {
            LiveOperation::List => {
                let parameters = Parameters::read(&query, &["project", "limit", "cursor"])?;
                let project = parameters.project()?;
                let is_listed =
                    |PlaceCursor(place): &PlaceCursor| project.as_ref().is_none_or(|one| *one == place.project);
                let after = parameters.cursor(|text| PlaceCursor::parse(text).filter(is_listed))?;
                let limit = parameters.limit(FLOWS_LISTED)?;
                body::refuse(headers, body)?;
                Ok(Self::List { project, after, limit })
            }
            LiveOperation::Retrieve => {
                let place = place(segments)?;
                let moment = Parameters::read(&query, &["asOf"])?.as_of()?;
                let known = entity_tags("If-None-Match", headers.if_none_match.as_deref())?;
                body::refuse(headers, body)?;
                Ok(match moment {
                    Some(moment) => Self::RetrieveAsOf { place, moment },
                    None => Self::Retrieve { place, known },
                })
            }
            LiveOperation::Release => {
                let place = place(segments)?;
                let note = Parameters::read(&query, &["note"])?.note()?;
                let preconditions = preconditions(headers)?;
                let members = json::read_object(body::read(headers, body, MediaType::Json)?)?;
                let version = ReleasedVersion::parse(&members)?;
                Ok(Self::Release { place, version, preconditions, note })
            }
            LiveOperation::Withdraw => {
                let place = place(segments)?;
                let note = Parameters::read(&query, &["note"])?.note()?;
                let preconditions = preconditions(headers)?;
                body::refuse(headers, body)?;
                Ok(Self::Withdraw { place, preconditions, note })
            }
            LiveOperation::Releases => {
                let place = place(segments)?;
                let parameters = Parameters::read(&query, &["limit", "cursor"])?;
                let is_listed = |cursor: &ReleaseCursor| cursor.place == place;
                let after = parameters.cursor(|text| ReleaseCursor::parse(text).filter(is_listed))?;
                let limit = parameters.limit(RELEASES_LISTED)?;
                body::refuse(headers, body)?;
                Ok(Self::Releases { place, after, limit })
            }
        }
    }

    /// Whether it may write.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Release { .. } | Self::Withdraw { .. } => true,
            Self::List { .. } | Self::Retrieve { .. } | Self::RetrieveAsOf { .. } | Self::Releases { .. } => false,
        }
    }
}

/// The place that a path names.
fn place(segments: Segments<'_>) -> Result<Place, Problem> {
    let project = ProjectId::parse(segments.project)
        .ok_or_else(|| Problem::new("", Code::InvalidProjectId, "expected a project in the path, found none"))?;
    let flow_type = FlowType::parse(segments.flow_type)
        .ok_or_else(|| Problem::new("", Code::InvalidFlowType, "expected a type in the path, found none"))?;
    Ok(Place { project, flow_type })
}
