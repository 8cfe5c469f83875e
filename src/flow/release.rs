//! What is live in a place, and the releases that made it so.
//!
//! `status` says what may be used. A release says what is used, and since when. Releases of a place are numbered 1, 2, 3 …
//! without a gap, and a release never changes.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::members::{FlowType, Found, FromMember, ProjectId};
use super::{Author, Change, Flow, FlowId, Note, Status, Summary, Timestamp, WriteToken};
use crate::error::Error;
use crate::json::Members;
use crate::problem::{Code, Problem, ProblemList};

/// Where a flow can be live. A client has one place for each project and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub project: ProjectId,
    pub flow_type: FlowType,
}

impl Place {
    /// The place of a flow.
    pub fn of(summary: &Summary) -> Self {
        Self { project: summary.project.clone(), flow_type: summary.flow_type }
    }

    /// The place that `text` names, as in `project_123456789#login`. No project has a `#`.
    pub fn parse(text: &str) -> Option<Self> {
        let (project, flow_type) = text.split_once('#')?;
        Some(Self { project: ProjectId::parse(project)?, flow_type: FlowType::parse(flow_type)? })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.project.as_str(), self.flow_type.as_str())
    }
}

/// A release of a place: it puts a version of a flow in force, or withdraws what was.
#[derive(Debug, Clone)]
pub struct Release {
    /// From 1.
    pub number: u64,
    pub since: Timestamp,
    /// Who released, and why.
    pub change: Change,
    /// What is live from then on; `None` for nothing.
    pub version: Option<ReleasedVersion>,
    /// Whether it was made under the rule of four eyes, and so passed a review.
    pub reviewed: bool,
    /// The call that wrote it. Lists do not read it.
    pub write_token: Option<WriteToken>,
}

/// The version of a flow that is live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedVersion {
    pub id: FlowId,
    pub version: u64,
}

impl ReleasedVersion {
    /// Checks the members of a body. A text that is no id names no flow.
    ///
    /// # Errors
    ///
    /// [`Error::ProjectFlowNotFound`]; or all problems, in the order `_id`, `version`, unknown members.
    pub fn parse(members: &Members<'_>) -> Result<Self, Error> {
        let mut problems = ProblemList::default();
        let (id, version) = (problems.read(members), problems.read(members));
        problems.add(members.unknown("", &MEMBERS));
        problems.finish()?;
        let (Id(id), Number(version)) = (id?, version?);
        Ok(Self { id: id.ok_or(Error::ProjectFlowNotFound)?, version })
    }
}

/// The id that a body names.
struct Id(Option<FlowId>);

impl FromMember for Id {
    const NAME: &'static str = "_id";
    const CODE: Code = Code::InvalidFlowId;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected the _id of a flow, found {found}"))?;
        Ok(Self(FlowId::parse(text)))
    }
}

/// The version that a body names.
struct Number(u64);

impl FromMember for Number {
    const NAME: &'static str = "version";
    const CODE: Code = Code::InvalidVersion;

    fn from_member(found: Found<'_, '_>) -> Result<Self, String> {
        let error = || format!("expected a version of the flow, an integer from 1, found {found}");
        found.positive().map(Self).ok_or_else(error)
    }
}

/// What a release may name.
const MEMBERS: [&str; 2] = ["_id", "version"];

impl Release {
    /// The release that follows `previous`. `since` never goes back, whatever the clock says, so that one release is in
    /// force at each moment. The call that writes it adds its token.
    fn after(previous: Option<&Self>, now: SystemTime, version: Option<ReleasedVersion>, change: Change) -> Self {
        let now = Timestamp::from(now);
        let (number, since) = match previous {
            None => (1, now),
            Some(previous) => (previous.number + 1, now.max(previous.since.clone())),
        };
        Self { number, since, change, version, reviewed: false, write_token: None }
    }

