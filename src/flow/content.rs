//! What a flow is made of, and the rules that it is held to: when it is created, and as a whole when it is changed.
//!
//! The rules are those of the contract's table of members. All problems are found, not the first. `configuration` and
//! `steps` are checked, and kept as the text that was sent.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::unreadable;
use crate::error::{Cause, Error};
use crate::json::{self, Member, Members, Order, Value, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// The longest `project`, in characters.
pub const PROJECT_LENGTH: usize = 64;
/// The longest `name`, in characters.
pub const NAME_LENGTH: usize = 120;
/// The longest `description`, in characters.
pub const DESCRIPTION_LENGTH: usize = 2_000;
/// The most steps of a flow.
pub const STEPS: usize = 100;

/// The project that a flow belongs to: 1 to 64 letters, digits, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectId(String);

impl ProjectId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of that text, or `None` when it is not one.
    pub fn named(text: &str) -> Option<Self> {
        let well_formed = (1..=PROJECT_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        well_formed.then(|| Self(text.to_owned()))
    }

    fn parse(found: Found<'_, '_>) -> Result<Self, String> {
        let named = found.string().and_then(|text| Self::named(text));
        named.ok_or_else(|| format!("expected 1 to {PROJECT_LENGTH} letters, digits, \"_\" or \"-\", found {found}"))
    }

    pub(super) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// When a flow is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowType {
    /// At login.
    Login,
    /// At onboarding.
    Onboarding,
}

impl FlowType {
    /// The type as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Onboarding => "onboarding",
        }
    }

    /// The type of that name, or `None` when there is none.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Login, Self::Onboarding].into_iter().find(|one| one.as_str() == text)
    }

    fn parse(found: Found<'_, '_>) -> Result<Self, String> {
        let named = found.string().and_then(|text| Self::named(text));
        named.ok_or_else(|| format!("expected \"login\" or \"onboarding\", found {found}"))
    }
}

/// A flow's name: 1 to 120 characters, at least one of them not white space, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected a string, found {found}"))?;
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return Err(format!("expected no control characters, found U+{:04X}", u32::from(control)));
        }
        match text.chars().count() {
            1..=NAME_LENGTH if text.trim().is_empty() => {
                Err("expected a character that is not white space, found none".to_owned())
            }
            1..=NAME_LENGTH => Ok(Self(text.as_ref().to_owned())),
            found => Err(format!("expected 1 to {NAME_LENGTH} characters, found {found}")),
        }
    }

    pub(super) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What a flow is for: up to 2,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description(String);

impl Description {
    /// The description as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(found: Found<'_, '_>) -> Result<Self, String> {
        let text = found.string().ok_or_else(|| format!("expected a string, found {found}"))?;
        match text.chars().count() {
            0..=DESCRIPTION_LENGTH => Ok(Self(text.as_ref().to_owned())),
            found => Err(format!("expected at most {DESCRIPTION_LENGTH} characters, found {found}")),
        }
    }

    pub(super) fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// JSON that was checked, as the text that was sent.
#[derive(Debug, Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The text, to be written into a larger one without another look.
    pub fn as_raw(&self) -> &RawValue {
        &self.0
    }

    pub(super) fn stored(text: &str) -> Option<Self> {
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The member of this name that was stored so.
    fn member(&self, name: &'static str) -> Result<Member<'_>, Cause> {
        Member::read(name, self.as_str()).map_err(|_| unreadable(name))
    }
}

/// Equal when both say the same, whatever white space and escapes they are written with.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let canonical = |json: &Self| json::canonical(json.as_str(), Order::AsSent).ok();
        self.as_str() == other.as_str() || canonical(self) == canonical(other)
    }
}

