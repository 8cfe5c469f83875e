//! What a caller gets: the function's response, as API Gateway reads it.

use std::collections::BTreeMap;

use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use lambda_http::aws_lambda_events::encodings::Body;
use project_flows::size::MAX_RESPONSE;
use serde_json::Value;

/// An answer of the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: i64,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    /// The size of the function's response, which contains the text once more escaped.
    pub bytes: usize,
}

impl Answer {
    /// Reads the function's response to an HTTP API, or else to a REST API.
    #[track_caller]
    pub fn read(response: &str, http_api: bool) -> Self {
        let bytes = response.len();
        assert!(bytes < MAX_RESPONSE, "Lambda refuses a response of {bytes} bytes");
        let (status, headers, body) = if http_api {
            let response: ApiGatewayV2httpResponse = serde_json::from_str(response).expect("a response to an HTTP API");
            (response.status_code, response.headers, response.body)
        } else {
            let members: Value = serde_json::from_str(response).unwrap();
            assert_eq!(members.get("cookies"), None, "a REST API refuses members that it does not know");
            let response: ApiGatewayProxyResponse = serde_json::from_str(response).expect("a response to a REST API");
            (response.status_code, response.headers, response.body)
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        let text = match body {
            Some(Body::Text(text)) => text,
            Some(Body::Empty) => String::new(),
            other => panic!("expected a text, found {other:?}"),
        };
        Self { status, headers, text, bytes }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a body of JSON")
    }

    /// The id of the flow in this answer.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["data"]["_id"].as_str().unwrap_or_else(|| panic!("expected a flow, found {self:?}")).to_owned()
    }

    /// The path of the flow in this answer.
    #[track_caller]
    pub fn path(&self) -> String {
        format!("/v2/project-flows/{}", self.id())
    }

    /// The code of a failure.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("expected a failure, found {self:?}")).to_owned()
    }

    #[track_caller]
    pub fn expect(&self, status: i64, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self:?}");
        self.expect_headers();
    }

    /// Checks the headers that every answer carries.
    #[track_caller]
    pub fn expect_headers(&self) {
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        assert!(!self.headers["x-request-id"].is_empty());
    }
}
