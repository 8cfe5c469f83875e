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
use crate::flow::Flow;
use crate::reply::{Outcome, Reply};
use crate::store::{Creation, Store};

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
            Ok(caller) => self.carry_out(caller, &event, context.deadline()).await,
            Err(error) => Err(error.clone()),
        };
        let reply = Reply::new(&result, &event, request_id);

        let cold_start = self.cold.swap(false, Ordering::Relaxed);
        log(&event, request_id, caller.as_ref().ok(), &result, &reply, start.elapsed(), cold_start);
        Ok(reply)
    }

    /// Parse and store, before Lambda would end the function without an answer.
    async fn carry_out(&self, caller: &Caller, event: &Event, deadline: SystemTime) -> Result<Outcome, Error> {
        let command = Command::parse(event)?;
        let late = match command {
            Command::Create { dry_run: true, .. } => Error::TemporarilyUnavailable,
            Command::Create { dry_run: false, .. } => Error::OutcomeUnknown,
        };
        tokio::time::timeout(time_left(deadline), self.store(caller, command))
            .await
            .unwrap_or_else(|_| Err(late(Cause::new("no outcome before the deadline"))))
    }

    async fn store(&self, caller: &Caller, command: Command) -> Result<Outcome, Error> {
        match command {
            Command::Create { content, dry_run, once } => {
                let flow = Flow::create(caller.client.clone(), SystemTime::now(), content, once)?;
                if dry_run {
                    self.store.check_project(&flow).await?;
                    return Ok(Outcome::WouldCreate(flow));
                }
                match self.store.create(&flow).await? {
                    Creation::Created => Ok(Outcome::Created(flow)),
                    Creation::Replayed(first) => Ok(Outcome::Replayed(*first)),
                }
            }
        }
    }
}

/// How long the outcome may take, so that the answer is in time.
fn time_left(deadline: SystemTime) -> Duration {
    /// What is left for the answer itself.
    const ANSWER: Duration = Duration::from_millis(200);
    /// The function's time in template.yaml, for a deadline that is none: `cargo lambda watch` gives one in 1970.
    const FUNCTION: Duration = Duration::from_secs(10);

    deadline.duration_since(SystemTime::now()).unwrap_or(FUNCTION).saturating_sub(ANSWER)
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
        Ok(Outcome::Created(flow) | Outcome::Replayed(flow)) => Some(flow),
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