/// What a client sends to create a flow, all of it valid.
///
/// Two are equal when they say the same, whatever white space and escapes they were written with.
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
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// `project`
    pub project: ProjectId,
    /// `type`
    pub flow_type: FlowType,
    /// `name`
    pub name: Name,
    /// `description`
    pub description: Option<Description>,
    /// `configuration`
    pub configuration: Json,
    /// `steps`
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
        let project = check.note("/project", Code::InvalidProjectId, ProjectId::parse(found("project")));
        let flow_type = check.note("/type", Code::InvalidFlowType, FlowType::parse(found("type")));
        let name = check.note("/name", Code::InvalidName, Name::parse(found("name")));
        let description = member("description").map(|member| {
            let description = Description::parse(Found(Some(&member.value)));
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
            // Each member that is `None` has left its problem.
            (None, ..) => Err(no_flow()),
        }
    }
}

impl Content {
    /// This content with the members of `sent` in the place of its own; `description: null` removes it. Checked as a
    /// whole, so that a step and what switches it off cannot be sent one after the other.
    ///
    /// # Errors
    ///
    /// All problems of name, description, configuration and steps, in that order; or what is stored is unreadable.
    pub(super) fn with(&self, sent: &[Member<'_>]) -> Result<Self, Error> {
        let member = |name: &str| sent.iter().find(|member| member.name == name);
        let mut check = Check::default();

        let name = match member("name") {
            Some(member) => check.note("/name", Code::InvalidName, Name::parse(Found(Some(&member.value)))),
            None => Some(self.name.clone()),
        };
        let description = match member("description") {
            Some(Member { value: Value::Null, .. }) => None,
            Some(member) => {
                let description = Description::parse(Found(Some(&member.value)));
                check.note("/description", Code::InvalidDescription, description)
            }
            None => self.description.clone(),
        };
        let (configuration, steps) = match (member("configuration"), member("steps")) {
            (None, None) => (Some(self.configuration.clone()), Some(self.steps.clone())),
            (configuration, steps) => {
                let stored_configuration = self.configuration.member("configuration")?;
                let stored_steps = self.steps.member("steps")?;
                let configuration = configuration.unwrap_or(&stored_configuration);
                let steps = steps.unwrap_or(&stored_steps);
                (check.configuration(Some(configuration)), check.steps(Some(steps), Some(configuration)))
            }
        };

        match (check.finish(), name, configuration, steps) {
            (None, Some(name), Some(configuration), Some(steps)) => {
                let (project, flow_type) = (self.project.clone(), self.flow_type);
                Ok(Self { project, flow_type, name, description, configuration, steps })
            }
            (Some(problems), ..) => Err(problems.into()),
            // Each member that is `None` has left its problem.
            (None, ..) => Err(no_flow().into()),
        }
    }
}

/// Never met: what is missing has left its own problem.
pub(super) fn no_flow() -> Problems {
    Problem::new("", Code::InvalidBody, "expected a flow, found none").into()
}

impl Content {
    /// Whether this content, which was stored, could be sent today.
    ///
    /// No request asks: what was valid when it was written stays readable, whatever the rules are by now.
    ///
    /// # Errors
    ///
    /// All problems, as [`Content::parse`] has them, or the member whose text is not even JSON.
    pub fn check(&self) -> Result<(), Error> {
        let text = |name: &'static str, text| Member {
            name: Cow::Borrowed(name),
            value: Value::String(Cow::Borrowed(text)),
            text,
        };
        let mut members = vec![
            text("project", self.project.as_str()),
            text("type", self.flow_type.as_str()),
            text("name", self.name.as_str()),
        ];
        members.extend(self.description.as_ref().map(|description| text("description", description.as_str())));
        members.push(self.configuration.member("configuration")?);
        members.push(self.steps.member("steps")?);
        Self::parse(&members)?;
        Ok(())
    }
}

const MEMBERS: [&str; 6] = ["project", "type", "name", "description", "configuration", "steps"];
const STEP_MEMBERS: [&str; 4] = ["stepType", "order", "required", "config"];

/// What a step checks, with the section of `configuration` that switches it on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepType {
    Email,
    Phone,
    Biometric,
    Document,
}

