//! What a client sends to create a flow, checked as a whole. All problems are found, not only the first.

use super::members::{Description, FlowType, Json, Name, ProjectId};
use super::{Flow, Summary};
use crate::json::Members;
use crate::problem::{Code, Problem, ProblemList, Problems};

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
    pub fn parse(members: &Members<'_>) -> Result<Self, Problems> {
        let mut problems = ProblemList::default();
        let (project, flow_type, name) = (problems.read(members), problems.read(members), problems.read(members));
        let description = problems.read_given(members);
        let configuration = problems.configuration(members.get("configuration"));
        let steps = problems.steps(members.get("steps"), members.get("configuration"));
        problems.add(members.unknown("", &MEMBERS));
        problems.finish()?;
        Ok(Self {
            project: project?,
            flow_type: flow_type?,
            name: name?,
            description: description?,
            configuration: configuration?,
            steps: steps?,
        })
    }
}

/// The most bytes of a flow's name, description, configuration and steps together, as they are stored. An item has at most
/// 409,600 ("Quotas in Amazon DynamoDB" in its Developer Guide), of which the rest takes less than 4,000: so what can be
/// stored can also be paused, deleted, restored and released, whoever does it and with whatever note.
pub const MAX_CONTENT: usize = 390_000;

/// Refuses content that is too large.
pub(super) fn check_size(flow: &Flow) -> Result<(), Problem> {
    let Flow { summary: Summary { name, description, .. }, configuration, steps, .. } = flow;
    let description = description.as_ref().map_or("", Description::as_str);
    let found: usize = [name.as_str(), description, configuration.as_str(), steps.as_str()].map(str::len).iter().sum();
    if found <= MAX_CONTENT {
        return Ok(());
    }
    let error = format!(
        "expected a name, description, configuration and steps of at most {MAX_CONTENT} bytes in all, found {found}"
    );
    Err(Problem::new("", Code::FlowTooLarge, error))
}

const MEMBERS: [&str; 6] = ["project", "type", "name", "description", "configuration", "steps"];
