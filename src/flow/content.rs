//! What a client sends to create a flow, checked as a whole. All problems are found, not only the first.

use super::members::{Description, FlowType, Found, Json, Name, ProjectId};
use super::rules::Check;
use crate::json::{Member, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// What a client sends to create a flow, all of it valid.
///
/// ```
/// # use project_flows::{flow::Content, json};
/// let body = br#"{"project": "project_123456789", "type": "login", "name": "Login", "configuration": {},
///                 "steps": [{"stepType": "email", "order": 1, "required": true}]}"#;
/// let flow = Content::parse(&json::read_object(body)?).expect("a valid flow");
/// assert_eq!(flow.steps.as_str(), r#"[{"stepType": "email", "order": 1, "required": true}]"#);
///
/// let problems = Content::parse(&json::read_object(br#"{"project": "p"}"#)?).unwrap_err();
/// assert_eq!(problems.first().error, "expected \"login\" or \"onboarding\", found nothing");
/// # Ok::<(), project_flows::problem::Problem>(())
/// ```
#[derive(Debug, Clone)]
pub struct Content {
    pub project: ProjectId,
    pub flow_type: FlowType,
    pub name: Name,
    pub description: Option<Description>,
    pub configuration: Json,
    pub steps: Json,
}

impl Content {
    /// Checks the members of a body.
    ///
    /// # Errors
    ///
    /// All problems, in the order project, type, name, description, configuration, steps, unknown members.
    pub fn parse(members: &[Member<'_>]) -> Result<Self, Problems> {
        let member = |name: &str| members.iter().find(|member| member.name == name);
        let mut check = Check::default();

        let found = |name| Found(member(name).map(|member| &member.value));
        let project = check.note("/project", Code::InvalidProjectId, ProjectId::from_member(found("project")));
        let flow_type = check.note("/type", Code::InvalidFlowType, FlowType::from_member(found("type")));
        let name = check.note("/name", Code::InvalidName, Name::from_member(found("name")));
        let description = member("description").map(|member| {
            let description = Description::from_member(Found(Some(&member.value)));
            check.note("/description", Code::InvalidDescription, description)
        });
        let configuration = check.configuration(member("configuration"));
        let steps = check.steps(member("steps"), member("configuration"));
        for member in members {
            if !MEMBERS.contains(&member.name.as_ref()) {
                check.unknown(pointer_step(&member.name), &MEMBERS);
            }
        }

        match (check.finish(), project, flow_type, name, description, configuration, steps) {
            (None, Some(project), Some(flow_type), Some(name), description, Some(configuration), Some(steps)) => {
                Ok(Self { project, flow_type, name, description: description.flatten(), configuration, steps })
            }
            (Some(problems), ..) => Err(problems),
            (None, ..) => Err(no_flow()),
        }
    }
}

/// Unreachable: every missing member has its own problem in the list.
pub(super) fn no_flow() -> Problems {
    Problem::new("", Code::InvalidBody, "expected a flow, found none").into()
}

const MEMBERS: [&str; 6] = ["project", "type", "name", "description", "configuration", "steps"];
