//! `GET /v2/project-flows/live/{project}/{type}`: what is live in a place, or with `asOf` what was at a moment.

use super::prelude::*;
use crate::etag::EntityTags;
use crate::flow::{Head, Place, Timestamp};

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
        Ok(Self { place, as_of: request.parameters.instant("asOf")?, known: request.known()? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { place, as_of, known } = self;
        if let Some(moment) = as_of {
            return shown(store, store.head_as_of(&caller.client, &place, &moment).await?).await;
        }
        let head = store.head(&caller.client, &place).await?;
        let number = head.as_ref().map_or(0, |head| head.release.number);
        if known.is_some_and(|known| known.match_weakly(number)) {
            let (flow, _) = Head::live(head)?;
            return Ok(Answer::not_modified().about(&flow.summary).tagged(number));
        }
        Ok(shown(store, head).await?.tagged(number))
    }
}

/// What is live, with the release that put it in force.
pub(super) async fn shown(store: &Store, head: Option<Head>) -> Result<Answer, Error> {
    let (flow, release) = Head::live(head)?;
    let flow = store.released(&release, flow).await?;
    let release = Some(release.document(None));
    Ok(Answer::ok(&Envelope { release, ..Envelope::of(Document::of_flow(&flow)) }).about(&flow.summary))
}
