//! The domain: project flows and what they are made of. A wrong value cannot be built; only what is stored is not checked
//! again, since rules change.
//!
//! How a flow becomes an item is left to [`crate::item`].

mod change;
pub mod content;
mod decimal;
mod document;
mod id;
pub mod members;
mod place;
mod release;
pub mod rules;
pub mod text;
mod timestamp;
pub mod update;
pub mod warnings;

use std::time::SystemTime;

use serde_json::value::{RawValue, to_raw_value};

pub use change::{Action, Author, Change, ChangeDocument, Digest, MAX_AUTHOR, MAX_NOTE, Note};
pub use content::{Content, MAX_CONTENT};
pub use document::Document;
pub use id::{Client, Fingerprint, FlowId, Idempotency, IdempotencyKey, MAX_CLIENT, MAX_KEY, WriteToken, random_text};
pub use place::Place;
pub use release::{Definition, Head, Release, ReleaseDocument, Released, ReleasedVersion, flow_is_live};
pub use timestamp::{Moment, Timestamp};
pub use update::{Edit, EditKind};
pub use warnings::Warning;

use self::members::{Description, FlowType, Json, Name, ProjectId};
use crate::error::{Cause, Error};
use crate::problem::{Code, Problem};

/// Where a flow is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Draft,
    Active,
    Paused,
    /// Only its history is left.
    Deleted,
}

