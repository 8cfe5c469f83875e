//! The rules for `configuration` and `steps`, and the problems that they find.

use std::borrow::Cow;

use super::members::{Found, Json};
use crate::json::{Member, Members, Node, Value, pointer_step};
use crate::problem::{Code, Problem, ProblemList};

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
            if name == "securityThresholds" {
                self.thresholds(&path, &node.value);
            } else if StepType::ALL.iter().any(|step_type| step_type.section() == name) {
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
            match (name.as_ref(), &node.value) {
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

        let named = |text: &Cow<'_, str>| StepType::ALL.into_iter().find(|one| one.as_str() == text);
        let step_type = found("stepType").string().and_then(named);
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

/// Whether a number of JSON is from 0 to 1. It is judged as a decimal, because as a double 1.00000000000000000001 is 1 and
/// -1e-400 is 0.
fn is_from_0_to_1(number: &str) -> bool {
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(zeros) = digits().position(|digit| digit != b'0') else { return true };
    // An exponent that is too large for the type outweighs all digits that a body has room for.
    let extreme = if exponent.starts_with('-') { isize::MIN } else { isize::MAX };
    let exponent = exponent.parse().unwrap_or(extreme);
    // The point stands behind as many digits. The number is below 1 if all of them are zeros.
    let point = whole.len().saturating_add_signed(exponent);
    let is_power_of_ten =
        || digits().skip(zeros).eq(std::iter::once(b'1').chain(digits().skip(zeros + 1).map(|_| b'0')));
    !is_negative && (point <= zeros || (point == zeros + 1 && is_power_of_ten()))
}
