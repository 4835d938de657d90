//! An S3 server of our own, one for all tests of this run; it ends when we do, because its input ends then. The journeys
//! through the whole system use this file too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

static SERVER: OnceLock<(u16, Child)> = OnceLock::new();

/// The port of the server, started when it is first asked for.
pub fn port() -> u16 {
    SERVER.get_or_init(start).0
}

/// Without it the server takes us for anybody; what is in it does not matter.
const WHO: &str = "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// Asks the server something that the store itself never asks, and says what it answered.
pub fn ask(method: &str, path: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port())).expect("the S3 server");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: s3\r\nConnection: close\r\n{WHO}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).expect("a question");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    answer.split_once("\r\n\r\n").expect("an answer has a head").1.to_owned()
}

fn start() -> (u16, Child) {
    let script = workspace().join("blobs/tests/s3_server.py");
    let mut command = Command::new(python());
    let mut child = command
        .arg("-B")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python beside moto_server");
    let mut line = String::new();
    let told = BufReader::new(child.stdout.take().expect("it was piped")).read_line(&mut line);
    told.expect("the S3 server tells its port");
    (line.trim().parse().expect("the S3 server starts"), child)
}

fn workspace() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.find(|folder| folder.join("Cargo.lock").exists()).expect("it is in the workspace")
}

fn python() -> PathBuf {
    let moto = std::env::var_os("REPRISE_MOTO").map(PathBuf::from);
    let moto = moto.unwrap_or_else(|| workspace().join(".tools/moto/bin/moto_server"));
    assert!(moto.exists(), "there is no {}: run scripts/fetch, or set REPRISE_MOTO", moto.display());
    moto.with_file_name("python")
}

/// What a bucket holds: its objects, and its uploads that are under way.
pub fn everything(bucket: &str) -> Vec<String> {
    let objects = ask("GET", &format!("/{bucket}?list-type=2"), b"");
    let uploads = ask("GET", &format!("/{bucket}?uploads"), b"");
    let uploads = between(&uploads, "<UploadId>", "</UploadId>").into_iter().map(|id| format!("parts of {id}"));
    between(&objects, "<Key>", "</Key>").into_iter().chain(uploads).collect()
}

fn between(text: &str, from: &str, to: &str) -> Vec<String> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().expect("the rest").to_owned()).collect()
}
