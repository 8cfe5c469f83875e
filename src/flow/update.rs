//! Changes a flow: the members that a client sends replace the stored ones, or are merged into them.
//!
//! A client may read a flow, edit it and send it back whole. So members that cannot change are accepted with their stored
//! values. `version` and `updatedAt` say which version was edited.

use std::time::SystemTime;

use super::content::check_size;
use super::members::Json;
use super::{Change, Flow, Summary, Timestamp};
use crate::error::Error;
use crate::json::{Members, Node, Value};
use crate::problem::{Code, Problem, ProblemList};

/// The members of an update. They are checked together with the flow that they change.
#[derive(Debug, Clone)]
pub struct Update<'body> {
    pub members: Members<'body>,
    pub kind: UpdateKind,
}

/// What an update does with `configuration`. All other members are replaced whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateKind {
    /// It is replaced whole.
    Replacement,
    /// It is merged member by member, at every depth (RFC 7396).
    MergePatch,
}

/// What an update may name, in the order of a flow's document.
const MEMBERS: [&str; 12] = [
    "_id",
    "project",
    "type",
    "status",
    "version",
    "name",
    "description",
    "configuration",
    "steps",
    "client",
    "createdAt",
    "updatedAt",
];

impl Flow {
    /// The next version, with the members of `update`; `None` when that changes nothing.
    ///
    /// # Errors
    ///
    /// [`Code::VersionConflict`] when `update` was made from another version; else all problems, in the order of a
    /// flow's document, unknown members last; else [`Code::FlowTooLarge`].
    pub fn update(&self, now: SystemTime, update: &Update<'_>, change: Change) -> Result<Option<Self>, Error> {
        let Summary { id, project, flow_type, status, version, client, created_at, updated_at, .. } = &self.summary;
        let (created_at, updated_at) = (created_at.second(), updated_at.second());
        let members = &update.members;
        let (sent_version, sent_updated_at) = (members.value("version"), members.value("updatedAt"));
        if let Some(expected) = sent_version.and_then(Value::positive)
            && expected != *version
        {
            let error = format!("expected the flow at version {expected}, found it at version {version}");
            return Err(Problem::new("/version", Code::VersionConflict, error).into());
        }
        if let Some(Value::String(text)) = sent_updated_at
            && *text != updated_at.as_str()
            && let Some(expected) = Timestamp::parse(text)
            && expected != *updated_at
        {
            let error = format!("expected the flow as of {expected}, found it as of {updated_at}");
            return Err(Problem::new("/updatedAt", Code::VersionConflict, error).into());
        }

        let mut problems = ProblemList::default();
        problems.add(changed("_id", members, id.as_str()));
        problems.add(changed("project", members, project.as_str()));
        problems.add(changed("type", members, flow_type.as_str()));
        let new_status = problems.read_given(members);
        problems.add(unusable_version(sent_version));
        let merged = self.merge(update, &mut problems);
        problems.add(changed("client", members, client.as_str()));
        problems.add(changed("createdAt", members, created_at.as_str()));
        problems.add(changed("updatedAt", members, updated_at.as_str()));
        problems.add(members.unknown("", &MEMBERS));
        problems.finish()?;

        let (new_status, merged) = (new_status?.unwrap_or(*status), merged?);
        if new_status == *status && self.says_the_same(&merged) {
            return Ok(None);
        }
        check_size(&merged)?;
        Ok(Some(merged.next(now, new_status, change)?))
    }

    /// Whether both have the same content. White space and escapes do not matter.
    fn says_the_same(&self, other: &Self) -> bool {
        self.summary.name == other.summary.name
            && self.summary.description == other.summary.description
            && self.configuration == other.configuration
            && self.steps == other.steps
    }

    /// This flow with the members of `update`; `description: null` removes the description. The result is checked as a
    /// whole: otherwise one update could add a step and the next could disable its section.
    ///
    /// The problems are those of name, description, configuration and steps, in that order.
    ///
    /// # Errors
    ///
    /// One of the problems, or what is stored is unreadable.
    fn merge(&self, update: &Update<'_>, problems: &mut ProblemList) -> Result<Self, Error> {
        let members = &update.members;
        let name = problems.read_given(members);
        let description = match members.value("description") {
            None => Ok(self.summary.description.clone()),
            Some(Value::Null) => Ok(None),
            Some(_) => problems.read(members).map(Some),
        };
        let (configuration, steps) = match (members.get("configuration"), members.get("steps")) {
            (None, None) => (Ok(self.configuration.clone()), Ok(self.steps.clone())),
            (configuration, steps) => {
                let (stored, stored_steps) = (self.configuration.tree("configuration")?, self.steps.tree("steps")?);
                let patched = match (update.kind, configuration) {
                    (UpdateKind::MergePatch, Some(patch @ Node { value: Value::Object(_), .. })) => {
                        Some(Json::patched(&stored, patch)?)
                    }
                    (UpdateKind::MergePatch | UpdateKind::Replacement, _) => None,
                };
                let patched = patched.as_ref().map(|patched| patched.tree("configuration")).transpose()?;
                let configuration = patched.as_ref().or(configuration).unwrap_or(&stored);
                let steps = steps.unwrap_or(&stored_steps);
                (problems.configuration(Some(configuration)), problems.steps(Some(steps), Some(configuration)))
            }
        };
        let summary = Summary {
            name: name?.unwrap_or_else(|| self.summary.name.clone()),
            description: description?,
            ..self.summary.clone()
        };
        Ok(Self { summary, configuration: configuration?, steps: steps?, ..self.clone() })
    }
}

/// The problem with a member that cannot be changed and is not as it is stored.
fn changed(name: &str, members: &Members<'_>, stored: &str) -> Option<Problem> {
    let sent = members.value(name)?;
    let unchanged = matches!(sent, Value::String(text) if text == stored);
    let error = || format!("expected {stored:?}, which cannot be changed, found {sent}");
    (!unchanged).then(|| Problem::new(format!("/{name}"), Code::ImmutableField, error()))
}

fn unusable_version(sent: Option<&Value<'_>>) -> Option<Problem> {
    let sent = sent.filter(|sent| sent.positive().is_none())?;
    let error = format!("expected the version that was read, an integer from 1, found {sent}");
    Some(Problem::new("/version", Code::InvalidVersion, error))
}
