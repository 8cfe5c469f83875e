//! The environment, read once at start-up; nothing else in the crate looks at it.
//!
//! The usual AWS variables are read here too. The SDK's own loader would look for profiles, instance metadata and other
//! sources of credentials that no Lambda function has; only the credentials themselves are left to it.

use std::env::{self, VarError};
use std::fs;

use http::Uri;

use crate::caller::{Claims, Permission};
use crate::keys::{Keys, Origin, SharedSecrets};

/// The longest `JWKS_URL`, in bytes: it is a sort key of the table ("Quotas in Amazon DynamoDB" in its Developer Guide).
const MAX_KEYS_URL: usize = 1024;

/// What the function needs to know before its first request.
#[derive(Debug)]
pub struct Settings {
    /// The table that holds the flows.
    pub table_name: String,
    /// The table of projects, where a flow's project must be the client's own.
    pub projects_table: Option<String>,
    /// The keys that verify tokens.
    pub keys: KeySource,
    /// Who must have issued a token.
    pub issuer: Option<String>,
    /// Whom a token must be for.
    pub audience: Option<String>,
    /// What tokens say, and must allow.
    pub claims: Claims,
    /// The name of the function, for its metrics.
    pub function: String,
    /// Where DynamoDB is.
    pub region: String,
    /// Another address of DynamoDB.
    pub endpoint: Option<String>,
    /// Whether to use the region's endpoint for FIPS 140.
    pub fips: bool,
    /// Whether to use the region's endpoint for IPv4 and IPv6.
    pub dual_stack: bool,
    /// Whether several requests come at a time (Lambda Managed Instances); the runtime reads how many.
    pub concurrent: bool,
    /// The certificate authorities to trust instead of the default ones, in PEM.
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

    /// Reads the settings from `variable`, and reports every problem.
    pub fn read(variable: impl Fn(&str) -> Result<String, VarError>) -> Result<Self, Vec<String>> {
        let mut env = Environment { variable, problems: Vec::new() };
        let default = Claims::default();
        let table_name = env.required(&["TABLE_NAME"], TABLE);
        let issuer = env.optional(&["JWT_ISSUER"], TEXT);
        let audience = env.optional(&["JWT_AUDIENCE"], TEXT);
        let settings = Self {
            table_name,
            projects_table: env.optional(&["PROJECTS_TABLE"], TABLE),
            keys: env.keys(issuer.as_deref(), audience.as_deref()),
            issuer,
            audience,
            claims: Claims {
                client: env.optional(&["CLIENT_CLAIM"], TEXT).unwrap_or(default.client),
                author: env.optional(&["AUTHOR_CLAIM"], TEXT).unwrap_or(default.author),
                scope: env.optional(&["SCOPE_CLAIM"], TEXT).unwrap_or(default.scope),
                scopes: [
                    (Permission::Read, env.optional(&["READ_SCOPE"], SCOPE)),
                    (Permission::Write, env.optional(&["WRITE_SCOPE"], SCOPE)),
                    (Permission::Release, env.optional(&["RELEASE_SCOPE"], SCOPE)),
                ]
                .into_iter()
                .filter_map(|(permission, scope)| Some((permission, scope?)))
                .collect(),
                four_eyes: env.is_true("FOUR_EYES"),
            },
            function: env.optional(&["AWS_LAMBDA_FUNCTION_NAME"], ANY).unwrap_or_default(),
            region: env.required(&["AWS_REGION", "AWS_DEFAULT_REGION"], REGION),
            endpoint: env.optional(&["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"], ENDPOINT),
            fips: env.is_true("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: env.is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            // The runtime takes anything but a number as absent.
            concurrent: env
                .optional(&["AWS_LAMBDA_MAX_CONCURRENCY"], ANY)
                .is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 1)),
            authorities: env.certificates("AWS_CA_BUNDLE"),
        };
        // The SDK refuses each call with both.
        for (name, region_only) in
            [("AWS_USE_FIPS_ENDPOINT", settings.fips), ("AWS_USE_DUALSTACK_ENDPOINT", settings.dual_stack)]
        {
            if region_only && settings.endpoint.is_some() {
                env.report(name, "expected false beside the address of an endpoint, found true");
            }
        }
        if env.problems.is_empty() { Ok(settings) } else { Err(env.problems) }
    }
}

/// What the value of a variable must be.
#[derive(Clone, Copy)]
struct Kind {
    expected: &'static str,
    is_met: fn(&str) -> bool,
}

