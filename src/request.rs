//! Station 2, parse: what an operation reads of a request. The parts are read in [`crate::query`] and [`crate::body`].

use crate::body::{self, Body, MediaType};
use crate::error::Error;
use crate::etag::{EntityTags, Preconditions};
use crate::event::{Event, Headers};
use crate::flow::members::{FlowType, ProjectId};
use crate::flow::{FlowId, IdempotencyKey, MAX_KEY, Place, parse_version};
use crate::json::{self, Members};
use crate::problem::{Code, Problem};
use crate::query::Parameters;
use crate::route::{Route, Segments};
use crate::store::Run;

/// A request to an operation, its path and the names of its parameters read already.
pub struct Request<'event> {
    pub parameters: Parameters<'event>,
    /// `dryRun`
    pub run: Run,
    headers: &'event Headers,
    body: &'event Body<'event>,
    media_type: Option<MediaType>,
}

impl<'event> Request<'event> {
    /// Reads `event`, whose body is `body`, as a request to `route`.
    ///
    /// # Errors
    ///
    /// A parameter that the route does not have, or has more than once.
    pub fn read(route: &Route, event: &'event Event, body: &'event Body<'event>) -> Result<Self, Error> {
        let parameters = Parameters::read(&event.query(), route.parameters)?;
        let run = if route.parameters.contains(&"dryRun") { parameters.run()? } else { Run::Real };
        Ok(Self { parameters, run, headers: event.headers(), body, media_type: route.body })
    }

    /// What a write is bound to.
    pub fn preconditions(&self) -> Result<Preconditions, Problem> {
        let if_match = entity_tags("If-Match", self.headers.if_match.as_deref())?;
        Ok(Preconditions { if_match, if_none_match: self.known()? })
    }

    /// `If-None-Match`: what the client has already.
    pub fn known(&self) -> Result<Option<EntityTags>, Problem> {
        entity_tags("If-None-Match", self.headers.if_none_match.as_deref())
    }

    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let malformed = || {
            let error = format!("expected 1 to {MAX_KEY} visible ASCII characters, found others");
            Problem::header("Idempotency-Key", Code::InvalidIdempotencyKey, error)
        };
        let key = self.headers.idempotency_key.as_deref();
        key.map(|key| IdempotencyKey::parse(key).ok_or_else(malformed)).transpose()
    }

    /// The members of the body, which has the media type of the route.
    pub fn members(&self) -> Result<Members<'event>, Problem> {
        json::read_object(body::read(self.headers, self.body, self.media_type.unwrap_or(MediaType::Json))?)
    }

    /// Refuses a body where the route has none.
    pub fn check_body(&self) -> Result<(), Error> {
        match self.media_type {
            Some(_) => Ok(()),
            None => Ok(body::refuse(self.headers, self.body)?),
        }
    }
}

/// The entity tags of a header, where it is given.
fn entity_tags(name: &'static str, header: Option<&str>) -> Result<Option<EntityTags>, Problem> {
    let malformed =
        || Problem::header(name, Code::InvalidEtag, "expected * or entity tags such as \"1\", found something else");
    header.map(|header| EntityTags::parse(header).ok_or_else(malformed)).transpose()
}

/// What the path of a route names.
pub trait Path: Sized {
    fn parse(segments: &Segments<'_>) -> Result<Self, Error>;
}

/// The collection.
impl Path for () {
    fn parse(_: &Segments<'_>) -> Result<Self, Error> {
        Ok(())
    }
}

/// A flow. A text that is no id names none.
impl Path for FlowId {
    fn parse(segments: &Segments<'_>) -> Result<Self, Error> {
        Self::parse(segments.id).ok_or(Error::ProjectFlowNotFound)
    }
}

/// A version of a flow.
impl Path for (FlowId, u64) {
    fn parse(segments: &Segments<'_>) -> Result<Self, Error> {
        Ok((Path::parse(segments)?, parse_version(segments.version).ok_or(Error::ProjectFlowNotFound)?))
    }
}

impl Path for Place {
    fn parse(segments: &Segments<'_>) -> Result<Self, Error> {
        let project = ProjectId::parse(segments.project)
            .ok_or_else(|| Problem::new("", Code::InvalidProjectId, "expected a project in the path, found none"))?;
        let flow_type = FlowType::parse(segments.flow_type)
            .ok_or_else(|| Problem::new("", Code::InvalidFlowType, "expected a type in the path, found none"))?;
        Ok(Self { project, flow_type })
    }
}
