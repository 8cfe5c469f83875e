//! `GET /v2/project-flows/{id}`: the flow, or with `asOf` the version that was in force at a moment.

use super::prelude::*;
use crate::etag::EntityTags;
use crate::flow::Timestamp;

pub struct Retrieve {
    id: FlowId,
    as_of: Option<Timestamp>,
    /// The versions that the client has already.
    known: Option<EntityTags>,
}

impl Operation<'_> for Retrieve {
    const ROUTE: Route = Route::new("GET", "/v2/project-flows/{id}", Permission::Read, &["asOf"]);
    type Path = FlowId;

    fn parse(id: FlowId, request: &Request<'_>) -> Result<Self, Error> {
        Ok(Self { id, as_of: request.parameters.instant("asOf")?, known: request.known()? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { id, as_of, known } = self;
        if let Some(moment) = as_of {
            return Ok(Answer::flow(&store.version_as_of(&caller.client, &id, &moment).await?));
        }
        let flow = store.newest(&caller.client, &id).await?;
        flow.check_undeleted()?;
        let version = flow.summary.version;
        let is_known = known.is_some_and(|known| known.match_weakly(version));
        let answer = if is_known { Answer::not_modified().about(&flow.summary) } else { Answer::flow(&flow) };
        Ok(answer.tagged(version))
    }
}
