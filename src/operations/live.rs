//! `GET /v2/project-flows/live/{project}/{type}`: what is live in a place, or with `asOf` what was at a moment.

use super::prelude::*;
use crate::etag::EntityTags;
use crate::flow::{Head, Place, Release, Timestamp};

pub struct Live {
    place: Place,
    as_of: Option<Timestamp>,
    /// The releases that the client has already.
    known: Option<EntityTags>,
}

impl Operation<'_> for Live {
    const ROUTE: Route = Route::new("GET", "/v2/project-flows/live/{project}/{type}", Permission::Read, &["asOf"]);
    type Path = Place;

    fn parse(place: Place, request: &Request<'_>) -> Result<Self, Error> {
        Ok(Self { place, as_of: request.parameters.as_of()?, known: request.known()? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { place, as_of, known } = self;
        if let Some(moment) = as_of {
            let (flow, release) = Head::live(store.head_as_of(&caller.client, &place, &moment).await?)?;
            return Ok(shown(&flow, &release));
        }
        let (flow, release) = Head::live(store.head(&caller.client, &place).await?)?;
        let is_known = known.is_some_and(|known| known.match_weakly(release.number));
        let answer = if is_known { Answer::not_modified().about(&flow) } else { shown(&flow, &release) };
        Ok(answer.tagged(release.number))
    }
}

/// A flow with the release that put it in force.
pub(super) fn shown(flow: &Flow, release: &Release) -> Answer {
    let release = Some(release.document(None));
    Answer::ok(&Envelope { release, ..Envelope::of(Document::of_flow(flow)) }).about(flow)
}
