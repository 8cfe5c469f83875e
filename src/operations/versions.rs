//! `GET /v2/project-flows/{id}/versions`: a page of the flow's versions, newest first.

use super::prelude::*;
use crate::store::{Cursor, Entry, List};

/// The versions of a page, unless `limit` says otherwise, and at most.
pub const LISTED: (usize, usize) = (100, 100);

pub struct Versions {
    id: FlowId,
    after: Option<Cursor>,
    limit: usize,
}

impl Operation<'_> for Versions {
    const ROUTE: Route = Route::new("GET", "/v2/project-flows/{id}/versions", Permission::Read, &["limit", "cursor"]);
    type Path = FlowId;

    fn parse(id: FlowId, Request { parameters, .. }: &Request<'_>) -> Result<Self, Error> {
        let after = parameters.cursor(&List::Versions(id.clone()))?;
        Ok(Self { id, after, limit: parameters.limit(LISTED)? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let page = store.versions(&caller.client, self.id, self.after, self.limit).await?;
        Ok(Answer::page(&page, self.limit, |Entry { summary, change, digest }| {
            Document::of_summary(summary).with_change(change.document(digest.as_ref()))
        }))
    }
}
