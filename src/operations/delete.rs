//! `DELETE /v2/project-flows/{id}`: the version that deletes the flow; its history stays.

use std::time::SystemTime;

use serde::Serialize;

use super::prelude::*;
use crate::etag::Preconditions;
use crate::flow::Summary;
use crate::store::Outcome;

pub struct Delete {
    id: FlowId,
    preconditions: Preconditions,
    note: Option<Note>,
    run: Run,
}

impl Operation<'_> for Delete {
    const ROUTE: Route = Route::new("DELETE", "/v2/project-flows/{id}", Permission::Write, &["dryRun", "note"]);
    type Path = FlowId;

    fn parse(id: FlowId, request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        Ok(Self { id, note, preconditions: request.preconditions()?, run: request.run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        /// What is left of a flow that was deleted.
        #[derive(Serialize)]
        struct Deleted<'flow> {
            #[serde(rename = "_id")]
            id: &'flow str,
            status: &'static str,
            version: u64,
        }

        let Self { id, preconditions, note, run } = self;
        let change = caller.change(note);
        let next = |newest: &Flow| {
            newest.check_undeleted()?;
            preconditions.check(newest.summary.version)?;
            newest.delete(SystemTime::now(), change.clone()).map(Some)
        };
        let deleted = |flow: &Flow| {
            let Summary { id, status, version, .. } = &flow.summary;
            Answer::ok(&Envelope::of(Deleted { id: id.as_str(), status: status.as_str(), version: *version }))
        };
        Ok(match store.write_version(&caller.client, &id, run, next).await? {
            Outcome::Written(flow) => deleted(&flow).about(&flow.summary),
            Outcome::Judged { next, .. } => deleted(&next),
        })
    }
}
