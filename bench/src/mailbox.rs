//! The other end of mails: as little of a mail server as a client needs that keeps its connections. It is an instrument, so
//! it answers at once and keeps nothing but when it took which mail.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::ready;

/// Nobody waits longer than this for a mail.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mail server.
pub struct Mailbox {
    /// Where it listens.
    pub address: SocketAddr,
    taken: UnboundedReceiver<(u64, Instant)>,
}

impl Mailbox {
    /// Opens one. It takes whatever it is given.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (tell, taken) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, tell.clone()));
            }
        });
        Ok(Mailbox { address, taken })
    }

    /// Which video the next mail is about, and when it was accepted. Mails about anything else are not counted.
    pub async fn next(&mut self) -> Result<(u64, Instant)> {
        let next = timeout(PATIENCE, self.taken.recv()).await.context("a mail did not arrive")?;
        next.context("the mailbox is closed")
    }
}

/// RFC 5321, one client.
async fn converse(stream: TcpStream, tell: UnboundedSender<(u64, Instant)>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    writer.write_all(b"220 bench\r\n").await?;
    let (mut line, mut mail) = (Vec::new(), None::<Vec<u8>>);
    while reader.read_until(b'\n', &mut line).await? > 0 {
        let answer = match &mut mail {
            Some(text) if line == b".\r\n" => {
                let number = number(text);
                mail = None;
                writer.write_all(b"250 taken\r\n").await?;
                if let Some(number) = number {
                    tell.send((number, Instant::now())).ok();
                }
                None
            }
            Some(text) => {
                text.extend_from_slice(&line);
                None
            }
            None if line.starts_with(b"DATA") => {
                mail = Some(Vec::with_capacity(8192));
                Some("354 go on\r\n")
            }
            None if line.starts_with(b"EHLO") => Some("250-bench\r\n250 8BITMIME\r\n"),
            None if line.starts_with(b"QUIT") => Some("221 bye\r\n"),
            None => Some("250 ok\r\n"),
        };
        if let Some(answer) = answer {
            writer.write_all(answer.as_bytes()).await?;
        }
        line.clear();
    }
    Ok(())
}

/// The number of the video that a mail is about, wherever lines were broken.
fn number(mail: &[u8]) -> Option<u64> {
    ready::number(&String::from_utf8_lossy(mail).replace("=\r\n", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_known_by_its_number() {
        assert_eq!(
            number(b"Subject: a\r\n\r\n\xe2\x80\x9cben=\r\nch-12=\r\n34\xe2\x80\x9d can be watched"),
            Some(1234)
        );
        assert_eq!(number(b"Subject: Welcome\r\n\r\nbench"), None);
    }
}
