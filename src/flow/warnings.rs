//! Warnings: what a dry run advises to look at again. They refuse nothing.
//!
//! Names that are close to those with rules, and steps without a section, are found in one flow. What became weaker is found
//! between a flow and what is live in its place.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::Flow;
use super::decimal::Decimal;
use super::members::Found;
use super::rules::{SECTION_MEMBERS, StepType, THRESHOLDS};
use crate::error::Cause;
use crate::json::{Member, Members, Node, Value, pointer_step};

/// The most warnings of one answer. A flow has room for tens of thousands of names.
pub const MAX_WARNINGS: usize = 1_000;

/// From this length of a name on, two changed characters still make a close one; below, one does.
const LONG_NAME: usize = 10;

/// One place to look at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// A JSON Pointer (RFC 6901) into the flow.
    path: String,
    code: Code,
    /// What was expected and what was found.
    #[serde(rename = "warning")]
    sentence: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Code {
    /// A name without rules is close to one that has rules.
    SimilarName,
    /// A step has no section in `configuration`.
    MissingSection,
    /// A check is weaker than in what is live.
    Weaker,
}

/// A warning, and what it is about: a flow with the same subject has the same warning.
struct Finding {
    subject: String,
    warning: Warning,
}

impl Flow {
    /// The warnings about this flow that `before`, the version before it, does not have too.
    ///
    /// # Errors
    ///
    /// What is stored is unreadable.
    pub fn warnings(&self, before: Option<&Self>) -> Result<Vec<Warning>, Cause> {
        let known = before.map(Self::findings).transpose()?.unwrap_or_default();
        let known: HashSet<_> = known.into_iter().map(|finding| finding.subject).collect();
        let new = self.findings()?.into_iter().filter(|finding| !known.contains(&finding.subject));
        Ok(new.map(|finding| finding.warning).take(MAX_WARNINGS).collect())
    }

    fn findings(&self) -> Result<Vec<Finding>, Cause> {
        let (configuration, steps) = (self.configuration.tree("configuration")?, self.steps.tree("steps")?);
        let sections = StepType::ALL.map(StepType::section);
        let known = [&sections[..], &[THRESHOLDS]].concat();
        let mut findings = Vec::new();
        for Member { name, node, .. } in members(Some(&configuration)) {
            let path = format!("/configuration{}", pointer_step(name));
            findings.extend(similar(&path, name, &known));
            if StepType::of_section(name).is_some() {
                for Member { name, .. } in members(Some(node)) {
                    findings.extend(similar(&format!("{path}{}", pointer_step(name)), name, &SECTION_MEMBERS));
                }
            }
        }
        for (index, step_type, _) in typed(&steps) {
            let section = step_type.section();
            if section_of(&configuration, section).is_none() {
                let warning = Warning {
                    path: format!("/steps/{index}/stepType"),
                    code: Code::MissingSection,
                    sentence: format!("expected {section} in the configuration for this step, found nothing"),
                };
                findings.push(Finding { subject: section.to_owned(), warning });
            }
        }
        Ok(findings)
    }

    /// The checks of `live`, which is in force in the same place, that this flow would weaken.
    ///
    /// # Errors
    ///
    /// What is stored is unreadable.
    pub fn weaknesses(&self, live: &Self) -> Result<Vec<Warning>, Cause> {
        let (configuration, steps) = (self.configuration.tree("configuration")?, self.steps.tree("steps")?);
        let (old_configuration, old_steps) = (live.configuration.tree("configuration")?, live.steps.tree("steps")?);
        let sections = StepType::ALL.into_iter().flat_map(|step_type| {
            let name = step_type.section();
            weaker_section(name, section_of(&old_configuration, name), section_of(&configuration, name))
        });
        let thresholds =
            weaker_thresholds(section_of(&old_configuration, THRESHOLDS), section_of(&configuration, THRESHOLDS));
        let steps = StepType::ALL.into_iter().flat_map(|step_type| weaker_steps(step_type, &old_steps, &steps));
        Ok(sections.chain(thresholds).chain(steps).take(MAX_WARNINGS).collect())
    }
}

/// The members of an object; none of anything else, which no rule lets be stored.
fn members<'node, 'text>(node: Option<&'node Node<'text>>) -> impl Iterator<Item = &'node Member<'text>> {
    node.and_then(|node| node.value.object()).into_iter().flat_map(Members::iter)
}

fn section_of<'node, 'text>(configuration: &'node Node<'text>, name: &str) -> Option<&'node Node<'text>> {
    configuration.value.object()?.get(name)
}

/// The steps of a known type: index, type, and whether they are required.
fn typed<'node>(steps: &'node Node<'_>) -> impl Iterator<Item = (usize, StepType, bool)> + 'node {
    steps.value.array().into_iter().flatten().enumerate().filter_map(|(index, step)| {
        let step = step.value.object()?;
        let step_type = Found(step.value("stepType")).string().and_then(|text| StepType::parse(text))?;
        Some((index, step_type, matches!(step.value("required"), Some(Value::Bool(true)))))
    })
}

