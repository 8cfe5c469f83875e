//! The function on this machine: `make run` and `make token`.
//!
//! `serve` starts a database (the `dynoxide` engine on a SQLite file, so flows survive a restart) with the table of
//! template.yaml, starts `cargo lambda watch` behind a gateway, posts the request of the API page, shows the answer, and serves until
//! Ctrl-C, together with the console and the API reference. `serve --once` stops after the answer. With `serve --issuer`, an
//! issuer (tools/issuer) signs the tokens, and the function fetches its keys. Whatever it started ends with it.
//! `database` serves the database alone, to any host, for a function in a container (`sam local`).
//! `demo` tells the life of a flow to what `serve` serves.
//! `token CLIENT [CLAIM=VALUE]…` prints a token of the development key, with further claims.

// The files that are indexed are the project's own; where one is not as expected, that is the error to show.
#![allow(clippy::indexing_slicing)]

mod demo;
mod gateway;
mod pages;
mod tokens;

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use dynoxide::Database;
use network::engine;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use tokens::Tokens;

const EVENT: &str = include_str!("../../../events/create-flow.json");
/// Where the flows are, unless `DATABASE_FILE` says otherwise.
const DATA: &str = ".local/flows.db";
/// `make run` has built it before; without that, everything is built from nothing, which takes minutes on a small machine.
const BUILD_TIME: Duration = Duration::from_mins(30);

type Result<T> = std::result::Result<T, String>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["serve", options @ ..] if options.iter().all(|option| ["--once", "--issuer"].contains(option)) => {
            serve(options.contains(&"--once"), options.contains(&"--issuer")).await
        }
        ["database"] => database_alone().await,
        ["demo"] => demonstration().await,
        ["token", client, claims @ ..] => token(client, claims).map(|token| println!("{token}")),
        _ => {
            Err("expected `serve [--once] [--issuer]`, `demo`, `database` or `token CLIENT [CLAIM=VALUE]…`".to_owned())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(once: bool, issuer: bool) -> Result<()> {
    let port = port("PORT", 9000)?;
    // First, so that a taken port is noticed before anything is built.
    let gateway = listen("127.0.0.1", port, "PORT").await?;
    let pages_port = self::port("CONSOLE_PORT", port.wrapping_add(1))?;
    let pages =
        if once || !pages::exist() { None } else { Some(listen("127.0.0.1", pages_port, "CONSOLE_PORT").await?) };
    let endpoint = database("127.0.0.1").await?;
    let tokens = if issuer { Tokens::of_an_issuer().await? } else { Tokens::DevelopmentKey };

    say("starting the function with `cargo lambda watch`");
    let begin = Instant::now();
    let behind = free_port().await?;
    gateway::serve(gateway, behind)?;
    let mut function = Function::start(behind, &endpoint, &tokens)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    tokio::select! {
        result = demonstrate(port, &tokens, &mut function) => result?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    }
    say(&format!("answered {:.1} s after its start", begin.elapsed().as_secs_f64()));
    if once {
        return Ok(());
    }
    println!("\n{}\n", tokens.suggestions(port));
    if let Some(pages) = pages {
        pages::serve(pages, port);
        println!("{}\n", pages::addresses(pages_port, port, &tokens.console_token().await?));
    }
    println!("Ctrl-C stops everything.");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!();
    Ok(())
}

/// A token with further claims.
fn token(client: &str, claims: &[&str]) -> Result<String> {
    let parse = |text: &&str| {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("expected CLAIM=VALUE, found \"{text}\""))?;
        Ok((name.to_owned(), value.into()))
    };
    tokens::signed(client, claims.iter().map(parse).collect::<Result<_>>()?)
}

/// Starts the database; says where it listens.
async fn database(host: &str) -> Result<String> {
    let listener = listen(host, port("DATABASE_PORT", 8000)?, "DATABASE_PORT").await?;
    let data = env::var("DATABASE_FILE").unwrap_or_else(|_| DATA.to_owned());
    fs::create_dir_all(Path::new(&data).parent().unwrap_or(Path::new("."))).map_err(|error| error.to_string())?;
    let database = Database::new(&data).map_err(|error| format!("{data}: {error}"))?;
    engine::create_table(&database)?;
    let endpoint = engine::serve(database, listener).map_err(|error| error.to_string())?;
    say(&format!("database at {endpoint}, in {data}, with the table of template.yaml"));
    Ok(endpoint)
}

