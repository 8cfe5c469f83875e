//! `PATCH /v2/project-flows/{id}`: as an update, but `configuration` is merged member by member (RFC 7396).

use super::prelude::*;
use super::update::Update;
use crate::body::MediaType;
use crate::flow::EditKind;

pub struct Patch<'request>(Update<'request>);

impl<'request> Operation<'request> for Patch<'request> {
    const ROUTE: Route = Route { method: "PATCH", ..Update::ROUTE }.with_body(MediaType::MergePatch);
    type Path = FlowId;

    fn parse(id: FlowId, request: &Request<'request>) -> Result<Self, Error> {
        Update::read(id, request, EditKind::MergePatch).map(Self)
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        self.0.carry_out(store, caller).await
    }
}
