//! HTTP/1.1 messages as bytes (RFC 9112), for those who stand between two programs.

use tokio::io::{AsyncRead, AsyncReadExt};

/// One message with its body, which a `Content-Length` tells, or none; `None` when the other side has nothing more.
pub async fn read_message(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        if let Some(head) = head(&message) {
            let length: usize = header(&message, "content-length").map_or(0, |value| value.parse().unwrap());
            if message.len() >= head.len() + 4 + length {
                return Some(message);
            }
        }
        if stream.read_buf(&mut message).await.ok()? == 0 {
            return None;
        }
    }
}

/// The value of a header.
pub fn header<'message>(message: &'message [u8], name: &str) -> Option<&'message str> {
    let mut headers = head(message)?.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// What stands before the body.
pub fn head(message: &[u8]) -> Option<&str> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    std::str::from_utf8(&message[..end]).ok()
}

/// What stands after the head.
pub fn body(message: &[u8]) -> Option<&[u8]> {
    message.get(head(message)?.len() + 4..)
}

/// The operation of a call to `DynamoDB`, as in `X-Amz-Target: DynamoDB_20120810.PutItem`.
pub fn operation(request: &[u8]) -> Option<&str> {
    Some(header(request, "x-amz-target")?.rsplit_once('.')?.1)
}
