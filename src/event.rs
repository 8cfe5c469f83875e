//! Station 0: what API Gateway hands over, as one type for both payload formats.
//!
//! `lambda_http` builds its own request from an event, and panics on events that a stranger can cause: a space or a
//! quote in the query, bad base64, a query of 64 KiB. So this module reads the event itself, straight
//! from its JSON. It judges nothing: that is left to [`crate::caller`] and [`crate::operations`].
//!
//! Formats: "Working with AWS Lambda proxy integrations for HTTP APIs" (payload 1.0 and 2.0) in the API Gateway
//! Developer Guide.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A request as API Gateway describes it, in payload format 1.0 (REST API) or 2.0 (HTTP API).
///
/// ```
/// # use project_flows::event::Event;
/// let event: Event = serde_json::from_str(
///     r#"{"version": "2.0", "rawPath": "/v2/project-flows", "headers": {"Content-Type": "application/json"},
///         "requestContext": {"requestId": "r-1", "http": {"method": "POST"}}, "body": "{}"}"#,
/// )?;
/// assert_eq!((event.method(), event.path()), ("POST", "/v2/project-flows"));
/// assert_eq!(event.headers().content_type.as_deref(), Some("application/json"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    http_method: Option<String>,
    path: Option<String>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    query_string_parameters: Option<QueryParameters>,
    multi_value_query_string_parameters: Option<QueryParameters>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
    request_context: Option<RequestContext>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    request_id: Option<String>,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    method: Option<String>,
}

/// The query as the gateway passes it on.
#[derive(Debug, PartialEq, Eq)]
pub enum Query<'event> {
    /// Payload 2.0: the text after the `?`, still percent-encoded.
    Encoded(&'event str),
    /// Payload 1.0: names and values, decoded by the gateway.
    Decoded(&'event [(String, String)]),
}

impl Event {
    pub fn method(&self) -> &str {
        let http = self.request_context.as_ref().and_then(|context| context.http.as_ref());
        http.and_then(|http| http.method.as_deref()).or(self.http_method.as_deref()).unwrap_or_default()
    }

    /// Whether the answer must have payload format 2.0.
    pub const fn is_payload_2(&self) -> bool {
        self.raw_path.is_some()
    }

    /// The path, with the stage or the base path that may stand before the operation's own.
    pub fn path(&self) -> &str {
        self.raw_path.as_deref().or(self.path.as_deref()).unwrap_or_default()
    }

    /// The query.
    ///
    /// ```
    /// # use project_flows::event::{Event, Query};
    /// let event: Event = serde_json::from_str(r#"{"path": "/", "queryStringParameters": {"dryRun": "true"}}"#)?;
    /// assert_eq!(event.query(), Query::Decoded(&[("dryRun".into(), "true".into())]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn query(&self) -> Query<'_> {
        if let Some(query) = &self.raw_query_string {
            return Query::Encoded(query);
        }
        // The parameters with all their values are a superset of those with the last value each.
        let parameters = self.multi_value_query_string_parameters.as_ref().or(self.query_string_parameters.as_ref());
        Query::Decoded(parameters.map_or(&[], |parameters| &parameters.0))
    }

    pub fn headers(&self) -> &Headers {
        const NONE: &Headers = &Headers {
            authorization: None,
            content_type: None,
            content_encoding: None,
            idempotency_key: None,
            if_match: None,
            if_none_match: None,
        };
        // The headers with all their values are a superset of those with the last value each.
        self.multi_value_headers.as_ref().or(self.headers.as_ref()).unwrap_or(NONE)
    }

    /// The bytes of the body, perhaps none. `None` if the body should be base64 (RFC 4648, 4) and does not decode.
    pub fn body(&self) -> Option<Cow<'_, [u8]>> {
        let body = self.body.as_deref().unwrap_or_default();
        match self.is_base64_encoded {
            Some(true) => STANDARD.decode(body).ok().map(Cow::Owned),
            Some(false) | None => Some(Cow::Borrowed(body.as_bytes())),
        }
    }

    /// The gateway's id of the request, if a response header can carry it.
    pub fn request_id(&self) -> Option<&str> {
        let id = self.request_context.as_ref()?.request_id.as_deref()?;
        let printable = (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        printable.then_some(id)
    }
}

/// Longer request ids are not the gateway's (it sends 16 or 36 characters).
const MAX_REQUEST_ID: usize = 128;

/// The headers that this function reads, whatever the case of their names.
///
/// A header sent more than once is one value, joined by commas (RFC 9110, 5.3), as an HTTP API joins it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Headers {
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub idempotency_key: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
}

impl Headers {
    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        if name.eq_ignore_ascii_case("authorization") {
            Some(&mut self.authorization)
        } else if name.eq_ignore_ascii_case("content-type") {
            Some(&mut self.content_type)
        } else if name.eq_ignore_ascii_case("content-encoding") {
            Some(&mut self.content_encoding)
        } else if name.eq_ignore_ascii_case("idempotency-key") {
            Some(&mut self.idempotency_key)
        } else if name.eq_ignore_ascii_case("if-match") {
            Some(&mut self.if_match)
        } else if name.eq_ignore_ascii_case("if-none-match") {
            Some(&mut self.if_none_match)
        } else {
            None
        }
    }
}

/// Query parameters in the order of the event.
#[derive(Debug, Default)]
struct QueryParameters(Vec<(String, String)>);

/// An object whose values are strings or lists of strings: the two shapes of headers and of query parameters.
trait Entries: Default {
    /// Whether an entry of this name is read.
    fn wants(&mut self, name: &str) -> bool;

    /// Takes one value of an entry.
    fn add(&mut self, name: &str, value: String);
}

impl Entries for Headers {
    fn wants(&mut self, name: &str) -> bool {
        self.slot(name).is_some()
    }

    fn add(&mut self, name: &str, value: String) {
        match self.slot(name) {
            Some(Some(joined)) => {
                joined.push_str(", ");
                joined.push_str(&value);
            }
            Some(slot) => *slot = Some(value),
            None => {}
        }
    }
}

impl Entries for QueryParameters {
    fn wants(&mut self, _: &str) -> bool {
        true
    }

    fn add(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for QueryParameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Entries> Visitor<'de> for EntriesVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings or lists of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut entries = T::default();
        while let Some(Text(name)) = map.next_key()? {
            if !entries.wants(&name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            for value in map.next_value::<Values>()?.0 {
                entries.add(&name, value);
            }
        }
        Ok(entries)
    }
}

/// A string that is borrowed from the event where it can be.
#[derive(Deserialize)]
struct Text<'event>(#[serde(borrow)] Cow<'event, str>);

/// The values of an entry: none, one or many. (An untagged enum would keep a copy of each.)
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;

        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of strings")
            }

            fn visit_unit<E>(self) -> Result<Values, E> {
                Ok(Values(Vec::new()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Values, E> {
                Ok(Values(vec![value.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Values, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(Values)
            }
        }

        deserializer.deserialize_any(ValuesVisitor)
    }
}
