//! Carries out the commands on live flows.

use std::future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::Outcome;
use crate::caller::Caller;
use crate::command::LiveCommand;
use crate::error::Error;
use crate::etag::Preconditions;
use crate::flow::{Change, Flow, Head, Note, Release, ReleasedVersion};
use crate::problem::{Code, Problem};
use crate::store::{Next, Store};

impl LiveCommand {
    /// Carries the command out for `caller`.
    pub async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Outcome, Error> {
        let Caller { client, author, missing: _, four_eyes } = caller;
        let change = |note: Option<Note>| Change { by: author.clone(), note, restored: None };
        match self {
            Self::List { project, after, limit } => {
                let page = store.live_flows(client, project.as_ref(), after, limit).await?;
                Ok(Outcome::LiveFlows { page, limit })
            }
            Self::Retrieve { place, known } => {
                let (flow, release) = live(store.head(client, &place).await?)?;
                let is_known = known.is_some_and(|known| known.match_weakly(release.number));
                Ok(if is_known { Outcome::LiveNotModified(flow, release) } else { Outcome::Live(flow, release) })
            }
            Self::RetrieveAsOf { place, moment } => {
                let (flow, release) = live(store.head_as_of(client, &place, &moment).await?)?;
                Ok(Outcome::PastLive(flow, release))
            }
            Self::Release { place, version, preconditions, note } => {
                let (change, preconditions) = (&change(note), &preconditions);
                let (place, ReleasedVersion { id, version }) = (&place, &version);
                // A review holds for ever, so a release that is tried again needs no other.
                let is_reviewed = &AtomicBool::new(false);
                let next = |head: Option<Head>| async move {
                    check_place(preconditions, head.as_ref())?;
                    let head = match head {
                        Some(head) if head.names(id, *version) => return Ok(Next::Same(head)),
                        head => head,
                    };
                    let newest = store.newest(client, id).await?;
                    let flow = store.version(&newest, *version).await?;
                    flow.check_releasable(&newest, place)?;
                    if *four_eyes && !is_reviewed.load(Ordering::Relaxed) {
                        let author = author.as_ref().ok_or_else(anonymous)?;
                        store.review(head.as_ref(), &flow, author).await?;
                        is_reviewed.store(true, Ordering::Relaxed);
                    }
                    let mut next = Head::release(head.as_ref(), SystemTime::now(), flow, change.clone());
                    next.release.reviewed = *four_eyes;
                    Ok(Next::Release(next))
                };
                let (flow, release) = live(Some(store.release(client, place, next).await?))?;
                Ok(Outcome::Live(flow, release))
            }
            Self::Withdraw { place, preconditions, note } => {
                let change = change(note);
                let next = |head: Option<Head>| {
                    let withdrawn = Head::withdraw(head.as_ref(), SystemTime::now(), change.clone())?;
                    check_place(&preconditions, head.as_ref())?;
                    Ok(Next::Release(withdrawn))
                };
                let next = |head| future::ready(next(head));
                Ok(Outcome::Withdrawn(store.release(client, &place, next).await?.release))
            }
            Self::Releases { place, after, limit } => {
                let page = store.releases(client, &place, after, limit).await?;
                Ok(Outcome::Releases { page, limit })
            }
        }
    }
}

/// The flow that a release puts in force, with the release.
pub fn live(head: Option<Head>) -> Result<(Flow, Release), Error> {
    match head {
        Some(Head { release, flow: Some(flow) }) => Ok((flow, release)),
        Some(Head { flow: None, .. }) | None => Err(Error::NoLiveFlow),
    }
}

fn check_place(preconditions: &Preconditions, head: Option<&Head>) -> Result<(), Problem> {
    let number = head.map_or(0, |head| head.release.number);
    preconditions.check_place(number, head.is_some_and(|head| head.flow.is_some()))
}

/// The refusal of a review that would not know whose work is the caller's.
fn anonymous() -> Problem {
    Problem::new("/version", Code::OwnChange, "expected a token that names who releases, found none")
}
