//! `GET /v2/project-flows/{id}/versions/{version}/diff`: what changed from another version to this one (RFC 6902).

use super::prelude::*;
use crate::diff::diff;
use crate::error::Cause;
use crate::flow::{Head, Place, parse_version};
use crate::json;
use crate::problem::Problem;

pub struct Diff {
    id: FlowId,
    from: Base,
    to: u64,
}

/// What a version is compared with.
enum Base {
    Version(u64),
    /// What is live in the flow's place.
    Live,
}

impl Operation<'_> for Diff {
    const ROUTE: Route =
        Route::new("GET", "/v2/project-flows/{id}/versions/{version}/diff", Permission::Read, &["from"]);
    type Path = (FlowId, u64);

    fn parse((id, to): (FlowId, u64), request: &Request<'_>) -> Result<Self, Error> {
        let parse = |text: &str| match text {
            "live" => Some(Base::Live),
            text => parse_version(text).map(Base::Version),
        };
        let from = request.parameters.get("from", "live or a version, an integer from 1", parse)?;
        let missing = || Problem::parameter("from", "expected live or the version to compare with, found nothing");
        Ok(Self { id, from: from.ok_or_else(missing)?, to })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let newest = store.newest(&caller.client, &self.id).await?;
        let to = store.version(&newest, self.to).await?;
        let from = match self.from {
            Base::Version(from) => store.version(&newest, from).await?,
            Base::Live => {
                let (flow, release) = Head::live(store.head(&caller.client, &Place::of(&newest.summary)).await?)?;
                store.released(&release, flow).await?
            }
        };
        let (from, to) = (from.document()?, to.document()?);
        let read = |document| json::read(document).map_err(|problem| Cause::new(format!("diff: {}", problem.error)));
        Ok(Answer::ok(&Envelope::of(diff(&read(&from)?, &read(&to)?))))
    }
}
