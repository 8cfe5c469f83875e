//! `DELETE /v2/project-flows/live/{project}/{type}`: the release after which nothing is live in the place.

use std::future;
use std::time::SystemTime;

use super::prelude::*;
use super::release::check_place;
use crate::etag::Preconditions;
use crate::flow::{Head, Place};
use crate::store::Next;

pub struct Withdraw {
    place: Place,
    preconditions: Preconditions,
    note: Option<Note>,
}

impl Operation<'_> for Withdraw {
    const ROUTE: Route =
        Route::new("DELETE", "/v2/project-flows/live/{project}/{type}", Permission::Release, &["note"]);
    type Path = Place;

    fn parse(place: Place, request: &Request<'_>) -> Result<Self, Error> {
        Ok(Self { place, note: request.parameters.note()?, preconditions: request.preconditions()? })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { place, preconditions, note } = self;
        let change = caller.change(note);
        let next = |head: Option<Head>| {
            let withdrawn = Head::withdraw(head.as_ref(), SystemTime::now(), change.clone())?;
            check_place(&preconditions, head.as_ref())?;
            Ok(Next::Release(withdrawn))
        };
        let head = store.release(&caller.client, &place, |head| future::ready(next(head))).await?;
        let release = Some(head.release.document(None));
        Ok(Answer::ok(&Envelope { release, ..Envelope::of(()) }))
    }
}
