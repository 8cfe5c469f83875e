//! The environment, read once at start-up; nothing else in the crate looks at it.
//!
//! The usual AWS variables are read here too. The SDK's own loader would look for profiles, instance metadata and other
//! sources of credentials that no Lambda function has; only the credentials themselves are left to it.

use std::env::{self, VarError};
use std::fs;

use http::Uri;

use crate::caller::{Claims, Permission};
use crate::keys::{Keys, Origin, SharedSecrets};

/// What the function needs to know before its first request.
#[derive(Debug)]
pub struct Settings {
    /// `TABLE_NAME`: the table that holds the flows.
    pub table_name: String,
    /// `PROJECTS_TABLE`: the table of projects, where a flow's project must be the client's own.
    pub projects_table: Option<String>,
    /// `JWKS` and `ALLOW_SHARED_SECRETS`, or `JWKS_URL`: the keys that verify tokens.
    pub keys: KeySource,
    /// `JWT_ISSUER`: who must have issued a token.
    pub issuer: Option<String>,
    /// `JWT_AUDIENCE`: whom a token must be for.
    pub audience: Option<String>,
    /// `CLIENT_CLAIM`, `AUTHOR_CLAIM`, `SCOPE_CLAIM`, `READ_SCOPE`, `WRITE_SCOPE`, `RELEASE_SCOPE` and `FOUR_EYES`: what
    /// tokens say, and must allow.
    pub claims: Claims,
    /// `AWS_LAMBDA_FUNCTION_NAME`: the name of the function, for its metrics.
    pub function: String,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`: where DynamoDB is.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_DYNAMODB` or `AWS_ENDPOINT_URL`: another address of DynamoDB.
    pub endpoint: Option<String>,
    /// `AWS_USE_FIPS_ENDPOINT`: use the region's endpoint for FIPS 140.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`: use the region's endpoint for IPv4 and IPv6.
    pub dual_stack: bool,
    /// `AWS_LAMBDA_MAX_CONCURRENCY`: whether several requests come at a time (Lambda Managed Instances); the runtime reads
    /// how many.
    pub concurrent: bool,
    /// `AWS_CA_BUNDLE`: the certificate authorities to trust instead of the default ones, in PEM.
    pub authorities: Option<Vec<u8>>,
}

/// Where the keys that verify tokens come from.
#[derive(Debug)]
pub enum KeySource {
    Given(Keys),
    /// The address where the issuer publishes its JWK Set.
    Url(String),
}

