//! `GET /v2/project-flows`: a page of the client's flows, newest first, or of the trash.

use super::prelude::*;
use crate::flow::Status;
use crate::flow::members::FlowType;
use crate::problem::Problem;
use crate::query::integer;
use crate::store::{Begin, Filter, List};

/// The flows of a page, unless `limit` says otherwise, and at most.
pub const LISTED: (usize, usize) = (10, 100);

pub struct ListFlows {
    filter: Filter,
    begin: Begin,
    limit: usize,
}

impl Operation<'_> for ListFlows {
    const ROUTE: Route = Route::new(
        "GET",
        "/v2/project-flows",
        Permission::Read,
        &["page", "limit", "project", "type", "status", "cursor"],
    );
    type Path = ();

    fn parse((): (), Request { parameters, .. }: &Request<'_>) -> Result<Self, Error> {
        let project = parameters.project()?;
        let flow_type = parameters.get("type", "login or onboarding", FlowType::parse)?;
        let status = parameters.get("status", &Status::ALL.map(Status::as_str).join(" or "), Status::parse)?;
        // All flows of the trash have the same status.
        let (list, status) = match status {
            Some(Status::Deleted) => (List::Trash, None),
            status => (List::Flows, status),
        };
        let page = |text: &str| integer(text).filter(|page| *page > 0);
        let page = parameters.get("page", &format!("an integer from 1 to {}", u32::MAX), page)?;
        let begin = match (page, parameters.cursor(&list)?) {
            (Some(_), Some(_)) => {
                return Err(Problem::parameter("cursor", "expected page or cursor, found both").into());
            }
            (None, Some(cursor)) => Begin::After(cursor),
            (page, None) => Begin::Page(page.unwrap_or(1)),
        };
        Ok(Self { filter: Filter { list, project, flow_type, status }, begin, limit: parameters.limit(LISTED)? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let page = store.list(&caller.client, &self.filter, &self.begin, self.limit).await?;
        Ok(Answer::page(&page, self.limit, Document::of_summary))
    }
}