const ANY: Kind = Kind { expected: "any text", is_met: |_| true };
const TEXT: Kind = Kind { expected: "a text without white space around it", is_met: |text| text.trim() == text };
const SWITCH: Kind = Kind { expected: "true or false", is_met: |text| matches!(text, "true" | "false") };
const TABLE: Kind = Kind { expected: "the name of a table", is_met: is_table };
const REGION: Kind = Kind { expected: "a region, such as eu-central-1", is_met: is_region };
/// Nobody on the way may change the keys, so the address must use TLS or be on this machine.
const KEYS_URL: Kind = Kind { expected: "an https address (http on this machine only)", is_met: is_protected };
/// The SDK would fail on each call, or ignore a part of the address.
const ENDPOINT: Kind = Kind { expected: "an address such as http://127.0.0.1:8000", is_met: is_endpoint };
/// RFC 6749, 3.3.
const SCOPE: Kind = Kind {
    expected: "one scope, visible ASCII without quotes",
    is_met: |text| text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')),
};

/// The variables, and the problems found so far. A method that reports a problem returns some value all the same, so that
/// the problems of all variables are found.
struct Environment<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Result<String, VarError>> Environment<F> {
    fn report(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{name}: {problem}"));
    }

    /// The first of these variables that is set. An empty one counts as absent, as SAM hands over an empty parameter.
    fn optional(&mut self, names: &[&str], kind: Kind) -> Option<String> {
        names.iter().find_map(|name| match (self.variable)(name) {
            Ok(value) if value.is_empty() => None,
            Ok(value) => {
                if !(kind.is_met)(&value) {
                    self.report(name, &format!("expected {}, found {value:?}", kind.expected));
                }
                Some(value)
            }
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(value)) => {
                self.report(name, "expected UTF-8, found other bytes");
                Some(value.to_string_lossy().into_owned())
            }
        })
    }

    fn required(&mut self, names: &[&str], kind: Kind) -> String {
        self.optional(names, kind).unwrap_or_else(|| {
            let name = names.first().copied().unwrap_or_default();
            self.report(name, &format!("expected {}, found nothing", kind.expected));
            String::new()
        })
    }

    fn is_true(&mut self, name: &str) -> bool {
        self.optional(&[name], SWITCH).is_some_and(|value| value == "true")
    }

    /// The certificates in the file that a variable names.
    fn certificates(&mut self, name: &str) -> Option<Vec<u8>> {
        let path = self.optional(&[name], ANY)?;
        let problem = match fs::read_to_string(&path) {
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(text.into_bytes()),
            Ok(_) => "expected certificates in PEM, found none".to_owned(),
            Err(error) => error.to_string(),
        };
        self.report(name, &format!("{path}: {problem}"));
        None
    }

    /// The keys, of which there is one source.
    fn keys(&mut self, issuer: Option<&str>, audience: Option<&str>) -> KeySource {
        let is_allowed = self.is_true("ALLOW_SHARED_SECRETS");
        let secrets = if is_allowed { SharedSecrets::Allowed } else { SharedSecrets::Refused };
        match (self.optional(&["JWKS"], ANY), self.optional(&["JWKS_URL"], KEYS_URL)) {
            (Some(jwks), None) => match Keys::parse(&jwks, Origin::Setting(secrets), issuer, audience) {
                Ok(keys) => return KeySource::Given(keys),
                Err(problems) => problems.iter().for_each(|problem| self.report("JWKS", problem)),
            },
            (None, Some(url)) => {
                if url.len() > MAX_KEYS_URL {
                    self.report("JWKS_URL", &format!("expected at most {MAX_KEYS_URL} bytes, found {}", url.len()));
                }
                if issuer.is_none() {
                    self.report("JWT_ISSUER", "expected the issuer of the keys at JWKS_URL, found nothing");
                }
                return KeySource::Url(url);
            }
            (None, None) => self.report(
                "JWKS",
                "expected the keys that verify tokens, a JWK Set (RFC 7517), or JWKS_URL, found nothing",
            ),
            (Some(_), Some(_)) => self.report("JWKS", "expected JWKS or JWKS_URL, found both"),
        }
        KeySource::Url(String::new())
    }
}

/// A name or an ARN ("`CreateTable`" in the Amazon DynamoDB API Reference).
fn is_table(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_arn = text.starts_with("arn:") && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_arn || (3..=255).contains(&text.len()) && text.bytes().all(is_name)
}

/// A label of a domain name (RFC 1035, 2.3.1), because it becomes a part of one.
fn is_region(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_protected(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let parts = uri.as_ref().and_then(|uri| uri.scheme_str().zip(uri.host()));
    matches!(parts, Some(("https", _) | ("http", "127.0.0.1" | "[::1]" | "localhost")))
}

/// Scheme, host and perhaps port and path; no user, query or fragment.
fn is_endpoint(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let with_port = |port| authority.as_str() == format!("{}:{port}", authority.host());
    let is_plain = authority.as_str() == authority.host() || authority.port_u16().is_some_and(with_port);
    is_plain && !authority.host().is_empty() && uri.query().is_none() && !url.contains('#')
}
