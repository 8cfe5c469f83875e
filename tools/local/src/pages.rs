//! What a browser gets: the console and the API reference. Both call the function at its own address, and the
//! gateway adds CORS headers.

use std::path::Path;

use network::http;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::Result;

/// What is served, and nothing else: path, file and media type.
const FILES: [(&str, &str, &str); 5] = [
    ("/", CONSOLE, "text/html; charset=utf-8"),
    ("/reference/", REFERENCE, "text/html; charset=utf-8"),
    ("/reference/reference.js", "target/docs/reference.js", "text/javascript; charset=utf-8"),
    ("/reference/scalar.js", "target/docs/scalar.js", "text/javascript; charset=utf-8"),
    ("/reference/openapi.yaml", DOCUMENT, "application/yaml"),
];

const CONSOLE: &str = "console/index.html";
/// `make docs` writes it.
const REFERENCE: &str = "target/docs/index.html";
const DOCUMENT: &str = "target/docs/openapi.yaml";

/// Whether there is a console to serve.
pub fn exist() -> bool {
    Path::new(CONSOLE).exists()
}

/// Serves on `listener` for as long as the runtime lives, for the function at a port.
pub fn serve(listener: TcpListener, function: u16) {
    tokio::spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, function));
            }
        }
    });
}

/// Where the pages are, for people: on `port`, for the function at another.
pub fn addresses(port: u16, function: u16, token: &str) -> String {
    let origin = format!("http://127.0.0.1:{port}");
    let fragment = format!("#token={token}&api=http://127.0.0.1:{function}");
    let built = if Path::new(REFERENCE).exists() { "" } else { ", after `make docs`" };
    format!(
        "Open the console; its address brings a token:\n\n  {origin}/{fragment}\n\n\
         The API reference{built}:\n\n  {origin}/reference/#token={token}"
    )
}

/// One request, one answer.
async fn answer(mut stream: TcpStream, function: u16) {
    let Some(request) = http::read_message(&mut stream).await else { return };
    let Some(target) = http::head(&request).and_then(|head| head.split(' ').nth(1)) else { return };
    let path = target.split('?').next().unwrap_or_default();
    // A browser that has gone away needs no answer.
    let _ = stream.write_all(&file(path, function).await).await;
}

/// The answer with the file of a path.
async fn file(path: &str, function: u16) -> Vec<u8> {
    let Some((_, name, media_type)) = FILES.into_iter().find(|(one, ..)| *one == path) else {
        return text("404 Not Found", "There is no such page. The console is at /, the API reference at /reference/.");
    };
    // Read each time, so that an edit shows when the page is loaded again.
    match tokio::fs::read(name).await {
        Ok(content) if name == DOCUMENT => match for_the_function(&content, function) {
            Ok(document) => response("200 OK", media_type, document.as_bytes()),
            Err(error) => text("500 Internal Server Error", &format!("{name}: {error}")),
        },
        Ok(content) => response("200 OK", media_type, &content),
        Err(_) if name.starts_with("target/") => {
            text("404 Not Found", "The API reference is not built. Run `make docs`, then load this page again.")
        }
        Err(error) => text("500 Internal Server Error", &format!("{name}: {error}")),
    }
}

/// openapi.yaml with the function at `port` as its only server.
fn for_the_function(document: &[u8], port: u16) -> Result<String> {
    let document = str::from_utf8(document).map_err(|error| error.to_string())?;
    let (before, rest) = document.split_once("\nservers:\n").ok_or("expected `servers`, found none")?;
    // The next member begins where the indentation ends.
    let after: String = rest.split_inclusive('\n').skip_while(|line| line.starts_with(' ')).collect();
    Ok(format!(
        "{before}\nservers:\n  - url: http://127.0.0.1:{port}\n    description: The function of `make run`\n{after}"
    ))
}

fn text(status: &str, text: &str) -> Vec<u8> {
    response(status, "text/plain; charset=utf-8", text.as_bytes())
}

fn response(status: &str, media_type: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), content].concat()
}
