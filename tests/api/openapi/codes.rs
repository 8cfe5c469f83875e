//! openapi.yaml and docs/api.md have every code at its status, and no other code.

use std::collections::BTreeSet;

use project_flows::error::{Cause, Error};
use project_flows::problem::{Code, Problem};

use super::document::Document;

/// Codes, each with its status.
type Codes = BTreeSet<(i64, String)>;

/// Goes through all errors but problems, one after the other. A new error does not compile until it has a place here.
fn after(error: &Error) -> Option<Error> {
    let cause = || Cause::new("");
    Some(match error {
        Error::MissingToken => Error::InvalidToken(cause()),
        Error::InvalidToken(_) => Error::InsufficientScope { scope: String::new() },
        Error::InsufficientScope { .. } => Error::RouteNotFound,
        Error::RouteNotFound => Error::MethodNotAllowed { allow: String::new() },
        Error::MethodNotAllowed { .. } => Error::ProjectFlowNotFound,
        Error::ProjectFlowNotFound => Error::NoLiveFlow,
        Error::NoLiveFlow => Error::TemporarilyUnavailable(cause()),
        Error::TemporarilyUnavailable(_) => Error::OutcomeUnknown(cause()),
        Error::OutcomeUnknown(_) => Error::Internal(cause()),
        Error::Internal(_) | Error::Invalid(_) => return None,
    })
}

/// The codes of the function.
fn codes() -> Codes {
    let problems = Code::ALL.iter().map(|code| Error::from(Problem::new("", *code, "")));
    let errors = std::iter::successors(Some(Error::MissingToken), after).chain(problems);
    let codes = errors.map(|error| {
        let failure = error.failure();
        (i64::from(failure.status), failure.code.to_owned())
    });
    codes.collect()
}

#[test]
fn the_document_has_every_code_at_its_status_and_no_other_code() {
    let document = Document::read();
    let mut written = Codes::new();
    for operation in document.operations() {
        for (status, response) in operation.responses.as_object().unwrap() {
            let status: i64 = status.parse().unwrap();
            let codes = document.codes(response);
            let is_gateways = status == 429;
            assert_eq!(
                codes.is_empty(),
                status < 400 || is_gateways,
                "{} {}: {status}",
                operation.method,
                operation.path
            );
            written.extend(codes.into_iter().map(|code| (status, code)));
        }
    }
    for status in [401, 404, 405] {
        written.extend(document.codes(document.elsewhere(status)).into_iter().map(|code| (status, code)));
    }
    assert_eq!(written, codes());

    let listed = document.0.pointer("/components/schemas/Problem/properties/code/enum").unwrap().as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(listed, Code::ALL.iter().map(|code| code.as_str()).collect());
}

/// The cells of each row of the table in a section of docs/api.md.
fn rows(section: &str) -> Vec<Vec<&'static str>> {
    let page = include_str!("../../../docs/api.md");
    let (_, section) = page.split_once(&format!("\n## {section}\n")).expect("the section");
    let rows = section.split("\n## ").next().unwrap().lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.split(" | ").collect()).collect()
}

/// The codes in a cell.
fn codes_in(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn the_page_has_every_code_at_its_status_and_no_other_code() {
    let of_members = rows("What validates").into_iter().flat_map(|row| codes_in(row[2])).map(|code| (400, code));
    let others = rows("Errors").into_iter().filter_map(|row| Some((row[0].parse().ok()?, row[1])));
    let others = others.flat_map(|(status, cell): (i64, &str)| codes_in(cell).map(move |code| (status, code)));
    assert_eq!(of_members.chain(others).collect::<Codes>(), codes());
}
