//! A flow as the API shows it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::members::Description;
use super::{ChangeDocument, Flow, ReleaseDocument, Summary};

/// A flow as the API page shows it, its members in the same order; a summary has no `configuration` and `steps`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'flow> {
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    id: Option<&'flow str>,
    project: &'flow str,
    r#type: &'static str,
    status: &'static str,
    version: u64,
    name: &'flow str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'flow str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<&'flow RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'flow RawValue>,
    client: &'flow str,
    created_at: &'flow str,
    updated_at: &'flow str,
    /// Only in the list of a flow's versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeDocument<'flow>>,
    /// Only in the list of what is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseDocument<'flow>>,
}

impl<'flow> Document<'flow> {
    pub fn of_flow(flow: &'flow Flow) -> Self {
        let (configuration, steps) = (Some(flow.configuration.as_raw()), Some(flow.steps.as_raw()));
        Self { configuration, steps, ..Self::of_summary(&flow.summary) }
    }

    /// The same for a flow that has no id yet.
    #[must_use]
    pub fn without_id(self) -> Self {
        Self { id: None, ..self }
    }

    /// The same with who wrote the version, and why.
    #[must_use]
    pub fn with_change(self, change: ChangeDocument<'flow>) -> Self {
        Self { change: Some(change), ..self }
    }

    /// The same with the release that put the flow in force.
    #[must_use]
    pub fn with_release(self, release: ReleaseDocument<'flow>) -> Self {
        Self { release: Some(release), ..self }
    }

    pub fn of_summary(summary: &'flow Summary) -> Self {
        Self {
            id: Some(summary.id.as_str()),
            project: summary.project.as_str(),
            r#type: summary.flow_type.as_str(),
            status: summary.status.as_str(),
            version: summary.version,
            name: summary.name.as_str(),
            description: summary.description.as_ref().map(Description::as_str),
            configuration: None,
            steps: None,
            client: summary.client.as_str(),
            created_at: summary.created_at.second().as_str(),
            updated_at: summary.updated_at.second().as_str(),
            change: None,
            release: None,
        }
    }
}
