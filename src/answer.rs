//! What an operation answers: status, its own headers, body, and what the log line names.

use std::borrow::Cow;

use serde::Serialize;

use crate::error::Error;
use crate::etag::etag;
use crate::flow::members::{MAX_DESCRIPTION, MAX_NAME};
use crate::flow::{
    ChangeDocument, Document, Flow, FlowId, MAX_AUTHOR, MAX_CLIENT, MAX_NOTE, ReleaseDocument, Summary, Warning,
};
use crate::size::MAX_RESPONSE;
use crate::store::{Cursor, Outcome, Page};

/// A header of a response.
pub type Header = (&'static str, Cow<'static, str>);

/// The longest page is far below what a response may have: its texts are bounded, and escaping takes 7 bytes for a control
/// character, which only descriptions have, and 4 for any other character.
const _: () = {
    const LONGEST_ENTRY: usize = 1024 + 7 * MAX_DESCRIPTION + 4 * (MAX_NAME + MAX_NOTE + MAX_AUTHOR + MAX_CLIENT);
    const MOST_ENTRIES: usize = 100;
    assert!(MOST_ENTRIES * LONGEST_ENTRY < MAX_RESPONSE / 3);
};

/// The answer to a request that was carried out.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Its headers beside those that all have.
    pub headers: Vec<Header>,
    /// Its JSON, or nothing.
    pub body: String,
    /// The flow of the table that it shows, and the version of it.
    pub flow: Option<(FlowId, u64)>,
    /// Whether it is the first result of a create, answered again.
    pub is_replay: bool,
}

impl Answer {
    /// An answer that shows data.
    pub fn ok(envelope: &Envelope<'_, impl Serialize>) -> Self {
        Self { status: 200, body: text(envelope), ..Self::default() }
    }

    /// An answer that shows a flow of the table.
    pub fn flow(flow: &Flow) -> Self {
        Self::ok(&Envelope::of(Document::of_flow(flow))).about(&flow.summary)
    }

    /// An answer that shows a flow as it is now, or as it would be.
    pub fn change(outcome: &Outcome<Flow>) -> Result<Self, Error> {
        match outcome {
            Outcome::Written(flow) => Ok(Self::flow(flow).tagged(flow.summary.version)),
            Outcome::Judged { stored, next } => {
                let warnings = next.warnings(stored.as_ref())?;
                Ok(Self::ok(&Envelope { warnings, ..Envelope::of(Document::of_flow(next)) }))
            }
        }
    }

    /// An answer that shows a page of a list, each entry as a document.
    pub fn page<'page, T, D: Serialize>(page: &'page Page<T>, limit: usize, document: impl Fn(&'page T) -> D) -> Self {
        let documents: Vec<_> = page.entries.iter().map(document).collect();
        let number = page.totals.and_then(|totals| totals.page);
        let pagination = Pagination {
            page: number,
            limit,
            total: page.totals.map(|totals| totals.total),
            pages: number.zip(page.totals).map(|(_, totals)| totals.total.div_ceil(limit as u64)),
            next: page.next.as_ref().map(Cursor::encode),
        };
        Self::ok(&Envelope { pagination: Some(pagination), ..Envelope::of(documents) })
    }

    /// The methods of a path.
    pub fn preflight(allow: String) -> Self {
        Self { status: 204, ..Self::default() }.with("Allow", allow)
    }

    /// The client has it already.
    pub fn not_modified() -> Self {
        Self { status: 304, ..Self::default() }
    }

    /// The same with an `ETag`.
    #[must_use]
    pub fn tagged(self, version: u64) -> Self {
        self.with("ETag", etag(version))
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, where it shows a flow of the table.
    #[must_use]
    pub fn about(self, flow: &Summary) -> Self {
        Self { flow: Some((flow.id.clone(), flow.version)), ..self }
    }
}

/// The body of a success.
#[derive(Serialize)]
pub struct Envelope<'answer, T> {
    pub success: bool,
    pub data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeDocument<'answer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseDocument<'answer>>,
    /// Only in dry runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl<T: Serialize> Envelope<'_, T> {
    pub const fn of(data: T) -> Self {
        Self { success: true, data, pagination: None, change: None, release: None, warnings: Vec::new() }
    }
}

/// Where a page stands, and where the next one begins.
#[derive(Serialize)]
pub struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u32>,
    limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Writing text into memory cannot fail.
pub fn text(envelope: &impl Serialize) -> String {
    serde_json::to_string(envelope).unwrap_or_default()
}
