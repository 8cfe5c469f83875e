//! The whole way of a request on one screen. It cannot fail: whatever happens, the caller gets an envelope.
//!
//! An `Err` would become the gateway's bare 502, so the error type is [`Infallible`].

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;

use crate::caller::{Authenticator, Caller};
use crate::command::Command;
use crate::error::{Cause, Error};
use crate::event::Event;
use crate::flow::{Flow, FlowId};
use crate::reply::{Outcome, Reply};
use crate::store::Store;

/// The function: everything that requests share.
#[derive(Debug)]
pub struct Handler {
    authenticator: Authenticator,
    store: Store,
    /// Whether the next request is the first.
    cold: AtomicBool,
}

impl Handler {
    /// A handler that has seen no request.
    pub const fn new(authenticator: Authenticator, store: Store) -> Self {
        Self { authenticator, store, cold: AtomicBool::new(true) }
    }

    /// Event → authenticate → parse → store → envelope, and one line in the log.
    ///
    /// # Errors
    ///
    /// None.
    pub async fn handle(&self, event: LambdaEvent<Event>) -> Result<Reply, Infallible> {
        let start = Instant::now();
        let LambdaEvent { payload: event, context } = event;
        let request_id = event.request_id().unwrap_or(&context.request_id);

        let caller = self.authenticator.authenticate(event.headers().authorization.as_deref());
        let result = match &caller {
            Ok(caller) => self.carry_out(caller, &event).await,
            Err(error) => Err(error.clone()),
        };
        let reply = Reply::new(&result, &event, request_id);

        let cold_start = self.cold.swap(false, Ordering::Relaxed);
        log(&event, request_id, caller.as_ref().ok(), &result, &reply, start.elapsed(), cold_start);
        Ok(reply)
    }

    async fn carry_out(&self, caller: &Caller, event: &Event) -> Result<Outcome, Error> {
        match Command::parse(event)? {
            Command::Create { content, dry_run } => {
                let flow = Flow::create(fresh_id()?, caller.client.clone(), SystemTime::now(), content);
                if dry_run {
                    return Ok(Outcome::WouldCreate(flow));
                }
                self.store.create(&flow).await?;
                Ok(Outcome::Created(flow))
            }
        }
    }
}

/// An id of 130 random bits.
fn fresh_id() -> Result<FlowId, Error> {
    let mut bytes = [0; FlowId::BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Internal(Cause::new("no random bytes")))?;
    Ok(FlowId::from_bytes(bytes))
}

/// One line a request: never a body or a token.
fn log(
    event: &Event,
    request_id: &str,
    caller: Option<&Caller>,
    result: &Result<Outcome, Error>,
    reply: &Reply,
    duration: Duration,
    cold_start: bool,
) {
    let flow = match result {
        Ok(Outcome::Created(flow)) => Some(flow),
        Ok(Outcome::WouldCreate(_)) | Err(_) => None,
    };
    let error = result.as_ref().err();
    tracing::info!(
        request.id = request_id,
        http.route = Command::route(event),
        http.status = reply.status(),
        code = error.map(Error::code),
        cause = error.and_then(Error::cause).map(tracing::field::display),
        client = caller.map(|caller| caller.client.as_str()),
        flow.id = flow.map(|flow| flow.id.as_str()),
        duration_ms = duration.as_secs_f64() * 1_000.0,
        cold_start,
    );
}