impl StepType {
    const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::Biometric, Self::Document];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Biometric => "biometric",
            Self::Document => "document",
        }
    }

    const fn section(self) -> &'static str {
        match self {
            Self::Email => "emailVerification",
            Self::Phone => "phoneVerification",
            Self::Biometric => "biometricVerification",
            Self::Document => "documentVerification",
        }
    }
}

/// What stands where a value is expected, as a sentence names it.
#[derive(Clone, Copy)]
struct Found<'value, 'text>(Option<&'value Value<'text>>);

impl<'value, 'text> Found<'value, 'text> {
    const fn string(self) -> Option<&'value Cow<'text, str>> {
        match self.0 {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Found<'_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("nothing"),
        }
    }
}

/// The problem with a member at `path` that is none of those that are `known`.
pub fn unknown_field(path: String, known: &[&str]) -> Problem {
    let error = match known {
        [] => "expected no members, found one".to_owned(),
        known => format!("expected no members but {}, found another", known.join(", ")),
    };
    Problem::new(path, Code::UnknownField, error)
}

/// The problems met so far.
#[derive(Default)]
struct Check {
    problems: Vec<Problem>,
    /// Unknown members come last, wherever they stand.
    unknown: Vec<Problem>,
}

impl Check {
    fn report(&mut self, path: impl Into<String>, code: Code, error: impl Into<String>) {
        self.problems.push(Problem::new(path, code, error));
    }

    fn unknown(&mut self, path: String, known: &[&str]) {
        self.unknown.push(unknown_field(path, known));
    }

    fn finish(mut self) -> Option<Problems> {
        self.problems.append(&mut self.unknown);
        Problems::found(self.problems)
    }

