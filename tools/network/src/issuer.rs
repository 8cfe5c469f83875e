//! The issuer of tools/issuer as a process: for the tests, and for `make run ISSUER=1`.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

use crate::http;

/// From the folder of the project.
const PROGRAM: &str = "tools/issuer/serve.mjs";

/// The API that the tokens are for.
pub const AUDIENCE: &str = "https://project-flows.example";

/// The OAuth client that may ask for every scope.
pub const EDITOR: &str = "editor";

/// The OAuth client that may only read.
pub const READER: &str = "reader";

pub const READ_SCOPE: &str = "flows:read";
pub const WRITE_SCOPE: &str = "flows:write";

/// The same of every OAuth client.
pub const SECRET: &str = "development";

/// Environment variables of the function.
pub type Settings = [(&'static str, String); 5];

/// An issuer, which ends when this value is dropped.
pub struct Issuer {
    /// As tokens name it.
    pub address: String,
    /// The issuer ends with its standard input. The `node` of the Makefile is a launcher, which passes no signals on.
    input: ChildStdin,
    child: Child,
}

impl Issuer {
    /// Starts an issuer with new keys on `port`, or on a free one if it is 0, and waits until it listens.
    pub async fn start(port: u16) -> Result<Self, String> {
        let mut child = Command::new("node")
            .args([PROGRAM, &port.to_string(), AUDIENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the program that started it. The issuer ends with that one.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("node: {error}; `make run ISSUER=1` installs it"))?;
        let input = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = lines.next_line().await.map_err(|error| error.to_string())?.unwrap_or_default();
        let address = line.split(' ').nth(1).ok_or("expected the issuer's address, found none; see above")?;
        Ok(Self { address: address.to_owned(), input, child })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("an address with a port")
    }

    /// The settings of a function that accepts its tokens.
    pub fn settings(&self) -> Settings {
        [
            ("JWKS_URL", format!("{}/jwks", self.address)),
            ("JWT_ISSUER", self.address.clone()),
            ("JWT_AUDIENCE", AUDIENCE.to_owned()),
            ("READ_SCOPE", READ_SCOPE.to_owned()),
            ("WRITE_SCOPE", WRITE_SCOPE.to_owned()),
        ]
    }

    /// An access token for an OAuth client, by its credentials (RFC 6749, section 4.4).
    pub async fn token(&self, client: &str, scopes: &[&str]) -> Result<String, String> {
        let scopes = scopes.join("+");
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={SECRET}&scope={scopes}");
        let answer = self.ask("POST", "/token", &form).await?;
        let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        Ok(answer["access_token"].as_str().ok_or("expected an access token")?.to_owned())
    }

    /// An identity token: valid, but for another audience.
    pub async fn identity_token(&self) -> Result<String, String> {
        self.ask("GET", "/development/id-token", "").await
    }

    /// Makes new keys, and signs with them from now on. The last ones are still published.
    pub async fn rotate(&self) -> Result<(), String> {
        self.ask("POST", "/development/rotate", "").await.map(drop)
    }

    /// Ends it, and waits until it no longer listens.
    pub async fn stop(self) {
        let Self { input, mut child, .. } = self;
        drop(input);
        child.wait().await.expect("a process that ends");
    }

    fn authority(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// One request on a connection of its own; the body of its answer, if that is 200.
    async fn ask(&self, method: &str, path: &str, form: &str) -> Result<String, String> {
        let authority = self.authority();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let mut stream = TcpStream::connect(authority).await.map_err(|error| format!("{authority}: {error}"))?;
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let answer = http::read_message(&mut stream).await.ok_or("expected an answer of the issuer, found none")?;
        let text = String::from_utf8_lossy(http::body(&answer).unwrap_or_default()).into_owned();
        let succeeded = http::head(&answer).is_some_and(|head| head.starts_with("HTTP/1.1 200 "));
        if succeeded { Ok(text) } else { Err(format!("{method} {path}: {text}")) }
    }
}