    /// The release as the API shows it. It ended at `until`, if it has.
    pub fn document<'release>(&'release self, until: Option<&'release Timestamp>) -> ReleaseDocument<'release> {
        ReleaseDocument {
            number: self.number,
            id: self.version.as_ref().map(|version| version.id.as_str()),
            version: self.version.as_ref().map(|version| version.version),
            since: Some(self.since.as_str()),
            until: until.map(Timestamp::as_str),
            by: self.change.by.as_ref().map(Author::as_str),
            note: self.change.note.as_ref().map(Note::as_str),
            reviewed: self.reviewed.then_some(true),
        }
    }
}

impl ReleaseDocument<'_> {
    /// The same for a release that is not in force.
    #[must_use]
    pub fn of_dry_run(self) -> Self {
        Self { since: None, ..self }
    }
}

/// A release as the API shows it, its members always in this order.
#[derive(Debug, Serialize)]
pub struct ReleaseDocument<'release> {
    number: u64,
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'release str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'release str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<&'release str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'release str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'release str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reviewed: Option<bool>,
}

/// The newest release of a place, and the flow that it puts in force.
#[derive(Debug, Clone)]
pub struct Head {
    pub release: Release,
    /// `None` if nothing is live.
    pub flow: Option<Flow>,
}

impl Head {
    /// The flow that the newest release of a place puts in force, with the release.
    pub fn live(head: Option<Self>) -> Result<(Flow, Release), Error> {
        match head {
            Some(Self { release, flow: Some(flow) }) => Ok((flow, release)),
            Some(Self { flow: None, .. }) | None => Err(Error::NoLiveFlow),
        }
    }

    /// Whether this version of this flow is live.
    pub fn names(&self, id: &FlowId, version: u64) -> bool {
        self.release.version.as_ref().is_some_and(|live| live.id == *id && live.version == version)
    }

    /// The release that puts `flow` in force after `head`, the newest of its place.
    pub fn release(head: Option<&Self>, now: SystemTime, flow: Flow, change: Change) -> Self {
        let version = ReleasedVersion { id: flow.summary.id.clone(), version: flow.summary.version };
        let release = Release::after(head.map(|head| &head.release), now, Some(version), change);
        Self { release, flow: Some(flow) }
    }

    /// The release that withdraws what is live.
    ///
    /// # Errors
    ///
    /// [`Error::NoLiveFlow`] if nothing is.
    pub fn withdraw(head: Option<&Self>, now: SystemTime, change: Change) -> Result<Self, Error> {
        match head {
            Some(Self { release, flow: Some(_) }) => {
                Ok(Self { release: Release::after(Some(release), now, None, change), flow: None })
            }
            Some(Self { flow: None, .. }) | None => Err(Error::NoLiveFlow),
        }
    }
}

impl Flow {
    /// Whether this version may become live in `place`. The newest version of the flow decides too: the flow may have been
    /// paused since.
    ///
    /// # Errors
    ///
    /// The first of: the flow is deleted, belongs to another project, has another type, is not active.
    pub fn check_releasable(&self, newest: &Self, place: &Place) -> Result<(), Error> {
        newest.check_undeleted()?;
        let Summary { project, flow_type, .. } = &self.summary;
        if *project != place.project {
            let error = format!("expected a flow of the project {}, found one of another", place.project.as_str());
            return Err(Problem::new("/_id", Code::InvalidProjectId, error).into());
        }
        if *flow_type != place.flow_type {
            let (expected, found) = (place.flow_type.as_str(), flow_type.as_str());
            let error = format!("expected a flow of the type {expected}, found {found}");
            return Err(Problem::new("/_id", Code::InvalidFlowType, error).into());
        }
        for (path, flow) in [("/version", self), ("/_id", newest)] {
            let Summary { status, version, .. } = &flow.summary;
            if *status != Status::Active {
                let error = format!("expected version {version} to be active, found it {}", status.as_str());
                return Err(Problem::new(path, Code::FlowNotActive, error).into());
            }
        }
        Ok(())
    }
}

/// A flow that is live and would no longer be active.
pub fn flow_is_live() -> Error {
    let error = "expected a flow that is not live, found it live: withdraw it first, or release another";
    Problem::new("/status", Code::FlowIsLive, error).into()
}
