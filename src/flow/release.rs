//! What is live in a place, and the releases that made it so.
//!
//! `status` says what may be used. A release says what is used, and since when. Releases of a place are numbered 1, 2, 3 …
//! without a gap, and a release never changes.

use std::time::SystemTime;

use serde::Serialize;

use super::members::{Found, FromMember, Json};
use super::{
    Action, Author, Change, Digest, Flow, FlowId, Moment, Note, Place, Status, Summary, Timestamp, WriteToken,
};
use crate::error::{Cause, Error};
use crate::json::Members;
use crate::problem::{Code, Problem, ProblemList};

/// A release of a place: it puts a version of a flow in force, or withdraws what was.
#[derive(Debug, Clone)]
pub struct Release {
    /// From 1.
    pub number: u64,
    pub since: Moment,
    /// Who released, and why.
    pub change: Change,
    /// What is live from then on; `None` for nothing.
    pub version: Option<ReleasedVersion>,
    /// Whether it was made under the rule of four eyes, and so passed a review.
    pub reviewed: bool,
    /// Proves this release and all before it.
    pub digest: Option<Digest>,
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
    /// The release that follows `previous`. `since` always rises, whatever the clock says, so that one release is in force at
    /// each moment, and moments sort as releases do. The call that writes it adds its token.
    fn after(previous: Option<&Self>, now: SystemTime, version: Option<ReleasedVersion>, change: Change) -> Self {
        let now = Moment::from(now);
        let (number, since) = match previous {
            None => (1, now),
            Some(previous) => (previous.number + 1, previous.since.next().map_or(now.clone(), |next| now.max(next))),
        };
        Self { number, since, change, version, reviewed: false, digest: None, write_token: None }
    }

    /// What it does to its place.
    pub const fn action(&self) -> Action {
        match self.version {
            Some(_) => Action::Released,
            None => Action::Withdrawn,
        }
    }

    /// The digest of this release after one with `previous`. It puts in force the version with the digest `version`.
    pub fn digest_after(&self, previous: Option<&Digest>, version: Option<&Digest>) -> Result<Digest, Cause> {
        let text = serde_json::to_string(&ReleaseDocument { digest: None, ..self.document(None) });
        let text = text.map_err(|error| Cause::new(error.to_string()))?;
        Ok(Digest::of(previous, version.map_or("", Digest::as_str), &text))
    }

    /// This release with its digest.
    fn chained(self, previous: Option<&Self>, version: Option<&Digest>) -> Result<Self, Cause> {
        let previous = previous.and_then(|previous| previous.digest.as_ref());
        Ok(Self { digest: Some(self.digest_after(previous, version)?), ..self })
    }

    /// The release as the API shows it. It ended at `until`, if it has.
    pub fn document<'release>(&'release self, until: Option<&'release Timestamp>) -> ReleaseDocument<'release> {
        ReleaseDocument {
            number: self.number,
            id: self.version.as_ref().map(|version| version.id.as_str()),
            version: self.version.as_ref().map(|version| version.version),
            since: Some(self.since.second().as_str()),
            until: until.map(Timestamp::as_str),
            by: self.change.by.as_ref().map(Author::as_str),
            note: self.change.note.as_ref().map(Note::as_str),
            reviewed: self.reviewed.then_some(true),
            digest: self.digest.as_ref().map(Digest::as_str),
        }
    }
}

impl ReleaseDocument<'_> {
    /// The same for a release that is not in force.
    #[must_use]
    pub fn of_dry_run(self) -> Self {
        Self { since: None, digest: None, ..self }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'release str>,
}

/// A release of a place, usually the newest, and the flow that it is about.
#[derive(Debug, Clone)]
pub struct Head {
    pub release: Release,
    /// What it puts in force; or withdraws, which the item of what is live does not keep.
    pub flow: Option<Released>,
}

/// A version of a flow that was released.
#[derive(Debug, Clone)]
pub struct Released {
    pub summary: Summary,
    /// `None` where the item has no room for it.
    pub definition: Option<Definition>,
}

/// What a flow asks for.
#[derive(Debug, Clone)]
pub struct Definition {
    pub configuration: Json,
    pub steps: Json,
}

impl Head {
    /// What is live, with the release that put it in force.
    pub fn live(head: Option<Self>) -> Result<(Released, Release), Error> {
        match head {
            Some(Self { release, flow: Some(flow) }) if release.version.is_some() => Ok((flow, release)),
            Some(_) | None => Err(Error::NoLiveFlow),
        }
    }

    /// Whether this version of this flow is live.
    pub fn names(&self, id: &FlowId, version: u64) -> bool {
        self.release.version.as_ref().is_some_and(|live| live.id == *id && live.version == version)
    }

    /// The release that puts `flow` in force after `head`, the newest of its place.
    pub fn release(
        head: Option<&Self>,
        now: SystemTime,
        flow: Flow,
        change: Change,
        reviewed: bool,
    ) -> Result<Self, Cause> {
        let Flow { summary, configuration, steps, digest, .. } = flow;
        let version = ReleasedVersion { id: summary.id.clone(), version: summary.version };
        let previous = head.map(|head| &head.release);
        let release = Release { reviewed, ..Release::after(previous, now, Some(version), change) };
        let definition = Some(Definition { configuration, steps });
        Ok(Self { release: release.chained(previous, digest.as_ref())?, flow: Some(Released { summary, definition }) })
    }

    /// The release that withdraws what is live.
    ///
    /// # Errors
    ///
    /// [`Error::NoLiveFlow`] if nothing is.
    pub fn withdraw(head: Option<&Self>, now: SystemTime, change: Change) -> Result<Self, Error> {
        let (Released { summary, .. }, previous) = Self::live(head.cloned())?;
        let release = Release::after(Some(&previous), now, None, change).chained(Some(&previous), None)?;
        Ok(Self { release, flow: Some(Released { summary, definition: None }) })
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
