//! The keys that an issuer publishes: fetched from its address, kept in the table, renewed in time.
//!
//! A process reads the set from the table when it starts. The set is fetched anew if there is none, if it is an hour old, or
//! if a token is signed with none of its keys. One process does this for all; the table elects it. If a fetch fails, the old
//! set stays in force for a day. The fetch itself is in `address`.

mod address;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;
use tokio::sync::Mutex;

use self::address::Address;
use crate::error::{Cause, Error};
use crate::keys::{Keys, Origin, Refusal, Token};
use crate::store::{self, ATTEMPT_TIMEOUT, Claim, KeptKeys, Store};

/// The age at which a set is fetched again.
const FRESH: Duration = Duration::from_hours(1);
/// The age at which a set is no longer in force.
const IN_FORCE: Duration = Duration::from_hours(24);
/// The shortest time from one fetch of the fleet to the next.
const FETCH_PAUSE: Duration = Duration::from_secs(10);
/// The shortest time between two looks of a process into the table for keys that a token needs.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The same while its own set serves, and is only old.
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);
/// How long a process waits for the set that another one fetches: a fetch, and two calls to the table.
const WAIT_TIME: Duration = Duration::from_secs(3);
/// The pause between two looks whether it has come, if there is no set in force.
const WAIT_PAUSE: Duration = Duration::from_millis(100);
/// The longest time of a request for all of this.
const TIME: Duration = Duration::from_secs(5);

/// The keys of one issuer.
#[derive(Debug)]
pub struct Issuer {
    address: Address,
    /// The issuer that tokens must name.
    name: Option<String>,
    /// The audience that tokens must name.
    audience: Option<String>,
    store: Store,
    held: RwLock<Option<Held>>,
    /// Locked by the one request of the process that renews the set.
    renewal: Mutex<Renewal>,
}

/// What a process has done last to get a newer set. Times are in milliseconds since 1970.
#[derive(Debug, Default)]
struct Renewal {
    looked: u64,
    /// When it claimed a fetch. A fetch of its own is over, so nobody need wait for it.
    claimed: u64,
}

/// The set that a process has.
#[derive(Debug, Clone)]
struct Held {
    keys: Arc<Keys>,
    /// In milliseconds since 1970.
    fetched_at: u64,
}

impl Issuer {
    /// The keys at `url`, before they are read.
    pub fn new(
        url: String,
        name: Option<String>,
        audience: Option<String>,
        authorities: Option<Vec<u8>>,
        store: Store,
    ) -> Self {
        let address = Address::new(url, authorities);
        Self { address, name, audience, store, held: RwLock::default(), renewal: Mutex::default() }
    }

    /// Reads the set from the table, in the time of one attempt. A failure is ignored here: the first request meets the
    /// same failure and answers it.
    pub async fn prime(&self) {
        let _ = tokio::time::timeout(ATTEMPT_TIMEOUT, self.look()).await;
    }

    /// The claims of a token that a key of the issuer has signed, as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`] if no such key has signed it, [`Error::TemporarilyUnavailable`] if there is no set in force, or
    /// if nobody can tell now whether the issuer has the key.
    pub async fn verify(&self, token: &Token<'_>) -> Result<Box<RawValue>, Error> {
        let held = self.held(FRESH);
        match held.as_ref().map(|held| held.keys.verify(token)) {
            Some(Ok(claims)) => Ok(claims),
            Some(Err(refusal @ Refusal::Invalid(_))) => Err(refusal.into()),
            None | Some(Err(Refusal::UnknownKey | Refusal::Unsigned)) => {
                Box::pin(self.verify_renewed(token, held.map(|held| held.fetched_at))).await
            }
        }
    }

    /// The same with a newer set than the one that was fetched at `tried`, if there is one.
    async fn verify_renewed(&self, token: &Token<'_>, tried: Option<u64>) -> Result<Box<RawValue>, Error> {
        let renewal = tokio::time::timeout(TIME, self.renew(token, tried)).await;
        let held = self.held(IN_FORCE);
        match held.as_ref().map(|held| (held.keys.verify(token), held.fetched_at)) {
            // Unless the issuer has just published this set, the key may be in a newer one.
            Some((Err(Refusal::UnknownKey), fetched_at)) if !is_within(FETCH_PAUSE + LOOK_PAUSE, fetched_at) => {}
            Some((verdict, _)) => return Ok(verdict?),
            None => {}
        }
        let why = match renewal {
            Ok(Ok(())) => "the last fetch has failed".to_owned(),
            Ok(Err(cause)) => cause.to_string(),
            Err(_) => format!("no set within {} s", TIME.as_secs()),
        };
        Err(Error::TemporarilyUnavailable(Cause::new(format!("JWKS_URL: {why}"))))
    }

