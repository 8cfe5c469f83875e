//! `GET /v2/project-flows/changes`: a page of what was done to the client's flows, the latest first.

use serde::Serialize;

use super::prelude::*;
use crate::flow::Author;
use crate::flow::members::ProjectId;
use crate::item::Changed;
use crate::store::{Cursor, List};

/// The changes of a page, unless `limit` says otherwise, and at most.
pub const LISTED: (usize, usize) = (100, 100);

pub struct Changes {
    list: List,
    project: Option<ProjectId>,
    by: Option<Author>,
    after: Option<Cursor>,
    limit: usize,
}

impl Operation<'_> for Changes {
    const ROUTE: Route = Route::new(
        "GET",
        "/v2/project-flows/changes",
        Permission::Read,
        &["since", "until", "project", "by", "limit", "cursor"],
    );
    type Path = ();

    fn parse((): (), Request { parameters, .. }: &Request<'_>) -> Result<Self, Error> {
        let list = List::Changes { since: parameters.instant("since")?, until: parameters.instant("until")? };
        let project = parameters.project()?;
        let by = parameters.get("by", "an author, of 1 to 256 characters", Author::parse)?;
        let after = parameters.cursor(&list)?;
        Ok(Self { list, project, by, after, limit: parameters.limit(LISTED)? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { list, project, by, after, limit } = &self;
        let filter = (project.as_ref(), by.as_ref());
        let page = store.changes(&caller.client, list, filter, after.clone(), *limit).await?;
        Ok(Answer::page(&page, *limit, shown))
    }
}

/// A change as the API shows it, its members always in this order.
#[derive(Serialize)]
struct ChangedDocument<'change> {
    at: &'change str,
    action: &'static str,
    #[serde(rename = "_id")]
    id: &'change str,
    project: &'change str,
    r#type: &'static str,
    name: &'change str,
    status: &'static str,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'change str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'change str>,
}

fn shown(changed: &Changed) -> ChangedDocument<'_> {
    ChangedDocument {
        at: changed.at.second().as_str(),
        action: changed.action.as_str(),
        id: changed.id.as_str(),
        project: changed.project.as_str(),
        r#type: changed.flow_type.as_str(),
        name: changed.name.as_str(),
        status: changed.status.as_str(),
        version: changed.version,
        release: changed.release,
        by: changed.change.by.as_ref().map(Author::as_str),
        note: changed.change.note.as_ref().map(Note::as_str),
    }
}