async fn database_alone() -> Result<()> {
    database("0.0.0.0").await?;
    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())
}

/// Posts the request of the API page, and shows it and its answer.
async fn demonstrate(port: u16, tokens: &Tokens, function: &mut Function) -> Result<()> {
    let event: Value = serde_json::from_str(EVENT).map_err(|error| error.to_string())?;
    let (token, body) = (tokens.page_token().await?, event["body"].as_str().unwrap_or_default());

    let answer = exchange(port, "POST", "/v2/project-flows", &token, &[], Some(body));
    let (head, text) = tokio::select! {
        answer = tokio::time::timeout(BUILD_TIME, answer) => {
            answer.map_err(|_| format!("no answer within {} minutes", BUILD_TIME.as_secs() / 60))??
        }
        error = function.ended() => return Err(error),
    };
    println!(
        "\nPOST /v2/project-flows\nContent-Type: application/json\nAuthorization: Bearer {}…\n\n{}\n",
        token.get(..12).unwrap_or_default(),
        demo::laid_out(body, 0)?
    );
    println!("{}\n\n{}", head.replace("\r\n", "\n"), demo::laid_out(&text, 0)?);
    if head.starts_with("HTTP/1.1 201") { Ok(()) } else { Err("expected 201".to_owned()) }
}

/// Tells the life of a flow to the function that `make run` serves.
async fn demonstration() -> Result<()> {
    let port = port("PORT", 9000)?;
    let served = TcpStream::connect(("127.0.0.1", port)).await;
    served.map_err(|error| format!("port {port}: {error}; `make run` serves there, and must be running"))?;
    demo::tell(port).await
}

/// One request on a connection of its own, and its answer, head and body.
async fn exchange(
    port: u16,
    method: &str,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    );
    for (name, value) in headers {
        request.extend([*name, ": ", *value, "\r\n"]);
    }
    if let Some(body) = body {
        let length = body.len().to_string();
        request.extend(["Content-Type: application/json\r\nContent-Length: ", &length, "\r\n"]);
    }
    request.push_str("\r\n");
    request.push_str(body.unwrap_or_default());
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
    let (head, text) = answer.split_once("\r\n\r\n").ok_or("expected an HTTP response, found something else")?;
    Ok((head.to_owned(), text.to_owned()))
}

/// `cargo lambda watch` and all that it starts.
struct Function(Child);

impl Function {
    fn start(port: u16, endpoint: &str, tokens: &Tokens) -> Result<Self> {
        Command::new("cargo-lambda")
            .args(["lambda", "watch", "--wait", "--disable-cors", "--bin", "project-flows"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()])
            .env("TABLE_NAME", engine::TABLE)
            // Only one source of keys: none of the caller's own.
            .env_remove("JWKS")
            .env_remove("JWKS_URL")
            .envs(tokens.settings()?)
            .env("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            // A group of its own, so that all of it can be ended.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(|error| format!("cargo-lambda: {error}; `make run` installs it"))
    }

    /// Waits until it ends by itself, which it should not.
    async fn ended(&mut self) -> String {
        loop {
            match self.0.try_wait() {
                Ok(None) => tokio::time::sleep(Duration::from_millis(200)).await,
                Ok(Some(status)) => return format!("`cargo lambda watch` ended: {status}"),
                Err(error) => return error.to_string(),
            }
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // cargo-lambda ends the function on SIGINT; without it, the function would live on.
        let group = format!("-{}", self.0.id());
        for (signal, patience) in [("-INT", 50), ("-KILL", 50)] {
            let _ = Command::new("kill").args([signal, "--", &group]).status();
            for _ in 0..patience {
                if matches!(self.0.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn port(name: &str, default: u16) -> Result<u16> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => text.parse().map_err(|_| format!("{name}: expected a port, found \"{text}\"")),
        _ => Ok(default),
    }
}

/// A port that nobody listens on now.
async fn free_port() -> Result<u16> {
    let port = async { TcpListener::bind("127.0.0.1:0").await?.local_addr() }.await;
    port.map(|address| address.port()).map_err(|error| error.to_string())
}

async fn listen(host: &str, port: u16, name: &str) -> Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        format!("port {port}: {error}; stop what uses it, or choose another: make run {name}={}", port.wrapping_add(1))
    })
}

fn say(text: &str) {
    println!("==> {text}");
}