    /// Gets a newer set: from the table, from the issuer, or from the process that is fetching it. Does nothing if it is too
    /// early for that.
    async fn renew(&self, token: &Token<'_>, tried: Option<u64>) -> Result<(), Cause> {
        let mut renewal = self.renewal.lock().await;
        let serves = |held: Held| {
            let is_new = tried != Some(held.fetched_at);
            is_new && !matches!(held.keys.verify(token), Err(Refusal::UnknownKey | Refusal::Unsigned))
        };
        let is_done = || self.held(FRESH).is_some_and(serves);
        let is_urgent = || !self.held(IN_FORCE).is_some_and(serves);
        // Another request of this process may have done it meanwhile.
        if is_done() || is_within(if is_urgent() { LOOK_PAUSE } else { RENEWAL_PAUSE }, renewal.looked) {
            return Ok(());
        }
        renewal.looked = now();
        let mut kept = self.look().await?;
        if is_done() {
            return Ok(());
        }
        if !is_within(FETCH_PAUSE, kept.tried_at) {
            match self.store.claim_fetch(self.address.url(), &kept, now()).await.map_err(|error| cause(&error))? {
                Claim::Ours(claim) => {
                    renewal.claimed = claim.tried_at;
                    return store::watch_key_fetch(self.fetch_and_keep(&claim)).await;
                }
                Claim::Others(others) => kept = self.take(others),
            }
        }
        let claimed = renewal.claimed;
        let is_under_way = |kept: &KeptKeys| {
            kept.fetched_at < kept.tried_at && kept.tried_at != claimed && is_within(WAIT_TIME, kept.tried_at)
        };
        while is_urgent() && is_under_way(&kept) {
            let has_keys = self.held(IN_FORCE).is_some();
            tokio::time::sleep(if has_keys { LOOK_PAUSE } else { WAIT_PAUSE }).await;
            renewal.looked = now();
            kept = self.look().await?;
        }
        Ok(())
    }

    /// Reads what the table keeps, and takes the set if it is newer.
    async fn look(&self) -> Result<KeptKeys, Cause> {
        self.store.kept_keys(self.address.url()).await.map(|kept| self.take(kept)).map_err(|error| cause(&error))
    }

    /// Takes the set that is kept, if it is newer.
    fn take(&self, kept: KeptKeys) -> KeptKeys {
        if let Some(jwks) = &kept.jwks
            && self.held(Duration::MAX).is_none_or(|held| held.fetched_at < kept.fetched_at)
        {
            match self.parse(jwks) {
                Ok(keys) => self.hold(keys, kept.fetched_at),
                Err(problem) => tracing::warn!("JWKS_URL: the set in the table: {problem}"),
            }
        }
        kept
    }

    async fn fetch_and_keep(&self, claim: &KeptKeys) -> Result<(), Cause> {
        let parsed = self.address.fetch().await.and_then(|jwks| self.parse(&jwks).map(|keys| (jwks, keys)));
        let (jwks, keys) = parsed.map_err(|problem| {
            tracing::warn!("JWKS_URL: {problem}");
            Cause::new(problem)
        })?;
        for key in keys.left_out() {
            tracing::warn!("JWKS_URL: left out: {key}");
        }
        let fetched_at = now();
        self.hold(keys, fetched_at);
        if let Err(error) = self.store.keep_keys(self.address.url(), claim, &jwks, fetched_at).await {
            tracing::warn!("JWKS_URL: the set could not be kept in the table: {error}");
        }
        Ok(())
    }

    /// The usable keys of a set. If there are none, the log says why each is left out, and the error that there are none.
    fn parse(&self, jwks: &str) -> Result<Keys, String> {
        let parsed = Keys::parse(jwks, Origin::Issuer, self.name.as_deref(), self.audience.as_deref());
        parsed.map_err(|problems| {
            let mut problems = problems.into_iter();
            let first = problems.next().unwrap_or_default();
            problems.for_each(|problem| tracing::warn!("JWKS_URL: {problem}"));
            first
        })
    }

    fn hold(&self, keys: Keys, fetched_at: u64) {
        let held = Held { keys: Arc::new(keys), fetched_at };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// The set that this process has, unless it is older than `age`.
    fn held(&self, age: Duration) -> Option<Held> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone();
        held.filter(|held| is_within(age, held.fetched_at))
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whether `time` is less than `age` away. A time in the future counts too, since clocks differ; one that is far off does not.
fn is_within(age: Duration, time: u64) -> bool {
    now().abs_diff(time) < milliseconds(age)
}

fn cause(error: &Error) -> Cause {
    Cause::new(error.to_string())
}