impl Status {
    /// What a client can set.
    pub const SETTABLE: [Self; 3] = [Self::Draft, Self::Active, Self::Paused];
    /// What a client can ask for in a list.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Active, Self::Paused, Self::Deleted];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that name, or `None` when a client cannot set it.
    pub fn settable(text: &str) -> Option<Self> {
        Self::SETTABLE.into_iter().find(|one| one.as_str() == text)
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// The most digits of a version.
pub const MAX_VERSION_DIGITS: usize = 10;

/// The version that `text` spells: 1 to 10 digits, the first of them not 0.
pub fn parse_version(text: &str) -> Option<u64> {
    let version: u64 = text.parse().ok()?;
    (version > 0 && text.len() <= MAX_VERSION_DIGITS && version.to_string() == text).then_some(version)
}

/// A flow without `configuration` and `steps`, as lists show it.
#[derive(Debug, Clone)]
pub struct Summary {
    pub id: FlowId,
    pub project: ProjectId,
    pub flow_type: FlowType,
    pub status: Status,
    /// From 1.
    pub version: u64,
    pub name: Name,
    pub description: Option<Description>,
    pub client: Client,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// A flow as it stands in the table, at one of its versions.
#[derive(Debug, Clone)]
pub struct Flow {
    pub summary: Summary,
    pub configuration: Json,
    pub steps: Json,
    /// The call that wrote this version. A create without an idempotency key has none: its random id is the proof.
    pub write_token: Option<WriteToken>,
    /// Identifies the content that was sent with the idempotency key; `None` for a flow that was created without one.
    pub fingerprint: Option<Fingerprint>,
    /// Who wrote this version, and why.
    pub change: Change,
    /// `None` for a version that was written before versions had digests.
    pub digest: Option<Digest>,
}

impl Flow {
    /// A new flow: a draft at version 1.
    pub fn create(
        client: Client,
        now: SystemTime,
        content: Content,
        idempotency: Option<Idempotency>,
        change: Change,
    ) -> Result<Self, Cause> {
        let (id, write_token, fingerprint) = match idempotency {
            None => (FlowId::random()?, None, None),
            Some(Idempotency { key, fingerprint }) => {
                (FlowId::of_key(&client, &key), Some(WriteToken::random()?), Some(fingerprint))
            }
        };
        let Content { project, flow_type, name, description, configuration, steps } = content;
        let (status, version, created_at) = (Status::Draft, 1, Moment::from(now));
        let updated_at = created_at.clone();
        let summary =
            Summary { id, project, flow_type, status, version, name, description, client, created_at, updated_at };
        Self { summary, configuration, steps, write_token, fingerprint, change, digest: None }.chained()
    }

    /// The same new flow, created at another time.
    pub fn created_anew(&self, now: SystemTime) -> Result<Self, Cause> {
        let mut flow = Self { digest: None, ..self.clone() };
        flow.summary.created_at = now.into();
        flow.summary.updated_at = flow.summary.created_at.clone();
        flow.chained()
    }

    /// The next version, with this content. The call that writes it adds its token.
    ///
    /// `updatedAt` never goes back, whatever the clock says, so that one version is in force at each moment.
    fn next(mut self, now: SystemTime, status: Status, change: Change) -> Result<Self, Cause> {
        self.summary.status = status;
        self.summary.version += 1;
        self.summary.updated_at = self.summary.updated_at.max(now.into());
        self.write_token = None;
        self.change = change;
        self.chained()
    }

    /// This version with its own digest in place of the one before it.
    fn chained(mut self) -> Result<Self, Cause> {
        self.digest = Some(self.digest_after(self.digest.as_ref())?);
        Ok(self)
    }

    /// The digest that this version has after a version with `previous`.
    pub fn digest_after(&self, previous: Option<&Digest>) -> Result<Digest, Cause> {
        let change = to_raw_value(&self.change.document(None)).map_err(|error| Cause::new(error.to_string()))?;
        Ok(Digest::of(previous, self.document()?.get(), change.get()))
    }

    /// What this version did.
    pub const fn action(&self) -> Action {
        match (self.summary.version, self.summary.status, self.change.restored) {
            (1, ..) => Action::Created,
            (_, Status::Deleted, _) => Action::Deleted,
            (_, _, Some(_)) => Action::Restored,
            (_, _, None) => Action::Updated,
        }
    }

    /// The text of the flow's document, as every operation answers it.
    pub fn document(&self) -> Result<Box<RawValue>, Cause> {
        to_raw_value(&Document::of_flow(self)).map_err(|error| Cause::new(error.to_string()))
    }

    /// Whether `next`, the version after this one, is no longer active.
    pub fn is_deactivated_by(&self, next: &Self) -> bool {
        self.summary.status == Status::Active && next.summary.status != Status::Active
    }

    /// Refuses a deleted flow as one that does not exist.
    pub fn check_undeleted(&self) -> Result<(), Error> {
        match self.summary.status {
            Status::Draft | Status::Active | Status::Paused => Ok(()),
            Status::Deleted => Err(Error::ProjectFlowNotFound),
        }
    }

    /// The version that deletes this flow. Its content stays, to be read in its history.
    ///
    /// # Errors
    ///
    /// [`Code::FlowIsActive`].
    pub fn delete(&self, now: SystemTime, change: Change) -> Result<Self, Error> {
        match self.summary.status {
            Status::Draft | Status::Paused | Status::Deleted => Ok(self.clone().next(now, Status::Deleted, change)?),
            Status::Active => {
                let error = "expected a flow that is not active, found it active: pause it first";
                Err(Problem::new("/status", Code::FlowIsActive, error).into())
            }
        }
    }

    /// The next version, with the content of `past`. The status stays; a deleted flow comes back as a draft.
    pub fn restore(&self, now: SystemTime, past: &Self, change: Change) -> Result<Self, Cause> {
        let status = match self.summary.status {
            Status::Draft | Status::Active | Status::Paused => self.summary.status,
            Status::Deleted => Status::Draft,
        };
        let mut restored = self.clone();
        restored.summary.name.clone_from(&past.summary.name);
        restored.summary.description.clone_from(&past.summary.description);
        restored.configuration.clone_from(&past.configuration);
        restored.steps.clone_from(&past.steps);
        restored.next(now, status, Change { restored: Some(past.summary.version), ..change })
    }
}