impl Settings {
    /// Reads the environment of the process.
    pub fn from_env() -> Result<Self, Vec<String>> {
        let settings = Self::read(|name| env::var(name));
        // Otherwise the runtime would panic.
        if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
            let mut problems = settings.err().unwrap_or_default();
            problems
                .push("AWS_LAMBDA_RUNTIME_API: expected the address of the Lambda runtime, found nothing".to_owned());
            return Err(problems);
        }
        settings
    }

    /// Reads settings from `variable`; an empty one counts as absent, as SAM hands over an empty parameter.
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
        let [jwks, jwks_url, issuer, audience] = ["JWKS", "JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"].map(&mut optional);
        let [client_claim, author_claim, scope_claim] =
            ["CLIENT_CLAIM", "AUTHOR_CLAIM", "SCOPE_CLAIM"].map(&mut optional);
        let scopes = [
            ("READ_SCOPE", Permission::Read),
            ("WRITE_SCOPE", Permission::Write),
            ("RELEASE_SCOPE", Permission::Release),
        ]
        .map(|(name, permission)| (name, permission, optional(name)));
        let [region, default_region, any_endpoint, bundle] =
            ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"].map(&mut optional);
        let [function, concurrency] = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_MAX_CONCURRENCY"].map(&mut optional);
        let switches = ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "ALLOW_SHARED_SECRETS", "FOUR_EYES"]
            .map(|name| (name, optional(name)));

        let [fips, dual_stack, shared_secrets, four_eyes] = switches.map(|(name, value)| match value.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                problems.push(format!("{name}: expected true or false, found {other:?}"));
                false
            }
        });
        let authorities = bundle.and_then(|path| {
            let read = fs::read_to_string(&path).map_err(|error| error.to_string());
            let certificates = read.and_then(|text| {
                let any = text.contains("-----BEGIN CERTIFICATE-----").then_some(text.into_bytes());
                any.ok_or_else(|| "expected certificates in PEM, found none".to_owned())
            });
            certificates.map_err(|problem| problems.push(format!("AWS_CA_BUNDLE: {path}: {problem}"))).ok()
        });

        if table_name.is_none() {
            problems.push("TABLE_NAME: expected the name of the table, found nothing".to_owned());
        }
        let keys = match (jwks, jwks_url) {
            (Some(jwks), None) => {
                let secrets = if shared_secrets { SharedSecrets::Allowed } else { SharedSecrets::Refused };
                let keys = Keys::parse(&jwks, Origin::Setting(secrets), issuer.as_deref(), audience.as_deref());
                let named = |problems: Vec<_>| problems.iter().map(|problem| format!("JWKS: {problem}")).collect();
                keys.map(KeySource::Given).map_err(named)
            }
            (None, Some(url)) => match (check_url(&url), &issuer) {
                (Err(error), _) => Err(vec![format!("JWKS_URL: {error}")]),
                (Ok(()), None) => {
                    Err(vec!["JWT_ISSUER: expected the issuer of the keys at JWKS_URL, found nothing".to_owned()])
                }
                (Ok(()), Some(_)) => Ok(KeySource::Url(url)),
            },
            (None, None) => Err(vec![
                "JWKS: expected the keys that verify tokens, a JWK Set (RFC 7517), or JWKS_URL, found nothing"
                    .to_owned(),
            ]),
            (Some(_), Some(_)) => Err(vec!["JWKS: expected JWKS or JWKS_URL, found both".to_owned()]),
        };
        let keys = keys.map_err(|found: Vec<_>| problems.extend(found)).ok();
        let mut claims = Claims::default();
        claims.client = client_claim.unwrap_or(claims.client);
        claims.author = author_claim.unwrap_or(claims.author);
        claims.scope = scope_claim.unwrap_or(claims.scope);
        claims.four_eyes = four_eyes;
        for (name, permission, scope) in scopes {
            let Some(scope) = scope else { continue };
            if !is_scope(&scope) {
                problems.push(format!("{name}: expected one scope, visible ASCII without quotes, found {scope:?}"));
            }
            claims.scopes.push((permission, scope));
        }

        match (table_name, keys) {
            (Some(table_name), Some(keys)) if problems.is_empty() => Ok(Self {
                table_name,
                projects_table,
                keys,
                issuer,
                audience,
                claims,
                function: function.unwrap_or_default(),
                region: region.or(default_region),
                endpoint: endpoint.or(any_endpoint),
                fips,
                dual_stack,
                // Read as the runtime reads it: anything but a number counts as absent.
                concurrent: concurrency.and_then(|number| number.parse::<u32>().ok()).is_some_and(|number| number > 1),
                authorities,
            }),
            _ => Err(problems),
        }
    }
}

/// Nobody on the way may change the keys, so the address must use TLS or be on this machine.
fn check_url(url: &str) -> Result<(), String> {
    /// The address is a sort key of the table ("Quotas in Amazon DynamoDB" in its Developer Guide).
    const MAX_BYTES: usize = 1024;
    if url.len() > MAX_BYTES {
        return Err(format!("expected at most {MAX_BYTES} bytes, found {}", url.len()));
    }
    let uri = url.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| uri.scheme_str().zip(uri.host()));
    match parts {
        Some(("https", _) | ("http", "127.0.0.1" | "[::1]" | "localhost")) => Ok(()),
        _ => Err(format!("expected an https address (http on this machine only), found {url:?}")),
    }
}

/// Whether a text is one scope (RFC 6749, 3.3).
fn is_scope(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
