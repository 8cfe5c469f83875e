//! Station 3, store: what each command asks of the table, and its outcome. One arm each.

mod live;

use std::time::SystemTime;

use crate::caller::Caller;
use crate::command::Command;
use crate::diff::{PatchOperation, diff};
use crate::error::Error;
use crate::flow::{Change, Flow, Note, Place, Release};
use crate::query::Base;
use crate::store::{Creation, LiveFlows, Page, Releases, Store, Versions};

/// What a request led to.
#[derive(Debug, Clone)]
pub enum Outcome {
    Created(Flow),
    /// The flow that the same request created before, as it was then.
    Replayed(Flow),
    WouldCreate(Flow),
    /// The flow at its newest version, which the request may have written.
    Newest(Flow),
    /// The client has the newest version of the flow already.
    NotModified(Flow),
    /// The flow as the request would leave it.
    WouldUpdate(Flow),
    /// The version in force at a moment.
    Past(Flow),
    /// A version, with who wrote it and why.
    Version(Flow),
    /// The version that deleted the flow.
    Deleted(Flow),
    Flows {
        page: Page,
        limit: usize,
    },
    Versions {
        page: Versions,
        limit: usize,
    },
    Diff(Vec<PatchOperation>),
    LiveFlows {
        page: LiveFlows,
        limit: usize,
    },
    /// The flow that is live, which the request may have released.
    Live(Flow, Release),
    /// The client has what is live already.
    LiveNotModified(Flow, Release),
    /// What was live at a moment.
    PastLive(Flow, Release),
    /// The release that withdrew what was live.
    Withdrawn(Release),
    Releases {
        page: Releases,
        limit: usize,
    },
    /// The methods of a path.
    Preflight {
        allow: String,
    },
}

impl Outcome {
    /// The one flow of the table that it shows.
    pub const fn flow(&self) -> Option<&Flow> {
        match self {
            Self::Created(flow)
            | Self::Replayed(flow)
            | Self::Newest(flow)
            | Self::NotModified(flow)
            | Self::Past(flow)
            | Self::Version(flow)
            | Self::Deleted(flow)
            | Self::Live(flow, _)
            | Self::LiveNotModified(flow, _)
            | Self::PastLive(flow, _) => Some(flow),
            Self::WouldCreate(_)
            | Self::WouldUpdate(_)
            | Self::Flows { .. }
            | Self::Versions { .. }
            | Self::Diff(_)
            | Self::LiveFlows { .. }
            | Self::Withdrawn(_)
            | Self::Releases { .. }
            | Self::Preflight { .. } => None,
        }
    }
}

impl Command<'_> {
    /// Carries the command out for `caller`.
    pub async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Outcome, Error> {
        let Caller { client, author, missing: _, four_eyes: _ } = caller;
        let change = |note: &Option<Note>| Change { by: author.clone(), note: note.clone(), restored: None };
        match self {
            Self::Create { content, dry_run, idempotency, note } => {
                let now = SystemTime::now();
                let flow = Flow::create(client.clone(), now, content, idempotency, change(&note))?;
                if dry_run {
                    store.check_project(&flow).await?;
                    return Ok(Outcome::WouldCreate(flow));
                }
                Ok(match store.create(flow).await? {
                    Creation::Created(flow) => Outcome::Created(*flow),
                    Creation::Replayed(first) => Outcome::Replayed(*first),
                })
            }
            Self::List { filter, position, limit } => {
                let page = store.list(client, &filter, &position, limit).await?;
                Ok(Outcome::Flows { page, limit })
            }
            Self::Retrieve { id, known } => {
                let flow = store.newest(client, &id).await?;
                flow.check_undeleted()?;
                let is_known = known.is_some_and(|known| known.match_weakly(flow.summary.version));
                Ok(if is_known { Outcome::NotModified(flow) } else { Outcome::Newest(flow) })
            }
            Self::RetrieveAsOf { id, moment } => Ok(Outcome::Past(store.version_as_of(client, &id, &moment).await?)),
            Self::Update { id, update, preconditions, dry_run, note } => {
                let next = |newest: &Flow| {
                    newest.check_undeleted()?;
                    preconditions.check(newest.summary.version)?;
                    newest.update(SystemTime::now(), &update, change(&note))
                };
                if dry_run {
                    let newest = store.newest(client, &id).await?;
                    let updated = next(&newest)?.unwrap_or_else(|| newest.clone());
                    store.check_deactivation(&newest, &updated).await?;
                    return Ok(Outcome::WouldUpdate(updated));
                }
                Ok(Outcome::Newest(store.change(client, &id, next).await?))
            }
            Self::Delete { id, preconditions, note } => {
                let next = |newest: &Flow| {
                    newest.check_undeleted()?;
                    preconditions.check(newest.summary.version)?;
                    newest.delete(SystemTime::now(), change(&note)).map(Some)
                };
                Ok(Outcome::Deleted(store.change(client, &id, next).await?))
            }
            Self::Versions { id, after, limit } => {
                let page = store.versions(client, &id, after, limit).await?;
                Ok(Outcome::Versions { page, limit })
            }
            Self::Version { id, version } => {
                let newest = store.newest(client, &id).await?;
                Ok(Outcome::Version(store.version(&newest, version).await?))
            }
            Self::Diff { id, from, to } => {
                let newest = store.newest(client, &id).await?;
                let to = store.version(&newest, to).await?;
                let from = match from {
                    Base::Version(from) => store.version(&newest, from).await?,
                    Base::Live => live::live(store.head(client, &Place::of(&newest.summary)).await?)?.0,
                };
                Ok(Outcome::Diff(diff(&from.document()?, &to.document()?)?))
            }
            Self::Restore { id, version, preconditions, note } => {
                let newest = store.newest(client, &id).await?;
                let past = store.version(&newest, version).await?;
                let next = |newest: &Flow| {
                    preconditions.check(newest.summary.version)?;
                    Ok(Some(newest.restore(SystemTime::now(), &past, change(&note))?))
                };
                Ok(Outcome::Newest(store.change(client, &id, next).await?))
            }
            Self::Live(command) => command.carry_out(store, caller).await,
        }
    }
}
