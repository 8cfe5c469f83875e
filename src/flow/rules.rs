//! The rules for `configuration` and `steps`, and the problems that they find.

use super::decimal::Decimal;
use super::members::{Found, Json};
use crate::json::{Member, Members, Node, Value, pointer_step};
use crate::problem::{Code, Problem, ProblemList};

/// The most steps of a flow.
pub const MAX_STEPS: usize = 100;
const STEP_MEMBERS: [&str; 4] = ["stepType", "order", "required", "config"];
/// The section of `configuration` with the thresholds. Their names are the user's own.
pub(super) const THRESHOLDS: &str = "securityThresholds";
/// The members of the section of a step type that have rules. All but [`METHOD`] are booleans.
pub(super) const SECTION_MEMBERS: [&str; 5] = ["enabled", "required", "livenessDetection", "antiSpoofing", METHOD];
const METHOD: &str = "method";

/// What a step verifies. A section of `configuration` enables each type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum StepType {
    Email,
    Phone,
    Biometric,
    Document,
}

impl StepType {
    pub(super) const ALL: [Self; 4] = [Self::Email, Self::Phone, Self::Biometric, Self::Document];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Biometric => "biometric",
            Self::Document => "document",
        }
    }

    pub(super) const fn section(self) -> &'static str {
        match self {
            Self::Email => "emailVerification",
            Self::Phone => "phoneVerification",
            Self::Biometric => "biometricVerification",
            Self::Document => "documentVerification",
        }
    }

    /// The type of that name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// The type whose section has that name.
    pub(super) fn of_section(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.section() == name)
    }
}

impl ProblemList {
    fn report(&mut self, path: impl Into<String>, code: Code, error: impl Into<String>) {
        self.add([Problem::new(path, code, error)]);
    }

    /// Checks the member `configuration`.
    pub(super) fn configuration(&mut self, node: Option<&Node<'_>>) -> Result<Json, Problem> {
        const CODE: Code = Code::InvalidConfiguration;
        let found = node.and_then(|node| Some((node.value.object()?, Json::parse(node.text)?)));
        let (sections, json) = self.note(found.ok_or_else(|| {
            let found = Found(node.map(|node| &node.value));
            Problem::new("/configuration", CODE, format!("expected an object, found {found}"))
        }))?;
        for Member { name, node, .. } in sections.iter() {
            let path = format!("/configuration{}", pointer_step(name));
            if name == THRESHOLDS {
                self.thresholds(&path, &node.value);
            } else if StepType::of_section(name).is_some() {
                self.section(&path, &node.value);
            }
        }
        Ok(json)
    }

    fn section(&mut self, path: &str, section: &Value<'_>) {
        const CODE: Code = Code::InvalidConfiguration;
        let Value::Object(members) = section else {
            return self.report(path, CODE, format!("expected an object, found {section}"));
        };
        for Member { name, node, .. } in members.iter() {
            let expected = match (name.as_ref(), &node.value) {
                (METHOD, Value::String(method)) if !method.is_empty() => continue,
                (METHOD, _) => "a non-empty string",
                (name, Value::Bool(_)) if SECTION_MEMBERS.contains(&name) => continue,
                (name, _) if SECTION_MEMBERS.contains(&name) => "a boolean",
                // The rest is the user's own.
                (_, _) => continue,
            };
            self.report(format!("{path}/{name}"), CODE, format!("expected {expected}, found {}", node.value));
        }
        if is(members, "enabled", false) && is(members, "required", true) {
            let error = "expected false because enabled is false, found true";
            self.report(format!("{path}/required"), CODE, error);
        }
    }

    fn thresholds(&mut self, path: &str, thresholds: &Value<'_>) {
        const CODE: Code = Code::InvalidConfiguration;
        let Value::Object(members) = thresholds else {
            return self.report(path, CODE, format!("expected an object, found {thresholds}"));
        };
        for Member { name, node, .. } in members.iter() {
            if !matches!(node.value, Value::Number(number) if is_from_0_to_1(number)) {
                let error = format!("expected a number from 0 to 1, found {}", node.value);
                self.report(format!("{path}{}", pointer_step(name)), CODE, error);
            }
        }
    }

    /// Checks the member `steps`, and that the sections of `configuration` are enabled that they need.
    pub(super) fn steps(&mut self, node: Option<&Node<'_>>, configuration: Option<&Node<'_>>) -> Result<Json, Problem> {
        const CODE: Code = Code::InvalidSteps;
        let found = node.and_then(|node| Some((node.value.array()?, Json::parse(node.text)?)));
        let (steps, json) = self.note(found.ok_or_else(|| {
            let found = Found(node.map(|node| &node.value));
            Problem::new("/steps", CODE, format!("expected an array, found {found}"))
        }))?;
        if !(1..=MAX_STEPS).contains(&steps.len()) {
            self.report("/steps", CODE, format!("expected 1 to {MAX_STEPS} steps, found {}", steps.len()));
        }
        let sections = configuration.and_then(|configuration| configuration.value.object());
        let mut orders = Vec::new();
        for (index, step) in steps.iter().take(MAX_STEPS).enumerate() {
            let path = format!("/steps/{index}");
            match &step.value {
                Value::Object(members) => self.step(&path, members, sections, &mut orders),
                other => self.report(path, CODE, format!("expected an object, found {other}")),
            }
        }
        Ok(json)
    }

    fn step(&mut self, path: &str, members: &Members<'_>, sections: Option<&Members<'_>>, orders: &mut Vec<u64>) {
        const CODE: Code = Code::InvalidSteps;
        let found = |name| Found(members.value(name));

        let step_type = found("stepType").string().and_then(|text| StepType::parse(text));
        match step_type {
            Some(step_type) if is_switched_off(sections, step_type.section()) => {
                let error = format!("expected {} to be enabled for this step, found false", step_type.section());
                self.report(format!("{path}/stepType"), CODE, error);
            }
            Some(_) => {}
            None => {
                let known = StepType::ALL.map(StepType::as_str).join(", ");
                self.report(format!("{path}/stepType"), CODE, format!("expected {known}, found {}", found("stepType")));
            }
        }
        match found("order").positive() {
            Some(order) if !orders.contains(&order) => orders.push(order),
            Some(order) => {
                self.report(format!("{path}/order"), CODE, format!("expected a unique order, found {order} again"));
            }
            None => {
                let error = format!("expected an integer from 1, found {}", found("order"));
                self.report(format!("{path}/order"), CODE, error);
            }
        }
        if !matches!(members.value("required"), Some(Value::Bool(_))) {
            self.report(format!("{path}/required"), CODE, format!("expected a boolean, found {}", found("required")));
        }
        if !matches!(members.value("config"), None | Some(Value::Object(_))) {
            self.report(format!("{path}/config"), CODE, format!("expected an object, found {}", found("config")));
        }
        self.add(members.unknown(path, &STEP_MEMBERS));
    }
}

fn is(members: &Members<'_>, name: &str, expected: bool) -> bool {
    matches!(members.value(name), Some(Value::Bool(value)) if *value == expected)
}

fn is_switched_off(sections: Option<&Members<'_>>, section: &str) -> bool {
    let section = sections.and_then(|sections| sections.value(section)?.object());
    section.is_some_and(|section| is(section, "enabled", false))
}

/// Whether a number of JSON is from 0 to 1.
fn is_from_0_to_1(number: &str) -> bool {
    let number = Decimal::of(number);
    number.is_some() && number <= Decimal::of("1")
}
