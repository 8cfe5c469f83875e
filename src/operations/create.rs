//! `POST /v2/project-flows`: a new flow, a draft at version 1.

use std::time::SystemTime;

use super::prelude::*;
use crate::body::{MAX_BODY, MediaType};
use crate::error::Cause;
use crate::flow::{Content, Fingerprint, Idempotency, IdempotencyKey, MAX_CONTENT};
use crate::json::Members;
use crate::store::Creation;

/// The content of a new flow is a part of a body, so it can be stored.
const _: () = assert!(MAX_BODY <= MAX_CONTENT);

pub struct Create {
    content: Content,
    idempotency: Option<Idempotency>,
    note: Option<Note>,
    run: Run,
}

impl Operation<'_> for Create {
    const ROUTE: Route =
        Route::new("POST", "/v2/project-flows", Permission::Write, &["dryRun", "note"]).with_body(MediaType::Json);
    type Path = ();

    fn parse((): (), request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        let key = request.idempotency_key()?;
        let members = request.members()?;
        let content = Content::parse(&members)?;
        let idempotency = key.map(|key| fingerprint(key, &members)).transpose()?;
        Ok(Self { content, idempotency, note, run: request.run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { content, idempotency, note, run } = self;
        let flow = Flow::create(caller.client.clone(), SystemTime::now(), content, idempotency, caller.change(note))?;
        Ok(match store.create(flow, run).await? {
            Creation::Created(flow) => created(&flow),
            Creation::Replayed(first) => {
                Answer { is_replay: true, ..created(&first).with("Idempotency-Replayed", "true") }
            }
            Creation::Judged(flow) => {
                let warnings = flow.warnings(None)?;
                Answer::ok(&Envelope { warnings, ..Envelope::of(Document::of_flow(&flow).without_id()) })
            }
        })
    }
}

fn created(flow: &Flow) -> Answer {
    let location = format!("{}/{}", Create::ROUTE.path, flow.summary.id.as_str());
    Answer { status: 201, ..Answer::flow(flow) }.with("Location", location).tagged(flow.summary.version)
}

/// A key with what was sent under it.
fn fingerprint(key: IdempotencyKey, members: &Members<'_>) -> Result<Idempotency, Error> {
    let canonical = members.canonical().map_err(|error| Cause::new(format!("canonical form: {error}")))?;
    Ok(Idempotency { key, fingerprint: Fingerprint::of(&canonical) })
}
