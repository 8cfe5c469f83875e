//! `GET /v2/project-flows/live/{project}/{type}/releases`: a page of a place's releases, newest first.

use super::prelude::*;
use crate::flow::Place;
use crate::store::{Cursor, List};

/// The releases of a page, unless `limit` says otherwise, and at most.
pub const LISTED: (usize, usize) = (100, 100);

pub struct Releases {
    place: Place,
    after: Option<Cursor>,
    limit: usize,
}

impl Operation<'_> for Releases {
    const ROUTE: Route =
        Route::new("GET", "/v2/project-flows/live/{project}/{type}/releases", Permission::Read, &["limit", "cursor"]);
    type Path = Place;

    fn parse(place: Place, Request { parameters, .. }: &Request<'_>) -> Result<Self, Error> {
        let after = parameters.cursor(&List::Releases(place.clone()))?;
        Ok(Self { place, after, limit: parameters.limit(LISTED)? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let page = store.releases(&caller.client, &self.place, self.after, self.limit).await?;
        Ok(Answer::page(&page, self.limit, |(release, until)| release.document(until.as_ref())))
    }
}
