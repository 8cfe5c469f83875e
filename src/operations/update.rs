//! `PUT /v2/project-flows/{id}`: the next version, in which the members that are sent replace the stored ones.

use std::time::SystemTime;

use super::prelude::*;
use crate::body::MediaType;
use crate::etag::Preconditions;
use crate::flow::{Edit, EditKind};

pub struct Update<'request> {
    id: FlowId,
    edit: Edit<'request>,
    preconditions: Preconditions,
    note: Option<Note>,
    run: Run,
}

impl<'request> Update<'request> {
    pub(super) fn read(id: FlowId, request: &Request<'request>, kind: EditKind) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        let preconditions = request.preconditions()?;
        let edit = Edit { members: request.members()?, kind };
        Ok(Self { id, edit, preconditions, note, run: request.run })
    }
}

impl<'request> Operation<'request> for Update<'request> {
    const ROUTE: Route =
        Route::new("PUT", "/v2/project-flows/{id}", Permission::Write, &["dryRun", "note"]).with_body(MediaType::Json);
    type Path = FlowId;

    fn parse(id: FlowId, request: &Request<'request>) -> Result<Self, Error> {
        Self::read(id, request, EditKind::Replacement)
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { id, edit, preconditions, note, run } = self;
        let change = caller.change(note);
        let next = |newest: &Flow| {
            newest.check_undeleted()?;
            preconditions.check(newest.summary.version)?;
            newest.edit(SystemTime::now(), &edit, change.clone())
        };
        Answer::change(&store.write_version(&caller.client, &id, run, next).await?)
    }
}
