//! `POST /v2/project-flows`: a new flow, a draft at version 1.

use std::time::SystemTime;

use super::prelude::*;
use crate::body::MediaType;
use crate::error::Cause;
use crate::flow::{Content, Fingerprint, Idempotency, IdempotencyKey};
use crate::json::{self, Order};
use crate::store::Creation;

pub struct Create {
    content: Content,
    idempotency: Option<Idempotency>,
    note: Option<Note>,
    dry_run: bool,
}

impl Operation<'_> for Create {
    const ROUTE: Route =
        Route::new("POST", "/v2/project-flows", Permission::Write, &["dryRun", "note"]).with_body(MediaType::Json);
    type Path = ();

    fn parse((): (), request: &Request<'_>) -> Result<Self, Error> {
        let note = request.parameters.note()?;
        let key = request.idempotency_key()?;
        let body = request.body()?;
        let content = Content::parse(&json::read_object(body)?)?;
        let idempotency = key.map(|key| fingerprint(key, body)).transpose()?;
        Ok(Self { content, idempotency, note, dry_run: request.dry_run })
    }

    async fn carry_out(self, store: &Store, caller: &Caller) -> Result<Answer, Error> {
        let Self { content, idempotency, note, dry_run } = self;
        let flow = Flow::create(caller.client.clone(), SystemTime::now(), content, idempotency, caller.change(note))?;
        if dry_run {
            store.check_project(&flow).await?;
            return Ok(Answer::ok(&Envelope::of(Document::of_flow(&flow).without_id())));
        }
        Ok(match store.create(&flow).await? {
            Creation::Created => created(&flow),
            Creation::Replayed(first) => {
                Answer { is_replay: true, ..created(&first).with("Idempotency-Replayed", "true") }
            }
        })
    }
}

fn created(flow: &Flow) -> Answer {
    let location = format!("{}/{}", Create::ROUTE.path, flow.summary.id.as_str());
    Answer { status: 201, ..Answer::flow(flow) }.with("Location", location).tagged(flow.summary.version)
}

/// A key with what was sent under it, a body that has been read already.
fn fingerprint(key: IdempotencyKey, body: &[u8]) -> Result<Idempotency, Error> {
    let canonical = std::str::from_utf8(body).map_err(|error| error.to_string());
    let canonical = canonical.and_then(|body| json::canonical(body, Order::Sorted).map_err(|error| error.to_string()));
    let canonical = canonical.map_err(|error| Error::Internal(Cause::new(format!("canonical form: {error}"))))?;
    Ok(Idempotency { key, fingerprint: Fingerprint::of(&canonical) })
}
