//! `GET /v2/project-flows/{id}/versions/{version}`: the flow as it was at a version, with who wrote it and why.

use super::prelude::*;

pub struct Version {
    id: FlowId,
    version: u64,
}

impl Operation<'_> for Version {
    const ROUTE: Route = Route::new("GET", "/v2/project-flows/{id}/versions/{version}", Permission::Read, &[]);
    type Path = (FlowId, u64);

    fn parse((id, version): (FlowId, u64), _: &Request<'_>) -> Result<Self, Error> {
        Ok(Self { id, version })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let newest = store.newest(&caller.client, &self.id).await?;
        let flow = store.version(&newest, self.version).await?;
        let change = Some(flow.change.document(flow.digest.as_ref()));
        Ok(Answer::ok(&Envelope { change, ..Envelope::of(Document::of_flow(&flow)) }).about(&flow.summary))
    }
}
