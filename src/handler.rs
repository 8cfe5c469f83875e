//! The whole way of a request on one screen. It cannot fail: whatever happens, the caller gets an envelope.
//!
//! An `Err` would become the gateway's bare 502, so the error type is [`Infallible`].

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use lambda_http::LambdaEvent;

use crate::answer::Answer;
use crate::caller::{self, Authenticator, Caller};
use crate::error::{Cause, Error};
use crate::event::Event;
use crate::log::{Log, Request};
use crate::operations::Target;
use crate::reply::Reply;
use crate::store::{self, Store};

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
    pub async fn handle(&self, event: LambdaEvent<Event>) -> Result<Reply, Infallible> {
        let start = Instant::now();
        let LambdaEvent { payload: event, context } = event;
        let request_id = event.request_id().unwrap_or(&context.request_id);

        let target = Target::find(&event);
        let mut caller = None;
        let answer = in_time(context.deadline(), self.carry_out(&target, &event, &mut caller));
        let (result, failed_attempts) = store::count_failed_attempts(answer).await;
        let (reply, result) = Reply::new(result, &event, request_id);

        self.log.write(&Request {
            id: request_id,
            target: target.as_ref().ok(),
            caller: caller.as_ref(),
            result: &result,
            status: reply.status(),
            failed_attempts,
            is_cold: self.cold.swap(false, Ordering::Relaxed),
            start,
        });
        Ok(reply)
    }

    /// Authenticate, parse and store.
    async fn carry_out(
        &self,
        target: &Result<Target<'_>, Error>,
        event: &Event,
        caller: &mut Option<Caller>,
    ) -> Result<Answer, Error> {
        let token = caller::token(event.headers().authorization.as_deref());
        let (token, call) = match target {
            Ok(Target::Preflight { allow, .. }) => return Ok(Answer::preflight(allow.clone())),
            Ok(Target::Operation(call)) => (token?, call),
            // No token is verified for a path of no operation: the key may cost a read, or a fetch.
            Err(error) => return Err(token.err().unwrap_or_else(|| error.clone())),
        };
        let caller = caller.insert(self.authenticator.authenticate(&token).await?);
        caller.check(call.route().permission)?;
        let body = event.body();
        let carry_out = call.parse(event, &body)?;
        carry_out(&self.store, caller).await
    }
}

/// The result of `work`, or an error before Lambda would end the function without an answer.
async fn in_time<T>(deadline: SystemTime, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let result = tokio::time::timeout(time_left(deadline), work).await;
    result.unwrap_or_else(|_| Err(store::late(Cause::new("no outcome before the deadline"))))
}

/// How long the outcome may take, so that the answer is in time.
fn time_left(deadline: SystemTime) -> Duration {
    /// What is left for the answer itself.
    const ANSWER: Duration = Duration::from_millis(200);
    /// The function's time in template.yaml, for an unusable deadline: `cargo lambda watch` gives one in 1970.
    const FUNCTION: Duration = Duration::from_secs(10);

    deadline.duration_since(SystemTime::now()).unwrap_or(FUNCTION).saturating_sub(ANSWER)
}
