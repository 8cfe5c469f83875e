//! The contestants, and how each is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::database;
use crate::operations::OPERATIONS;

const JWKS: &str = include_str!("../../tools/jwks.json");

/// The peers that `benches/peers/build` has built.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/peers");

/// A program that answers a create.
pub struct Contestant {
    pub name: &'static str,
    pub command: Command,
    /// The files that it is started from; they are dropped from the page cache before a cold start.
    pub read: Vec<PathBuf>,
    /// The deployed files: a file, or a folder with its content.
    pub package: PathBuf,
}

/// The environment that all contestants share.
pub struct Stage {
    /// The address of the database.
    pub database: String,
    /// The folder of the certificates that clients must trust.
    pub folder: PathBuf,
}

impl Stage {
    /// The function, or the build of it that `BINARY` names.
    pub fn ours(&self) -> Command {
        let binary = env::var("BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_project-flows").to_owned());
        let mut command = self.command(Path::new(&binary));
        command.env("AWS_CA_BUNDLE", self.folder.join(database::AMAZON));
        command
    }

    /// The bare calls of the SDK.
    pub fn raw(&self, calls: &str) -> Command {
        let mut command = self.command(&example("raw"));
        command.env("CALLS", calls);
        command
    }

    /// An empty Lambda function.
    fn floor(&self) -> Command {
        self.command(&example("floor"))
    }

    /// All contestants that this machine can run. Prints those that it cannot run.
    pub fn contestants(&self) -> Vec<Contestant> {
        let binary = |name, command: Command| {
            let program = PathBuf::from(command.get_program());
            Contestant { name, command, read: vec![program.clone()], package: program }
        };
        let mut contestants = vec![
            binary("ours", self.ours()),
            binary("raw put", self.raw(OPERATIONS[0].calls)),
            binary("floor", self.floor()),
        ];
        for (name, peer) in [("Node.js", self.node()), ("Python", self.python())] {
            match peer {
                Some(peer) => contestants.push(peer),
                None => println!("left out: {name}, whose peer could not be built here"),
            }
        }
        contestants
    }

    fn node(&self) -> Option<Contestant> {
        let folder = built("node")?;
        let (program, bundle) = (fs::canonicalize(folder.join("node")).ok()?, folder.join("index.cjs"));
        let mut command = self.command(&program);
        command.arg(&bundle).env("NODE_EXTRA_CA_CERTS", self.folder.join(database::AMAZON));
        Some(Contestant { name: "Node.js", command, read: vec![program, bundle.clone()], package: bundle })
    }

    fn python(&self) -> Option<Contestant> {
        let folder = built("python")?;
        let (program, package) = (folder.join("runtime/bin/python"), folder.join("package"));
        let library =
            Command::new(&program).args(["-c", "import os; print(os.path.dirname(os.__file__))"]).output().ok()?;
        let library = PathBuf::from(String::from_utf8(library.stdout).ok()?.trim());
        let read = vec![fs::canonicalize(&program).ok()?, library, folder.join("runtime"), package.clone()];
        let mut command = self.command(&program);
        command.args(["-m", "awslambdaric", "handler.handler"]).current_dir(&package);
        command.env("AWS_CA_BUNDLE", self.folder.join(database::AMAZON));
        Some(Contestant { name: "Python", command, read, package })
    }

    /// A process with the environment that Lambda gives, and nothing else.
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
            .env("JWKS", JWKS)
            .env("ALLOW_SHARED_SECRETS", "true");
        command
    }
}

/// The folder of a peer, if it was built.
fn built(name: &str) -> Option<PathBuf> {
    let folder = Path::new(PEERS).join(name);
    folder.join("ready").exists().then_some(folder)
}

/// The programs of `benches/peers/` that cargo has built.
fn example(name: &str) -> PathBuf {
    let release = Path::new(env!("CARGO_BIN_EXE_project-flows")).parent().unwrap();
    release.join("examples").join(name)
}
