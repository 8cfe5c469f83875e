//! The address where an issuer publishes its keys, and how it is asked.

use std::error::Error as StdError;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::{Connector, HttpClientError};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;

use crate::store;
use crate::tls::{self, Authorities};

/// How long a fetch may take.
const FETCH_TIME: Duration = Duration::from_secs(2);
/// The most bytes of a set.
const MAX_SET: usize = 64 * 1024;

#[derive(Debug)]
pub struct Address {
    url: String,
    /// The certificate authorities to trust, in PEM, instead of the machine's.
    authorities: Option<Vec<u8>>,
    /// Reads the machine's certificates, so it is made when there is something to fetch.
    connector: OnceLock<Connector>,
}

impl Address {
    pub const fn new(url: String, authorities: Option<Vec<u8>>) -> Self {
        Self { url, authorities, connector: OnceLock::new() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the issuer publishes. A redirect is not followed.
    pub async fn fetch(&self) -> Result<String, String> {
        let answer = tokio::time::timeout(FETCH_TIME, self.get()).await;
        answer.unwrap_or_else(|_| Err(format!("expected an answer within {} s, found none", FETCH_TIME.as_secs())))
    }

    async fn get(&self) -> Result<String, String> {
        let connector = if let Some(connector) = self.connector.get() {
            connector
        } else {
            let connector = self.connect().map_err(|error| chain(&error))?;
            self.connector.get_or_init(|| connector)
        };
        let mut request = HttpRequest::get(&self.url).map_err(|error| error.to_string())?;
        request.headers_mut().insert("accept", "application/jwk-set+json, application/json");
        let response = connector.call(request).await.map_err(|error| chain(&error))?;
        match response.status().as_u16() {
            200 => {}
            status => return Err(format!("expected status 200, found {status}")),
        }
        let mut body = ByteStream::new(response.into_body());
        let mut set = Vec::new();
        while let Some(bytes) = body.try_next().await.map_err(|error| chain(&error))? {
            set.extend_from_slice(&bytes);
            if set.len() > MAX_SET {
                return Err(format!("expected at most {MAX_SET} bytes, found more"));
            }
        }
        String::from_utf8(set).map_err(|_| "expected UTF-8, found other bytes".to_owned())
    }

    fn connect(&self) -> Result<Connector, HttpClientError> {
        Ok(Connector::builder()
            .tls_provider(tls::PROVIDER)
            .tls_context(tls::context(self.authorities.as_deref(), Authorities::Machine)?)
            // An hour lies between two fetches. No connection lasts that long.
            .pool_idle_timeout(FETCH_TIME)
            .build())
    }
}

/// An error and what caused it.
fn chain(error: &(dyn StdError + 'static)) -> String {
    store::sources(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
