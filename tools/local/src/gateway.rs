//! The gateway of this machine. It stands in front of `cargo lambda watch` and adds the CORS headers that the API of
//! template.yaml adds, for web pages of every origin.

use std::sync::Arc;
use std::time::Duration;

use serde_norway::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::Result;

const TEMPLATE: &str = include_str!("../../../template.yaml");

/// Serves on `listener` for as long as the runtime lives. The function is behind the port `function`, now or later.
pub fn serve(listener: TcpListener, function: u16) -> Result<()> {
    let cors = Arc::new(Cors::of_the_template()?);
    tokio::spawn(async move {
        loop {
            if let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, function, Arc::clone(&cors)));
            }
        }
    });
    Ok(())
}

/// What API Gateway adds to the answer of the function ("Configure CORS for HTTP APIs in API Gateway").
struct Cors {
    to_preflights: String,
    to_others: String,
}

impl Cors {
    fn of_the_template() -> Result<Self> {
        let template: Value = serde_norway::from_str(TEMPLATE).map_err(|error| error.to_string())?;
        // The first of an `!If` is its condition.
        let configuration = &template["Resources"]["Api"]["Properties"]["CorsConfiguration"][1];
        let list = |name: &str| -> Result<String> {
            let values: Vec<String> =
                serde_norway::from_value(configuration[name].clone()).map_err(|error| format!("{name}: {error}"))?;
            Ok(values.join(","))
        };
        let (methods, headers, exposed) = (list("AllowMethods")?, list("AllowHeaders")?, list("ExposeHeaders")?);
        let age = configuration["MaxAge"].as_u64().ok_or("MaxAge: expected a number, found none")?;
        Ok(Self {
            to_preflights: format!(
                "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: {methods}\r\n\
                 Access-Control-Allow-Headers: {headers}\r\nAccess-Control-Max-Age: {age}\r\n"
            ),
            to_others: format!("Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: {exposed}\r\n"),
        })
    }

    /// The headers for the answer to a request. A request without an origin comes from no web page.
    fn headers(&self, request: &Head) -> &str {
        if !request.has("origin") {
            ""
        } else if request.0.starts_with(b"OPTIONS ") && request.has("access-control-request-method") {
            &self.to_preflights
        } else {
            &self.to_others
        }
    }
}

/// One request and its answer, with their bodies as they come; then the connection ends.
async fn pass(mut client: TcpStream, function: u16, cors: Arc<Cors>) -> Option<()> {
    let (from_client, mut to_client) = client.split();
    let mut from_client = BufReader::new(from_client);
    let request = Head::read(&mut from_client).await?;
    let mut function = connect(function).await;
    let (from_function, mut to_function) = function.split();
    let mut from_function = BufReader::new(from_function);
    to_function.write_all(&request.without("connection").with("Connection: close\r\n")).await.ok()?;
    let answer = async {
        let mut answer = Head::read(&mut from_function).await?;
        // `100 Continue` comes before the answer.
        while answer.0.starts_with(b"HTTP/1.1 1") {
            to_client.write_all(&answer.0).await.ok()?;
            answer = Head::read(&mut from_function).await?;
        }
        to_client.write_all(&answer.with(cors.headers(&request))).await.ok()?;
        copy(&mut from_function, &mut to_client).await.ok()?;
        to_client.shutdown().await.ok()
    };
    let rest_of_the_request = async {
        // A client that sends no more still waits for the answer.
        let _ = copy(&mut from_client, &mut to_function).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answered = answer => answered,
        () = rest_of_the_request => None,
    }
}

/// Waits until the function is there: `cargo lambda watch` needs a moment.
async fn connect(port: u16) -> TcpStream {
    loop {
        match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(stream) => return stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// The head of a message, with the empty line that ends it.
struct Head(Vec<u8>);

impl Head {
    async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self(head))
    }

    fn has(&self, name: &str) -> bool {
        self.lines().any(|line| is_header(line, name))
    }

    fn without(&self, name: &str) -> Self {
        Self(self.lines().filter(|line| !is_header(line, name)).flatten().copied().collect())
    }

    /// With more headers.
    fn with(&self, headers: &str) -> Vec<u8> {
        [&self.0[..self.0.len() - 2], headers.as_bytes(), b"\r\n"].concat()
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split_inclusive(|byte| *byte == b'\n')
    }
}

fn is_header(line: &[u8], name: &str) -> bool {
    let named = line.split(|byte| *byte == b':').next().unwrap_or_default();
    named.eq_ignore_ascii_case(name.as_bytes())
}
