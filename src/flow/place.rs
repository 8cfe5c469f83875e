//! A place: where one flow of a client can be live.

use std::fmt;

use super::Summary;
use super::members::{FlowType, ProjectId};

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
