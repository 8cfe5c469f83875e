//! How long the function takes from its start to its first answer, and what it needs: `make bench`.
//!
//! Plays Lambda's Runtime API and a TLS front of the database, which answers every call at once. The front's
//! certificate is signed by an authority of its own, added to the machine's, so the handshake and the reading of the
//! machine's certificates count. Each start is a new process; the figures are medians.

// A benchmark that cannot go on has failed; nothing is gained by saying so more gently.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const EVENT: &str = include_str!("../events/create-flow.json");
const JWKS: &str = include_str!("../examples/jwks.json");
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
const STARTS: usize = 15;
const WARM: usize = 200;

/// What one process showed.
struct Start {
    first_poll: Duration,
    first_answer: Duration,
    warm: Vec<Duration>,
    peak_kib: u32,
}

#[tokio::main]
async fn main() {
    let binary = env::var("BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_project-flows").to_owned());
    let certificates = Path::new(env!("CARGO_TARGET_TMPDIR")).join("certificates.pem");
    let database = database(&certificates).await;

    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(start(&binary, &database, &certificates).await);
    }
    let milliseconds = |figure: fn(&Start) -> Duration| median(starts.iter().map(figure)).as_secs_f64() * 1_000.0;
    println!("{STARTS} starts of {binary}, median:");
    println!("  start to first poll     {:7.3} ms", milliseconds(|start| start.first_poll));
    println!("  first event to answer   {:7.3} ms", milliseconds(|start| start.first_answer));
    println!("  warm event to answer    {:7.3} ms", milliseconds(|start| median(start.warm.iter().copied())));
    println!(
        "  peak memory             {:7.2} MB",
        f64::from(median(starts.iter().map(|start| start.peak_kib))) / 1_024.0
    );
    println!(
        "  binary                  {:7.2} MB",
        f64::from(u32::try_from(fs::metadata(&binary).unwrap().len()).unwrap()) / 1e6
    );
}

fn median<T: Ord + Copy>(figures: impl Iterator<Item = T>) -> T {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable();
    figures[figures.len() / 2]
}

/// One process: its start, its first event, some more, and its end.
async fn start(binary: &str, database: &str, certificates: &Path) -> Start {
    let runtime = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begin = Instant::now();
    let mut process = Command::new(binary)
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "f")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_ENDPOINT_URL_DYNAMODB", database)
        .env("SSL_CERT_FILE", certificates)
        .env("TABLE_NAME", "flows")
        .env("JWKS", JWKS)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();

    let (mut connection, _) = runtime.accept().await.unwrap();
    connection.set_nodelay(true).unwrap();
    read_message(&mut connection).await.unwrap();
    let first_poll = begin.elapsed();
    let first_answer = invoke(&mut connection).await;
    let mut warm = Vec::new();
    for _ in 0..WARM {
        warm.push(invoke(&mut connection).await);
    }
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    Start { first_poll, first_answer, warm, peak_kib }
}

/// Hands out an event to a function that has asked for one; how long its answer took.
async fn invoke(connection: &mut TcpStream) -> Duration {
    let event = format!(
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         lambda-runtime-deadline-ms: 4102444800000\r\nlambda-runtime-invoked-function-arn: arn\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{EVENT}",
        EVENT.len()
    );
    let begin = Instant::now();
    connection.write_all(event.as_bytes()).await.unwrap();
    let answer = read_message(connection).await.unwrap();
    let duration = begin.elapsed();
    assert!(String::from_utf8_lossy(&answer).contains(r#""statusCode":201"#), "{}", String::from_utf8_lossy(&answer));
    connection.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    read_message(connection).await.unwrap();
    duration
}

/// A TLS front that answers every call with an empty result; writes what its clients must trust to `certificates`.
async fn database(certificates: &Path) -> String {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let system = fs::read_to_string(SYSTEM_CERTIFICATES).expect("the machine's certificates");
    fs::write(certificates, format!("{system}\n{}", authority.as_ref().pem())).unwrap();

    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                while read_message(&mut stream).await.is_some() {
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: 2\r\n\r\n{}";
                    if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// One HTTP/1.1 message with its body (RFC 9112; everything here sends a `Content-Length` or no body).
async fn read_message(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let head = loop {
        if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    };
    let headers = String::from_utf8_lossy(&message[..head]).to_ascii_lowercase();
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
    while message.len() < head + length {
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    }
    Some(message)
}
