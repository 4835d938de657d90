//! As little of an HTTP/1.1 client as a load generator needs: one request at a time on a connection that stays open, and
//! answers with a `Content-Length`. What it does not spend is left to the server that is measured.

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that stays open.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, valid until the next request on its connection.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The answer that these bytes are, all of which are there.
    pub fn of(bytes: &'a [u8]) -> Result<Self> {
        let (status, head, end) = measure(bytes)?.context("half an answer")?;
        Ok(Answer { status, head: &bytes[..head], body: &bytes[head..end] })
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }

    /// The body as JSON, when the status is as expected.
    pub fn json<T: DeserializeOwned>(&self, expected: u16) -> Result<T> {
        ensure!(self.status == expected, "{} instead of {expected}: {}", self.status, self.text());
        serde_json::from_slice(self.body).with_context(|| format!("unexpected answer: {}", self.text()))
    }

    /// The body as a text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(500)]).into_owned()
    }
}

impl Connection {
    /// Opens a connection.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends the bytes of a request and reads the answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, head, end) = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if let Some(found) = measure(&self.buffer)? {
                break found;
            }
        };
        while self.buffer.len() < end {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection in an answer");
        }
        Ok(Answer { status, head: &self.buffer[..head], body: &self.buffer[head..end] })
    }
}

/// The length of the answer that begins with these bytes, once its head is there.
pub fn whole(answer: &[u8]) -> Result<Option<usize>> {
    Ok(measure(answer)?.map(|(_, _, end)| end))
}

/// The bytes of a request; `headers` are whole lines with their ends.
pub fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let content = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{content}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// The header line that carries an access token.
pub fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\n")
}

/// Status, length of the head and length of the whole answer, once the head is there.
fn measure(answer: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = end + 4;
    let status =
        answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|text| text.parse().ok());
    let Some(status) = status else { bail!("not an HTTP answer") };
    let length = match header(&answer[..head], "content-length") {
        Some(length) => length.parse().context("content-length")?,
        None if status == 204 || status == 304 => 0,
        None => bail!("an answer without content-length, status {status}"),
    };
    Ok(Some((status, head, head + length)))
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (key, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        key.eq_ignore_ascii_case(name.as_bytes()).then(|| std::str::from_utf8(value).ok())?.map(str::trim)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_once_its_head_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConsistency-Token: abc\r\n\r\nok";
        assert_eq!(measure(&answer[..20]).expect("well-formed"), None);
        let (status, head, end) = measure(answer).expect("well-formed").expect("whole");
        assert_eq!((status, end), (200, answer.len()));
        assert_eq!(header(&answer[..head], "consistency-token"), Some("abc"));
    }
}
