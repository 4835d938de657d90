//! As little of a Socket.IO client as a load generator needs: a websocket from the start, one namespace, text only.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An open socket.
pub struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// So much of the buffer was handed out already.
    used: usize,
}

impl Socket {
    /// Opens a socket of whoever has this token, and waits until it is connected.
    pub async fn open(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let mut socket = Socket { stream, buffer: Vec::with_capacity(512), used: 0 };
        let head = "GET /ws/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
                    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
        socket.stream.write_all(head.as_bytes()).await?;
        let end = loop {
            if let Some(at) = socket.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            socket.fill().await?;
        };
        let answer = String::from_utf8_lossy(&socket.buffer[..end]).into_owned();
        ensure!(answer.starts_with("HTTP/1.1 101"), "no socket: {answer}");
        socket.used = end;
        ensure!(socket.text().await?.starts_with('0'), "a socket begins by saying how it is");
        socket.say(&format!("40{}", serde_json::json!({ "token": token }))).await?;
        let welcome = socket.next().await?;
        ensure!(welcome.starts_with("40"), "not admitted: {welcome}");
        Ok(socket)
    }

    /// The next packet that is no sign of life; those are answered.
    pub async fn next(&mut self) -> Result<String> {
        loop {
            match self.text().await? {
                ping if ping == "2" => self.say("3").await?,
                packet => return Ok(packet),
            }
        }
    }

    /// A client has to mask what it says; with zeros that changes nothing.
    async fn say(&mut self, text: &str) -> Result<()> {
        let length = u16::try_from(text.len()).context("a short text")?;
        let mut frame = vec![0x81];
        match length {
            0..=125 => frame.push(0x80 | length as u8),
            _ => frame.extend([0x80 | 126, (length >> 8) as u8, (length & 0xff) as u8]),
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        Ok(self.stream.write_all(&frame).await?)
    }

    async fn text(&mut self) -> Result<String> {
        loop {
            if let Some((start, end)) = frame(&self.buffer[self.used..])? {
                let text = std::str::from_utf8(&self.buffer[self.used + start..self.used + end])?.to_owned();
                self.used += end;
                return Ok(text);
            }
            self.buffer.drain(..self.used);
            self.used = 0;
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the socket");
        Ok(())
    }
}

/// Where the text in the first frame begins and ends, once the frame is there. A server does not mask.
fn frame(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let (Some(kind), Some(short)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    if *kind != 0x81 {
        bail!("a frame of another kind than text: {kind:#x}");
    }
    let (start, length) = match (*short, bytes.get(2..4)) {
        (length @ 0..=125, _) => (2, usize::from(length)),
        (126, Some(length)) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
        (126, None) => return Ok(None),
        _ => bail!("a frame that is too long"),
    };
    Ok((bytes.len() >= start + length).then_some((start, start + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_once_it_is_there() {
        assert_eq!(frame(b"\x81").expect("well-formed"), None);
        assert_eq!(frame(b"\x81\x032x").expect("well-formed"), None);
        assert_eq!(frame(b"\x81\x012rest").expect("well-formed"), Some((2, 3)));
        let long = [b"\x81\x7e\x01\x00".as_slice(), &[b'x'; 256]].concat();
        assert_eq!(frame(&long[..100]).expect("well-formed"), None);
        assert_eq!(frame(&long).expect("well-formed"), Some((4, 260)));
        assert!(frame(b"\x88\x00").is_err(), "the server closes");
    }
}
