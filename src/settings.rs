//! The environment, read once at start-up; nothing else in the crate looks at it.
//!
//! What the AWS SDK reads by itself (region, credentials, `AWS_ENDPOINT_URL`) is left to it.

use std::env::{self, VarError};

use crate::caller::Authenticator;

/// What the function needs to know before its first request.
#[derive(Debug)]
pub struct Settings {
    /// `TABLE_NAME`: the table that holds the flows.
    pub table_name: String,
    /// `PROJECTS_TABLE`: the table of projects, where a flow's project must be the client's own.
    pub projects_table: Option<String>,
    /// `JWKS`, `JWT_ISSUER`, `JWT_AUDIENCE` and `CLIENT_CLAIM`: what tokens are checked against.
    pub authenticator: Authenticator,
    /// `AWS_ENDPOINT_URL_DYNAMODB`: another address of DynamoDB. The SDK reads it too, but panics on an empty one, which
    /// is what `sam local` makes of a variable that the template leaves out.
    pub endpoint: Option<String>,
}

impl Settings {
    /// The claim that names the client, unless `CLIENT_CLAIM` says otherwise.
    pub const CLIENT_CLAIM: &str = "clientId";

    /// Reads the environment of the process.
    ///
    /// # Errors
    ///
    /// One line for each setting that is missing or unusable.
    pub fn from_env() -> Result<Self, Vec<String>> {
        let settings = Self::read(|name| env::var(name));
        // The runtime would panic over it.
        if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            let mut problems = settings.err().unwrap_or_default();
            problems
                .push("AWS_LAMBDA_RUNTIME_API: expected the address of the Lambda runtime, found nothing".to_owned());
            return Err(problems);
        }
        settings
    }

    /// Reads settings from `variable`; an empty one counts as absent, as SAM hands over an empty parameter.
    ///
    /// # Errors
    ///
    /// One line for each setting that is missing or unusable.
    pub fn read(variable: impl Fn(&str) -> Result<String, VarError>) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut optional = |name: &str| match variable(name) {
            Ok(value) => Some(value).filter(|value| !value.is_empty()),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                problems.push(format!("{name}: expected UTF-8, found other bytes"));
                None
            }
        };
        let [table_name, projects_table, endpoint] =
            ["TABLE_NAME", "PROJECTS_TABLE", "AWS_ENDPOINT_URL_DYNAMODB"].map(&mut optional);
        let [jwks, issuer, audience, client_claim] =
            ["JWKS", "JWT_ISSUER", "JWT_AUDIENCE", "CLIENT_CLAIM"].map(&mut optional);

        if table_name.is_none() {
            problems.push("TABLE_NAME: expected the name of the table, found nothing".to_owned());
        }
        let authenticator = match jwks {
            None => Err("expected the keys that verify tokens, a JWK Set (RFC 7517), found nothing".to_owned()),
            Some(jwks) => {
                let client_claim = client_claim.as_deref().unwrap_or(Self::CLIENT_CLAIM);
                Authenticator::new(&jwks, issuer.as_deref(), audience.as_deref(), client_claim)
            }
        };
        let authenticator = authenticator.map_err(|error| problems.push(format!("JWKS: {error}"))).ok();

        match (table_name, authenticator) {
            (Some(table_name), Some(authenticator)) if problems.is_empty() => {
                Ok(Self { table_name, projects_table, authenticator, endpoint })
            }
            _ => Err(problems),
        }
    }
}
