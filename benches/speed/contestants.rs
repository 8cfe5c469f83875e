//! Who takes part, and how each is started.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::database;

const JWKS: &str = include_str!("../../examples/jwks.json");

/// What all of them are given.
pub struct Stage {
    /// The address of the database.
    pub database: String,
    /// Where the certificates are that its clients must trust.
    pub folder: PathBuf,
}

impl Stage {
    /// The function; another build of it where `BINARY` names one.
    pub fn ours(&self) -> Command {
        let binary = env::var("BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_project-flows").to_owned());
        let mut command = self.command(Path::new(&binary));
        command.env("AWS_CA_BUNDLE", self.folder.join(database::AMAZON));
        command
    }

    /// The SDK's calls without anything around them.
    pub fn raw(&self, calls: &str) -> Command {
        let mut command = self.command(&example("raw"));
        command.env("CALLS", calls);
        command
    }

    /// A Lambda that does nothing.
    pub fn floor(&self) -> Command {
        self.command(&example("floor"))
    }

    /// A process in the environment that Lambda gives, and in no other.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_FUNCTION_NAME", "project-flows")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/project-flows")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2024/01/15/[$LATEST]0123456789abcdef")
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .env("AWS_SESSION_TOKEN", "x".repeat(800))
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.database)
            .env("SSL_CERT_FILE", self.folder.join(database::MACHINE))
            .env("TABLE_NAME", "project-flows")
            .env("JWKS", JWKS);
        command
    }
}

/// What `make bench` has built of `benches/peers/`.
fn example(name: &str) -> PathBuf {
    let release = Path::new(env!("CARGO_BIN_EXE_project-flows")).parent().unwrap();
    release.join("examples").join(name)
}
