//! What a client sends to change a flow: the members that it gives, put in the place of the stored ones.
//!
//! A client may read a flow, edit it and send it back whole. So what cannot be changed is allowed where it is as it was
//! read, and `version` and `updatedAt` say from which version the edit was made.

use std::time::SystemTime;

use super::content::{no_flow, unknown_field};
use super::{Flow, Instant, Status};
use crate::error::Error;
use crate::json::{Member, Value, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// The members of an update, which are judged together with those of the flow that they change.
#[derive(Debug, Clone)]
pub struct Update<'body>(pub Vec<Member<'body>>);

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
    /// This flow's next version, with what `update` gives; `None` when that is what the flow has already.
    ///
    /// # Errors
    ///
    /// [`Code::VersionConflict`] when `update` was made from another version; else all problems, in the order of a
    /// flow's document, unknown members last; or the machine has no random bytes to give.
    pub fn updated(&self, now: SystemTime, update: &Update<'_>) -> Result<Option<Self>, Error> {
        let sent = |name: &str| update.0.iter().find(|member| member.name == name);
        let (version, updated_at) = (sent("version"), sent("updatedAt"));
        if let Some(Value::Unsigned(expected @ 1..)) = version.map(|member| &member.value)
            && *expected != self.version
        {
            let error = format!("expected the flow at version {expected}, found it at version {}", self.version);
            return Err(Problem::new("/version", Code::VersionConflict, error).into());
        }
        if let Some(Value::String(text)) = updated_at.map(|member| &member.value)
            && *text != self.updated_at.as_str()
            && let Some(expected) = Instant::parse(text)
            && expected != self.updated_at
        {
            let error = format!("expected the flow as of {expected}, found it as of {}", self.updated_at);
            return Err(Problem::new("/updatedAt", Code::VersionConflict, error).into());
        }

        let mut problems = Vec::new();
        problems.extend(changed("/_id", sent("_id"), self.id.as_str()));
        problems.extend(changed("/project", sent("project"), self.content.project.as_str()));
        problems.extend(changed("/type", sent("type"), self.content.flow_type.as_str()));
        let status = sent("status").map_or(Ok(self.status), status);
        problems.extend(status.clone().err());
        problems.extend(unusable_version(version));
        let content = match self.content.with(&update.0) {
            Err(Error::Invalid(found)) => {
                problems.extend(found);
                None
            }
            content => Some(content?),
        };
        problems.extend(changed("/client", sent("client"), self.client.as_str()));
        problems.extend(changed("/createdAt", sent("createdAt"), self.created_at.as_str()));
        problems.extend(changed("/updatedAt", updated_at, self.updated_at.as_str()));
        let unknown = update.0.iter().filter(|member| !MEMBERS.contains(&member.name.as_ref()));
        problems.extend(unknown.map(|member| unknown_field(pointer_step(&member.name), &MEMBERS)));

        // Those of a step too.
        problems.sort_by_key(|problem| problem.code == Code::UnknownField);

        match (Problems::found(problems), status, content) {
            (None, Ok(status), Some(content)) if status == self.status && content == self.content => Ok(None),
            (None, Ok(status), Some(content)) => Ok(Some(self.next(now, status, content)?)),
            (Some(problems), ..) => Err(problems.into()),
            // What is missing has left its problem.
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

fn status(sent: &Member<'_>) -> Result<Status, Problem> {
    let named = match &sent.value {
        Value::String(text) => Status::parse(text),
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
