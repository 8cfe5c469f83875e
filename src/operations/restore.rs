//! `POST /v2/project-flows/{id}/versions/{version}/restore`: a new version with the content of an earlier one.

use std::time::SystemTime;

use super::prelude::*;
use crate::etag::Preconditions;

pub struct Restore {
    id: FlowId,
    version: u64,
    preconditions: Preconditions,
    note: Option<Note>,
    run: Run,
}

impl Operation<'_> for Restore {
    const ROUTE: Route =
        Route::new("POST", "/v2/project-flows/{id}/versions/{version}/restore", Permission::Write, &["dryRun", "note"]);
    type Path = (FlowId, u64);

    fn parse((id, version): (FlowId, u64), request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        Ok(Self { id, version, note, preconditions: request.preconditions()?, run: request.run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { id, version, preconditions, note, run } = self;
        let change = caller.change(note);
        let newest = store.newest(&caller.client, &id).await?;
        let past = store.version(&newest, version).await?;
        let next = |newest: &Flow| {
            preconditions.check(newest.summary.version)?;
            Ok(Some(newest.restore(SystemTime::now(), &past, change.clone())?))
        };
        Answer::change(&store.write_version(&caller.client, &id, run, next).await?)
    }
}
