//! The whole way of a request on one screen. It cannot fail: whatever happens, the caller gets an envelope.
//!
//! An `Err` would become the gateway's bare 502, so the error type is [`Infallible`].

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;

use crate::caller::{Authenticator, Caller};
use crate::command::{Call, Command, Target};
use crate::diff::diff;
use crate::error::{Cause, Error};
use crate::event::Event;
use crate::flow::{Client, Flow, FlowId};
use crate::log::{Counts, Line, Log, Metrics, timestamp};
use crate::reply::{Outcome, Reply, document};
use crate::store::{self, Creation, FailedAttempts, Store};

/// The function: everything that requests share.
#[derive(Debug)]
pub struct Handler {
    authenticator: Authenticator,
    store: Store,
    log: Log,
    /// Whether the next request is the first.
    cold: AtomicBool,
}

impl Handler {
    /// A handler that has seen no request.
    pub const fn new(authenticator: Authenticator, store: Store, log: Log) -> Self {
        Self { authenticator, store, log, cold: AtomicBool::new(true) }
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
        let target = Target::find(&event);
        let (mut result, failed_attempts) = match (&caller, &target) {
            (_, Ok(Target::Preflight { allow, .. })) => {
                (Ok(Outcome::Preflight { allow: allow.clone() }), FailedAttempts::default())
            }
            (Ok(caller), Ok(Target::Operation(call))) => {
                store::count_failed_attempts(self.carry_out(caller, *call, &event, context.deadline())).await
            }
            (Err(error), _) | (Ok(_), Err(error)) => (Err(error.clone()), FailedAttempts::default()),
        };
        let mut reply = Reply::new(&result, &event, request_id);
        if let Err(cause) = reply.check_size() {
            result = Err(cause.into());
            reply = Reply::new(&result, &event, request_id);
        }

        let outcome = result.as_ref().ok().and_then(Outcome::flow);
        let error = result.as_ref().err();
        let named = if outcome.is_none() { target.as_ref().ok().and_then(Target::flow_id) } else { None };
        let cold_start = self.cold.swap(false, Ordering::Relaxed);
        let counts = Counts {
            cold_starts: cold_start.into(),
            replays: matches!(result, Ok(Outcome::Replayed(_))).into(),
            recovered_retries: (result.is_ok() && failed_attempts.any()).into(),
            unknown_outcomes: matches!(result, Err(Error::OutcomeUnknown(_))).into(),
            throttles: failed_attempts.throttled,
        };
        let now = SystemTime::now();
        let line = Line {
            timestamp: timestamp(now),
            level: "INFO",
            request_id,
            route: target.as_ref().map_or("none", Target::route),
            status: reply.status(),
            code: error.map(Error::code),
            cause: error.and_then(Error::cause).map(Cause::as_str),
            client: caller.as_ref().ok().map(|caller| caller.client.as_str()),
            flow_id: outcome.map(|flow| &flow.id).or(named.as_ref()).map(FlowId::as_str),
            flow_version: outcome.map(|flow| flow.version),
            duration_ms: start.elapsed().as_secs_f64() * 1_000.0,
            cold_start,
            counts,
            function: &self.log.function,
            metrics: Metrics::new(now, error.is_some(), &counts),
        };
        (self.log.write)(&line.text());
        Ok(reply)
    }

    /// Parse and store, before Lambda would end the function without an answer.
    async fn carry_out(
        &self,
        caller: &Caller,
        call: Call<'_>,
        event: &Event,
        deadline: SystemTime,
    ) -> Result<Outcome, Error> {
        let mut buffer = Vec::new();
        let command = Command::parse(call, event, &mut buffer)?;
        let late = if command.writes() { Error::OutcomeUnknown } else { Error::TemporarilyUnavailable };
        // On the heap: the state of the largest operation would be moved with this one's, from hand to hand.
        let outcome = Box::pin(self.store(&caller.client, command));
        tokio::time::timeout(time_left(deadline), outcome)
            .await
            .unwrap_or_else(|_| Err(late(Cause::new("no outcome before the deadline"))))
    }

    async fn store(&self, client: &Client, command: Command<'_>) -> Result<Outcome, Error> {
        let store = &self.store;
        match command {
            Command::Create { content, dry_run, once } => {
                let flow = Flow::create(client.clone(), SystemTime::now(), content, once)?;
                if dry_run {
                    store.check_project(&flow).await?;
                    return Ok(Outcome::WouldCreate(flow));
                }
                match store.create(&flow).await? {
                    Creation::Created => Ok(Outcome::Created(flow)),
                    Creation::Replayed(first) => Ok(Outcome::Replayed(*first)),
                }
            }
            Command::List { filter, place, limit } => {
                let page = store.list(client, &filter, &place, limit).await?;
                Ok(Outcome::Flows { page, limit })
            }
            Command::Retrieve { id, known } => {
                let flow = store.newest(client, &id).await?;
                flow.undeleted()?;
                let is_known = known.is_some_and(|known| known.match_weakly(flow.version));
                Ok(if is_known { Outcome::NotModified(flow) } else { Outcome::Newest(flow) })
            }
            Command::RetrieveAsOf { id, moment } => Ok(Outcome::Past(store.version_as_of(client, &id, &moment).await?)),
            Command::Update { id, update, preconditions, dry_run } => {
                let change = |newest: &Flow| {
                    preconditions.check(newest.undeleted()?.version)?;
                    newest.updated(SystemTime::now(), &update)
                };
                if dry_run {
                    let newest = store.newest(client, &id).await?;
                    let updated = change(&newest)?.unwrap_or(newest);
                    store::check_size(&updated)?;
                    return Ok(Outcome::WouldUpdate(updated));
                }
                Ok(Outcome::Newest(store.change(client, &id, change).await?))
            }
            Command::Delete { id, preconditions } => {
                let change = |newest: &Flow| {
                    preconditions.check(newest.undeleted()?.version)?;
                    newest.deleted(SystemTime::now()).map(Some)
                };
                Ok(Outcome::Deleted(store.change(client, &id, change).await?))
            }
            Command::Versions { id, after, limit } => {
                let page = store.versions(client, &id, after, limit).await?;
                Ok(Outcome::Versions { page, limit })
            }
            Command::Version { id, version } => {
                let newest = store.newest(client, &id).await?;
                Ok(Outcome::Past(store.version(&newest, version).await?))
            }
            Command::Diff { id, from, to } => {
                let newest = store.newest(client, &id).await?;
                let (from, to) = (store.version(&newest, from).await?, store.version(&newest, to).await?);
                Ok(Outcome::Diff(diff(&document(&from)?, &document(&to)?)?))
            }
            Command::Restore { id, version, preconditions } => {
                let newest = store.newest(client, &id).await?;
                let past = store.version(&newest, version).await?;
                let change = |newest: &Flow| {
                    preconditions.check(newest.version)?;
                    Ok(Some(newest.restored(SystemTime::now(), past.content.clone())?))
                };
                Ok(Outcome::Newest(store.change(client, &id, change).await?))
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
