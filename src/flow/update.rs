//! Changes a flow: the members that a client sends replace the stored ones, or are merged into them.
//!
//! A client may read a flow, edit it and send it back whole. So members that cannot change are accepted with their stored
//! values. `version` and `updatedAt` say which version was edited.

use std::borrow::Cow;
use std::time::SystemTime;

use super::content::no_flow;
use super::members::{Description, Found, Name};
use super::rules::{Check, unknown_field};
use super::{Change, Flow, Status, Summary, Timestamp};
use crate::error::Error;
use crate::json::{Member, Value, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// The members of an update. They are checked together with the flow that they change.
#[derive(Debug, Clone)]
pub struct Edit<'body> {
    pub members: Vec<Member<'body>>,
    pub kind: EditKind,
}

/// What an update does with `configuration`. All other members are replaced whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
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
    /// flow's document, unknown members last; or the machine has no random bytes to give.
    pub fn edit(&self, now: SystemTime, update: &Edit<'_>, change: Change) -> Result<Option<Self>, Error> {
        let Summary { id, project, flow_type, status, version, client, created_at, updated_at, .. } = &self.summary;
        let sent = |name: &str| update.members.iter().find(|member| member.name == name);
        let (sent_version, sent_updated_at) = (sent("version"), sent("updatedAt"));
        if let Some(Value::Unsigned(expected @ 1..)) = sent_version.map(|member| &member.value)
            && expected != version
        {
            let error = format!("expected the flow at version {expected}, found it at version {version}");
            return Err(Problem::new("/version", Code::VersionConflict, error).into());
        }
        if let Some(Value::String(text)) = sent_updated_at.map(|member| &member.value)
            && *text != updated_at.as_str()
            && let Some(expected) = Timestamp::parse(text)
            && expected != *updated_at
        {
            let error = format!("expected the flow as of {expected}, found it as of {updated_at}");
            return Err(Problem::new("/updatedAt", Code::VersionConflict, error).into());
        }

        let mut problems = Vec::new();
        problems.extend(changed("/_id", sent("_id"), id.as_str()));
        problems.extend(changed("/project", sent("project"), project.as_str()));
        problems.extend(changed("/type", sent("type"), flow_type.as_str()));
        let new_status = sent("status").map_or(Ok(*status), parse_status);
        problems.extend(new_status.clone().err());
        problems.extend(unusable_version(sent_version));
        let merged = match self.merge(update) {
            Err(Error::Invalid(found)) => {
                problems.extend(found);
                None
            }
            merged => Some(merged?),
        };
        problems.extend(changed("/client", sent("client"), client.as_str()));
        problems.extend(changed("/createdAt", sent("createdAt"), created_at.as_str()));
        problems.extend(changed("/updatedAt", sent_updated_at, updated_at.as_str()));
        let unknown = update.members.iter().filter(|member| !MEMBERS.contains(&member.name.as_ref()));
        problems.extend(unknown.map(|member| unknown_field(pointer_step(&member.name), &MEMBERS)));

        // Unknown members come last, those of a step too.
        problems.sort_by_key(|problem| problem.code == Code::UnknownField);

        match (Problems::found(problems), new_status, merged) {
            (None, Ok(new_status), Some(merged)) if new_status == *status && self.says_the_same(&merged) => Ok(None),
            (None, Ok(new_status), Some(merged)) => Ok(Some(merged.next(now, new_status, change)?)),
            (Some(problems), ..) => Err(problems.into()),
            (None, ..) => Err(no_flow().into()),
        }
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
    /// # Errors
    ///
    /// All problems of name, description, configuration and steps, in that order; or what is stored is unreadable.
    fn merge(&self, update: &Edit<'_>) -> Result<Self, Error> {
        let member = |name: &str| update.members.iter().find(|member| member.name == name);
        let mut check = Check::default();
        let mut summary = self.summary.clone();
        if let Some(member) = member("name") {
            let name = check.note("/name", Code::InvalidName, Name::from_member(Found(Some(&member.value))));
            summary.name = name.unwrap_or(summary.name);
        }
        match member("description") {
            Some(Member { value: Value::Null, .. }) => summary.description = None,
            Some(member) => {
                let description = Description::from_member(Found(Some(&member.value)));
                summary.description = check.note("/description", Code::InvalidDescription, description);
            }
            None => {}
        }
        let (configuration, steps) = match (member("configuration"), member("steps")) {
            (None, None) => (Some(self.configuration.clone()), Some(self.steps.clone())),
            (configuration, steps) => {
                let is_patch =
                    |sent: &Member<'_>| update.kind == EditKind::MergePatch && matches!(sent.value, Value::Object(_));
                let (patch, replacement) = match configuration {
                    Some(sent) if is_patch(sent) => (Some(sent), None),
                    sent => (None, sent),
                };
                let kept = match patch {
                    Some(patch) => Cow::Owned(self.configuration.patched(patch.text)?),
                    None => Cow::Borrowed(&self.configuration),
                };
                let kept = kept.member("configuration")?;
                let stored_steps = self.steps.member("steps")?;
                let configuration = replacement.unwrap_or(&kept);
                let steps = steps.unwrap_or(&stored_steps);
                (check.configuration(Some(configuration)), check.steps(Some(steps), Some(configuration)))
            }
        };

        match (check.finish(), configuration, steps) {
            (None, Some(configuration), Some(steps)) => Ok(Self { summary, configuration, steps, ..self.clone() }),
            (Some(problems), ..) => Err(problems.into()),
            (None, ..) => Err(no_flow().into()),
        }
    }
}

/// The problem with a member that cannot be changed and is not as it is stored.
fn changed(path: &str, sent: Option<&Member<'_>>, stored: &str) -> Option<Problem> {
    let value = &sent?.value;
    let unchanged = matches!(value, Value::String(text) if text == stored);
    let error = || format!("expected {stored:?}, which cannot be changed, found {value}");
    (!unchanged).then(|| Problem::new(path, Code::ImmutableField, error()))
}

fn parse_status(sent: &Member<'_>) -> Result<Status, Problem> {
    let named = match &sent.value {
        Value::String(text) => Status::settable(text),
        _ => None,
    };
    let error = || format!("expected {}, found {}", Status::SETTABLE.map(Status::as_str).join(", "), sent.value);
    named.ok_or_else(|| Problem::new("/status", Code::InvalidStatus, error()))
}

fn unusable_version(sent: Option<&Member<'_>>) -> Option<Problem> {
    match &sent?.value {
        Value::Unsigned(1..) => None,
        other => {
            let error = format!("expected the version that was read, an integer from 1, found {other}");
            Some(Problem::new("/version", Code::InvalidVersion, error))
        }
    }
}
