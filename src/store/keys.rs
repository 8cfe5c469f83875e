//! Keeps the JWK Set of an issuer for all processes of the fleet, and elects the one that fetches it.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::{Store, map_error, on_heap};
use crate::error::Error;
use crate::flow::random_text;
use crate::item::{self, Item};

/// What the table keeps of an issuer's keys. Times are in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct KeptKeys {
    /// The set as it was fetched; `None` before the first.
    pub jwks: Option<String>,
    pub fetched_at: u64,
    /// When a process last set out to fetch it.
    pub tried_at: u64,
    /// The last write of the item.
    token: Option<String>,
}

/// Who may fetch the set now.
#[derive(Debug)]
pub enum Claim {
    /// This process, until the item changes again.
    Ours(KeptKeys),
    /// Another process was first. This is kept now.
    Others(KeptKeys),
}

impl KeptKeys {
    /// What cannot be read of the item is absent.
    fn read(item: &Item) -> Self {
        let time = |name| item::text(item, name).and_then(|time| time.parse().ok()).unwrap_or_default();
        Self {
            jwks: item::text(item, item::JWKS).map(str::to_owned),
            fetched_at: time(item::FETCHED_AT),
            tried_at: time(item::TRIED_AT),
            token: item::text(item, item::WRITE_TOKEN).map(str::to_owned),
        }
    }
}

impl Store {
    /// What is kept of the set at `url`, as it stands after every write that was answered.
    pub async fn kept_keys(&self, url: &str) -> Result<KeptKeys, Error> {
        Ok(KeptKeys::read(&self.read(&self.table, item::keys_key(url)).await?.unwrap_or_default()))
    }

    /// Claims the fetch of the set at `url` at the time `now`. Of all processes that have read the same, one succeeds.
    pub async fn claim_fetch(&self, url: &str, kept: &KeptKeys, now: u64) -> Result<Claim, Error> {
        let claim = KeptKeys { tried_at: now, token: Some(random_text()?), ..kept.clone() };
        let others = self.put_keys(url, &claim, kept.token.as_deref()).await?;
        Ok(others.map_or(Claim::Ours(claim), Claim::Others))
    }

    /// Keeps the set that was fetched under a claim, unless another process has claimed the next fetch meanwhile.
    pub async fn keep_keys(&self, url: &str, claim: &KeptKeys, jwks: &str, now: u64) -> Result<(), Error> {
        let kept =
            KeptKeys { jwks: Some(jwks.to_owned()), fetched_at: now, token: Some(random_text()?), ..claim.clone() };
        self.put_keys(url, &kept, claim.token.as_deref()).await.map(drop)
    }

    /// Puts the item in the place of the one with the token `previous`, or of one without a token. If another is there, it
    /// stays, and is returned.
    async fn put_keys(&self, url: &str, kept: &KeptKeys, previous: Option<&str>) -> Result<Option<KeptKeys>, Error> {
        let KeptKeys { jwks, fetched_at, tried_at, token } = kept;
        let mut item = item::keys_key(url);
        item.extend(jwks.iter().map(|jwks| (item::JWKS.to_owned(), AttributeValue::S(jwks.clone()))));
        item.extend(token.iter().map(|token| (item::WRITE_TOKEN.to_owned(), AttributeValue::S(token.clone()))));
        item.insert(item::FETCHED_AT.to_owned(), AttributeValue::N(fetched_at.to_string()));
        item.insert(item::TRIED_AT.to_owned(), AttributeValue::N(tried_at.to_string()));
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .expression_attribute_names("#token", item::WRITE_TOKEN)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        put = match previous {
            None => put.condition_expression("attribute_not_exists(#token)"),
            Some(previous) => put
                .condition_expression("#token = :previous")
                .expression_attribute_values(":previous", AttributeValue::S(previous.to_owned())),
        };
        let Err(error) = on_heap(put.send()).await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let there = failed.item.as_ref().map(KeptKeys::read).unwrap_or_default();
                // With this token, an earlier attempt of this call wrote it, and only its answer was lost.
                Ok(Some(there).filter(|there| there.token != *token))
            }
            Some(_) | None => Err(map_error("PutItem", &error)),
        }
    }
}