/// The warning about a name at `path` that is not `known`, but close to one that is.
fn similar(path: &str, name: &str, known: &[&str]) -> Option<Finding> {
    let close = closest(name, known)?;
    let sentence =
        format!("expected {close}, found {}: a close name, but no rule applies to it", Value::String(name.into()));
    let warning = Warning { path: path.to_owned(), code: Code::SimilarName, sentence };
    Some(Finding { subject: path.to_owned(), warning })
}

/// The one of `known` that `name` is close to, but not equal: it differs in case, or in one character, or in two of a long
/// name. Two characters in the wrong order count as one.
fn closest<'known>(name: &str, known: &[&'known str]) -> Option<&'known str> {
    if known.contains(&name) {
        return None;
    }
    let lower = name.to_lowercase();
    let length = lower.chars().count();
    let close = known.iter().filter_map(|known| {
        let most = if known.len() < LONG_NAME { 1 } else { 2 };
        // The distance takes the product of both lengths to find, and a name can be as long as a body.
        if length.abs_diff(known.len()) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(&lower, &known.to_lowercase());
        (distance <= most).then_some((distance, *known))
    });
    close.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// How strongly a section is on. A section that does not say is not off.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Enabled {
    No,
    Unsaid,
    Yes,
}

impl Enabled {
    fn of(section: Option<&Members<'_>>) -> Self {
        match section.map(|section| section.value("enabled")) {
            Some(Some(Value::Bool(true))) => Self::Yes,
            Some(None) => Self::Unsaid,
            None | Some(Some(_)) => Self::No,
        }
    }
}

fn weaker_section<'node, 'text>(
    name: &str,
    live: Option<&'node Node<'text>>,
    new: Option<&'node Node<'text>>,
) -> Vec<Warning> {
    let object = |node: Option<&'node Node<'text>>| node.and_then(|node| node.value.object());
    let (live, new) = (object(live), object(new));
    let found = |member| Found(new.and_then(|section| section.value(member)));
    let mut warnings = Vec::new();
    let before = Enabled::of(live);
    if Enabled::of(new) < before {
        let expected = if before == Enabled::Yes { "true" } else { "a verification that is not disabled" };
        warnings.push(weaker(format!("/configuration/{name}/enabled"), expected, found("enabled")));
    }
    let is_required = |section: Option<&Members<'_>>| {
        matches!(section.and_then(|section| section.value("required")), Some(Value::Bool(true)))
    };
    if is_required(live) && !is_required(new) {
        warnings.push(weaker(format!("/configuration/{name}/required"), "true", found("required")));
    }
    warnings
}

fn weaker_thresholds<'node>(
    live: Option<&'node Node<'_>>,
    new: Option<&'node Node<'_>>,
) -> impl Iterator<Item = Warning> + 'node {
    // One look for each name, however many there are.
    let new: HashMap<&str, &Value<'_>> =
        members(new).map(|member| (member.name.as_ref(), &member.node.value)).collect();
    members(live).filter_map(move |Member { name, node, .. }| {
        let Value::Number(before) = node.value else { return None };
        let found = new.get(name.as_ref()).copied();
        if let Some(Value::Number(now)) = found
            && Decimal::of(now) >= Decimal::of(before)
        {
            return None;
        }
        let path = format!("/configuration/{THRESHOLDS}{}", pointer_step(name));
        Some(weaker(path, &format!("at least {}", node.value), Found(found)))
    })
}

/// Steps have no identity: they are counted by type.
fn weaker_steps(step_type: StepType, live: &Node<'_>, new: &Node<'_>) -> Vec<Warning> {
    let of_type = |steps| typed(steps).filter(move |(_, found, _)| *found == step_type);
    let (all_before, all_now) = (of_type(live).count(), of_type(new).count());
    let is_required = |(_, _, is_required): &(usize, StepType, bool)| *is_required;
    let (before, now) = (of_type(live).filter(is_required).count(), of_type(new).filter(is_required).count());
    let name = step_type.as_str();
    let mut warnings = Vec::new();
    if all_now < all_before {
        warnings.push(weaker("/steps".to_owned(), &format!("at least {all_before} of the type {name}"), all_now));
    }
    // A required step that is gone is said already.
    if before.saturating_sub(now) > all_before.saturating_sub(all_now)
        && let Some((index, ..)) = of_type(new).find(|step| !is_required(step))
    {
        let expected = format!("at least {before} of the type {name} to be required");
        warnings.push(weaker(format!("/steps/{index}/required"), &expected, now));
    }
    warnings
}

fn weaker(path: String, expected: &str, found: impl std::fmt::Display) -> Warning {
    let sentence = format!("expected {expected}, as in what is live, found {found}");
    Warning { path, code: Code::Weaker, sentence }
}
