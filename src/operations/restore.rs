//! `POST /v2/project-flows/{id}/versions/{version}/restore`: a new version with the content of an earlier one.

use std::time::SystemTime;

use super::prelude::*;
use crate::etag::Preconditions;

pub struct Restore {
    id: FlowId,
    version: u64,
    preconditions: Preconditions,
    note: Option<Note>,
}

impl Operation<'_> for Restore {
    const ROUTE: Route =
        Route::new("POST", "/v2/project-flows/{id}/versions/{version}/restore", Permission::Write, &["note"]);
    type Path = (FlowId, u64);

    fn parse((id, version): (FlowId, u64), request: &Request<'_>) -> Result<Self, Error> {
        Ok(Self { id, version, note: request.parameters.note()?, preconditions: request.preconditions()? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { id, version, preconditions, note } = self;
        let change = caller.change(note);
        let newest = store.newest(&caller.client, &id).await?;
        let past = store.version(&newest, version).await?;
        let next = |newest: &Flow| {
            preconditions.check(newest.summary.version)?;
            Ok(Some(newest.restore(SystemTime::now(), &past, change.clone())?))
        };
        let flow = store.change(&caller.client, &id, next).await?;
        Ok(Answer::flow(&flow).tagged(flow.summary.version))
    }
}
