//! `PUT /v2/project-flows/live/{project}/{type}`: a version of a flow becomes live, as the next release of the place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::live::shown;
use super::prelude::*;
use crate::body::MediaType;
use crate::etag::Preconditions;
use crate::flow::{Head, Place, ReleasedVersion};
use crate::problem::{Code, Problem};
use crate::store::{Next, Outcome};

pub struct Release {
    place: Place,
    version: ReleasedVersion,
    preconditions: Preconditions,
    note: Option<Note>,
    run: Run,
}

impl Operation<'_> for Release {
    const ROUTE: Route =
        Route::new("PUT", "/v2/project-flows/live/{project}/{type}", Permission::Release, &["dryRun", "note"])
            .with_body(MediaType::Json);
    type Path = Place;

    fn parse(place: Place, request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        let preconditions = request.preconditions()?;
        let version = ReleasedVersion::parse(&request.members()?)?;
        Ok(Self { place, version, preconditions, note, run: request.run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { place, version: ReleasedVersion { id, version }, preconditions, note, run } = &self;
        let change = &caller.change(note.clone());
        // A review holds for ever, so a release that is tried again needs no other.
        let is_reviewed = &AtomicBool::new(false);
        let next = |head: Option<Head>| async move {
            check_place(preconditions, head.as_ref())?;
            let head = match head {
                Some(head) if head.names(id, *version) => return Ok(Next::Same(head)),
                head => head,
            };
            let newest = store.newest(&caller.client, id).await?;
            let flow = store.version(&newest, *version).await?;
            flow.check_releasable(&newest, place)?;
            if caller.four_eyes && !is_reviewed.load(Ordering::Relaxed) {
                let author = caller.author.as_ref().ok_or_else(anonymous)?;
                store.review(head.as_ref(), &flow, author).await?;
                is_reviewed.store(true, Ordering::Relaxed);
            }
            let now = SystemTime::now();
            Ok(Next::Release(Head::release(head.as_ref(), now, flow, change.clone(), caller.four_eyes)?))
        };
        match store.release(&caller.client, place, *run, next).await? {
            Outcome::Written(head) => {
                let number = head.release.number;
                Ok(shown(store, Some(head)).await?.tagged(number))
            }
            Outcome::Judged { stored, next } => judged(store, stored, next).await,
        }
    }
}

/// The answer to a dry run. What is live already is shown as it is.
async fn judged(store: &Store, stored: Option<Head>, next: Head) -> Result<Answer, Error> {
    let (flow, release) = Head::live(Some(next))?;
    let flow = store.released(&release, flow).await?;
    let mut document = release.document(None);
    let mut warnings = Vec::new();
    if stored.as_ref().is_none_or(|head| head.release.number != release.number) {
        document = document.of_dry_run();
        if let Ok((live, release)) = Head::live(stored) {
            warnings = flow.weaknesses(&store.released(&release, live).await?)?;
        }
    }
    Ok(Answer::ok(&Envelope { release: Some(document), warnings, ..Envelope::of(Document::of_flow(&flow)) }))
}

pub(super) fn check_place(preconditions: &Preconditions, head: Option<&Head>) -> Result<(), Problem> {
    let number = head.map_or(0, |head| head.release.number);
    preconditions.check_place(number, head.is_some_and(|head| head.release.version.is_some()))
}

/// The refusal of a review that would not know whose work is the caller's.
fn anonymous() -> Problem {
    Problem::new("/version", Code::OwnChange, "expected a token that names who releases, found none")
}