    /// What was parsed at `path`; the problem is noted where nothing was.
    fn note<T>(&mut self, path: &str, code: Code, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|error| self.report(path, code, error)).ok()
    }

    fn configuration(&mut self, member: Option<&Member<'_>>) -> Option<Json> {
        const CODE: Code = Code::InvalidConfiguration;
        let found = Found(member.map(|member| &member.value));
        let Found(Some(Value::Object(sections))) = found else {
            self.report("/configuration", CODE, format!("expected an object, found {found}"));
            return None;
        };
        for (name, section) in sections {
            let path = format!("/configuration{}", pointer_step(name));
            if name == "securityThresholds" {
                self.thresholds(&path, section);
            } else if StepType::ALL.iter().any(|step_type| step_type.section() == name) {
                self.section(&path, section);
            }
        }
        member.and_then(json)
    }

    fn section(&mut self, path: &str, section: &Value<'_>) {
        const CODE: Code = Code::InvalidConfiguration;
        let Value::Object(members) = section else {
            return self.report(path, CODE, format!("expected an object, found {section}"));
        };
        for (name, value) in members {
            match (name.as_ref(), value) {
                ("enabled" | "required" | "livenessDetection" | "antiSpoofing", Value::Bool(_)) => {}
                ("enabled" | "required" | "livenessDetection" | "antiSpoofing", other) => {
                    self.report(format!("{path}/{name}"), CODE, format!("expected a boolean, found {other}"));
                }
                ("method", Value::String(method)) if !method.is_empty() => {}
                ("method", other) => {
                    self.report(format!("{path}/{name}"), CODE, format!("expected a non-empty string, found {other}"));
                }
                // The rest is the user's own.
                (_, _) => {}
            }
        }
        if is(members, "enabled", false) && is(members, "required", true) {
            let error = "expected no required verification where enabled is false, found true";
            self.report(format!("{path}/required"), CODE, error);
        }
    }

    fn thresholds(&mut self, path: &str, thresholds: &Value<'_>) {
        const CODE: Code = Code::InvalidConfiguration;
        let Value::Object(members) = thresholds else {
            return self.report(path, CODE, format!("expected an object, found {thresholds}"));
        };
        for (name, value) in members {
            let allowed = match value {
                Value::Unsigned(number) => *number <= 1,
                Value::Number(number) => (0.0..=1.0).contains(number),
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => false,
            };
            if !allowed {
                let error = format!("expected a number from 0 to 1, found {value}");
                self.report(format!("{path}{}", pointer_step(name)), CODE, error);
            }
        }
    }

    fn steps(&mut self, member: Option<&Member<'_>>, configuration: Option<&Member<'_>>) -> Option<Json> {
        const CODE: Code = Code::InvalidSteps;
        let found = Found(member.map(|member| &member.value));
        let Found(Some(Value::Array(steps))) = found else {
            self.report("/steps", CODE, format!("expected an array, found {found}"));
            return None;
        };
        if !(1..=STEPS).contains(&steps.len()) {
            self.report("/steps", CODE, format!("expected 1 to {STEPS} steps, found {}", steps.len()));
        }
        let mut orders = Vec::new();
        for (index, step) in steps.iter().take(STEPS).enumerate() {
            let path = format!("/steps/{index}");
            match step {
                Value::Object(members) => self.step(&path, members, configuration, &mut orders),
                other => self.report(path, CODE, format!("expected an object, found {other}")),
            }
        }
        member.and_then(json)
    }

    fn step(&mut self, path: &str, members: &Members<'_>, configuration: Option<&Member<'_>>, orders: &mut Vec<u64>) {
        const CODE: Code = Code::InvalidSteps;
        let found = |name| Found(get(members, name));

        let named = |text: &Cow<'_, str>| StepType::ALL.into_iter().find(|one| one.as_str() == text);
        let step_type = found("stepType").string().and_then(named);
        match step_type {
            Some(step_type) if is_switched_off(configuration, step_type.section()) => {
                let error = format!("expected {} to be enabled for this step, found false", step_type.section());
                self.report(format!("{path}/stepType"), CODE, error);
            }
            Some(_) => {}
            None => {
                let known = StepType::ALL.map(StepType::as_str).join(", ");
                self.report(format!("{path}/stepType"), CODE, format!("expected {known}, found {}", found("stepType")));
            }
        }
        match get(members, "order") {
            Some(Value::Unsigned(order @ 1..)) if !orders.contains(order) => orders.push(*order),
            Some(Value::Unsigned(order @ 1..)) => {
                self.report(
                    format!("{path}/order"),
                    CODE,
                    format!("expected an order of its own, found {order} again"),
                );
            }
            _ => {
                let error = format!("expected an integer from 1, found {}", found("order"));
                self.report(format!("{path}/order"), CODE, error);
            }
        }
        if !matches!(get(members, "required"), Some(Value::Bool(_))) {
            self.report(format!("{path}/required"), CODE, format!("expected a boolean, found {}", found("required")));
        }
        if !matches!(get(members, "config"), None | Some(Value::Object(_))) {
            self.report(format!("{path}/config"), CODE, format!("expected an object, found {}", found("config")));
        }
        for (name, _) in members {
            if !STEP_MEMBERS.contains(&name.as_ref()) {
                self.unknown(format!("{path}{}", pointer_step(name)), &STEP_MEMBERS);
            }
        }
    }
}

fn get<'value, 'text>(members: &'value Members<'text>, name: &str) -> Option<&'value Value<'text>> {
    members.iter().find(|(one, _)| one == name).map(|(_, value)| value)
}

fn is(members: &Members<'_>, name: &str, expected: bool) -> bool {
    matches!(get(members, name), Some(Value::Bool(value)) if *value == expected)
}

fn is_switched_off(configuration: Option<&Member<'_>>, section: &str) -> bool {
    let Some(Value::Object(sections)) = configuration.map(|member| &member.value) else { return false };
    matches!(get(sections, section), Some(Value::Object(members)) if is(members, "enabled", false))
}

/// A member's text, which the strict reader has read already.
fn json(member: &Member<'_>) -> Option<Json> {
    RawValue::from_string(member.text.to_owned()).ok().map(Json)
}
