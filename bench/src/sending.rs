//! A client that uploads files and spends next to nothing itself: the kernel moves the bytes from file to connection.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::http::{Answer, bearer, whole};

/// How a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// tus 1.0.0: a `POST` that announces it, and one `PATCH` with all of it.
    Tus,
    /// `multipart/form-data`, as a form of a browser.
    Multipart,
}

/// A file to send.
#[derive(Clone)]
pub struct Sending {
    /// The platform.
    pub address: SocketAddr,
    /// Whose it will be.
    pub token: String,
    /// Where it lies.
    pub file: PathBuf,
    /// What it is for: `video` or `audio`.
    pub purpose: &'static str,
}

/// A file that has arrived.
pub struct Arrived {
    /// Its id.
    pub id: String,
    /// From the first byte of the first request to the last of the last answer.
    pub took: Duration,
}

const BOUNDARY: &str = "----reprise-bench";

impl Sending {
    /// Sends it and waits until the platform says that it is a file.
    ///
    /// # Errors
    /// It is not taken.
    pub async fn send(self, way: Way) -> Result<Arrived> {
        tokio::task::spawn_blocking(move || match way {
            Way::Tus => self.tus(),
            Way::Multipart => self.multipart(),
        })
        .await?
    }

    fn tus(&self) -> Result<Arrived> {
        let mut connection = self.connect()?;
        let (begin, length) = (Instant::now(), self.file.metadata()?.len());
        let purpose = if self.purpose == "audio" { "YXVkaW8=" } else { "dmlkZW8=" };
        let headers = format!(
            "tus-resumable: 1.0.0\r\nupload-length: {length}\r\nupload-metadata: purpose {purpose}\r\ncontent-length: 0\r\n"
        );
        connection.write_all(self.head("POST", "/api/storage/tus", &headers).as_bytes())?;
        let answer = read(&mut connection)?;
        let answer = answer.expect(201, "POST /api/storage/tus")?;
        let place = answer.header("location").context("an answer without Location")?.to_owned();
        let headers = format!(
            "tus-resumable: 1.0.0\r\nupload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\ncontent-length: {length}\r\n"
        );
        connection.write_all(self.head("PATCH", &place, &headers).as_bytes())?;
        let sent = self.body(&mut connection, "");
        heard(sent, &mut connection)?.expect(204, "PATCH")?;
        let id = place.rsplit('/').next().context("an id")?.to_owned();
        Ok(Arrived { id, took: begin.elapsed() })
    }

    fn multipart(&self) -> Result<Arrived> {
        let mut connection = self.connect()?;
        let (begin, length) = (Instant::now(), self.file.metadata()?.len());
        let before = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let headers = format!(
            "content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n",
            (before.len() + after.len()) as u64 + length
        );
        let head = self.head("POST", &format!("/api/storage/upload/{}", self.purpose), &headers);
        connection.write_all((head + &before).as_bytes())?;
        let sent = self.body(&mut connection, &after);
        let answer = heard(sent, &mut connection)?;
        let place = answer.expect(201, "POST /api/storage/upload")?.header("location").context("Location")?.to_owned();
        let id = place.rsplit('/').next().context("an id")?.to_owned();
        Ok(Arrived { id, took: begin.elapsed() })
    }

    fn connect(&self) -> Result<TcpStream> {
        let connection = TcpStream::connect(self.address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(120)))?;
        Ok(connection)
    }

    fn body(&self, connection: &mut TcpStream, after: &str) -> std::io::Result<()> {
        std::io::copy(&mut File::open(&self.file)?, connection)?;
        connection.write_all(after.as_bytes())
    }

    fn head(&self, method: &str, path: &str, headers: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{}{headers}\r\n", bearer(&self.token))
    }
}

/// The bytes of one answer.
struct Bytes(Vec<u8>);

impl Bytes {
    fn expect(&self, status: u16, what: &str) -> Result<Answer<'_>> {
        let answer = Answer::of(&self.0)?;
        ensure!(answer.status == status, "{what} answered {}: {}", answer.status, answer.text());
        Ok(answer)
    }
}

/// The answer to a body; one that is not taken may be answered before its end.
fn heard(sent: std::io::Result<()>, connection: &mut TcpStream) -> Result<Bytes> {
    match (read(connection), sent) {
        (Err(_), Err(error)) => Err(error.into()),
        (answer, _) => answer,
    }
}

fn read(connection: &mut TcpStream) -> Result<Bytes> {
    let (mut bytes, mut chunk) = (vec![], [0; 4096]);
    while whole(&bytes)?.is_none_or(|end| bytes.len() < end) {
        let read = connection.read(&mut chunk)?;
        ensure!(read > 0, "the server closed the connection");
        bytes.extend_from_slice(&chunk[..read]);
    }
    Ok(Bytes(bytes))
}
