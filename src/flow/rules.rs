//! The rules for `configuration` and `steps`, and the problems that they find.

use std::borrow::Cow;

use super::members::{Found, Json};
use crate::json::{Member, Members, Value, pointer_step};
use crate::problem::{Code, Problem, Problems};

/// The most steps of a flow.
pub const MAX_STEPS: usize = 100;
const STEP_MEMBERS: [&str; 4] = ["stepType", "order", "required", "config"];

/// What a step verifies. A section of `configuration` enables each type.
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

/// The problem for a member at `path` that is not one of `known`.
pub fn unknown_field(path: String, known: &[&str]) -> Problem {
    let error = match known {
        [] => "expected no members, found one".to_owned(),
        known => format!("expected no members but {}, found another", known.join(", ")),
    };
    Problem::new(path, Code::UnknownField, error)
}

/// Collects problems.
#[derive(Default)]
pub(super) struct Check {
    problems: Vec<Problem>,
    /// Reported after all other problems.
    unknown: Vec<Problem>,
}

impl Check {
    fn report(&mut self, path: impl Into<String>, code: Code, error: impl Into<String>) {
        self.problems.push(Problem::new(path, code, error));
    }

    pub(super) fn unknown(&mut self, path: String, known: &[&str]) {
        self.unknown.push(unknown_field(path, known));
    }

    pub(super) fn finish(mut self) -> Option<Problems> {
        self.problems.append(&mut self.unknown);
        Problems::found(self.problems)
    }

    /// The parsed value; a failure is reported at `path`.
    pub(super) fn note<T>(&mut self, path: &str, code: Code, parsed: Result<T, String>) -> Option<T> {
        parsed.map_err(|error| self.report(path, code, error)).ok()
    }

    pub(super) fn configuration(&mut self, member: Option<&Member<'_>>) -> Option<Json> {
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
        member.and_then(Json::from_member)
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
            let error = "expected false because enabled is false, found true";
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

    pub(super) fn steps(&mut self, member: Option<&Member<'_>>, configuration: Option<&Member<'_>>) -> Option<Json> {
        const CODE: Code = Code::InvalidSteps;
        let found = Found(member.map(|member| &member.value));
        let Found(Some(Value::Array(steps))) = found else {
            self.report("/steps", CODE, format!("expected an array, found {found}"));
            return None;
        };
        if !(1..=MAX_STEPS).contains(&steps.len()) {
            self.report("/steps", CODE, format!("expected 1 to {MAX_STEPS} steps, found {}", steps.len()));
        }
        let mut orders = Vec::new();
        for (index, step) in steps.iter().take(MAX_STEPS).enumerate() {
            let path = format!("/steps/{index}");
            match step {
                Value::Object(members) => self.step(&path, members, configuration, &mut orders),
                other => self.report(path, CODE, format!("expected an object, found {other}")),
            }
        }
        member.and_then(Json::from_member)
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
                self.report(format!("{path}/order"), CODE, format!("expected a unique order, found {order} again"));
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
