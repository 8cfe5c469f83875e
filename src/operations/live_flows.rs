//! `GET /v2/project-flows/live`: a page of everything that is live, by project and type.

use super::prelude::*;
use crate::store::{Cursor, List};

/// The places of a page, unless `limit` says otherwise, and at most.
pub const LISTED: (usize, usize) = (10, 100);

pub struct LiveFlows {
    list: List,
    after: Option<Cursor>,
    limit: usize,
}

impl Operation<'_> for LiveFlows {
    const ROUTE: Route = Route::new("GET", "/v2/project-flows/live", Permission::Read, &["project", "limit", "cursor"]);
    type Path = ();

    fn parse((): (), Request { parameters, .. }: &Request<'_>) -> Result<Self, Error> {
        let list = List::Places(parameters.project()?);
        let after = parameters.cursor(&list)?;
        Ok(Self { list, after, limit: parameters.limit(LISTED)? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let page = store.live_flows(&caller.client, &self.list, self.after, self.limit).await?;
        Ok(Answer::page(&page, self.limit, |(summary, release)| {
            Document::of_summary(summary).with_release(release.document(None))
        }))
    }
}
