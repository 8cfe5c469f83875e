//! `DELETE /v2/project-flows/live/{project}/{type}`: the release after which nothing is live in the place.

use std::future;
use std::time::SystemTime;

use super::prelude::*;
use super::release::check_place;
use crate::etag::Preconditions;
use crate::flow::{Head, Place};
use crate::store::{Next, Outcome};

pub struct Withdraw {
    place: Place,
    preconditions: Preconditions,
    note: Option<Note>,
    run: Run,
}

impl Operation<'_> for Withdraw {
    const ROUTE: Route =
        Route::new("DELETE", "/v2/project-flows/live/{project}/{type}", Permission::Release, &["dryRun", "note"]);
    type Path = Place;

    fn parse(place: Place, request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        Ok(Self { place, note, preconditions: request.preconditions()?, run: request.run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { place, preconditions, note, run } = self;
        let change = caller.change(note);
        let next = |head: Option<Head>| {
            let withdrawn = Head::withdraw(head.as_ref(), SystemTime::now(), change.clone())?;
            check_place(&preconditions, head.as_ref())?;
            Ok(Next::Release(withdrawn))
        };
        let outcome = store.release(&caller.client, &place, run, |head| future::ready(next(head))).await?;
        let release = Some(match &outcome {
            Outcome::Written(head) => head.release.document(None),
            Outcome::Judged { next, .. } => next.release.document(None).of_dry_run(),
        });
        Ok(Answer::ok(&Envelope { release, ..Envelope::of(()) }))
    }
}
