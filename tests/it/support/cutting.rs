//! A way to the platform that breaks, like that of a telephone in a train: connections go through it until they are cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Listens before a server. It ends when this is dropped.
pub struct Cutting {
    /// Where to connect to.
    pub address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

/// The most bytes that get through on a connection that is cut.
pub const MOST: u64 = 1 << 20;

impl Cutting {
    /// Before `server`, with so many cuts, after which everything gets through.
    pub async fn before(server: SocketAddr, times: usize) -> Cutting {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cuts = Arc::new(AtomicUsize::new(0));
        let done = cuts.clone();
        let listening = tokio::spawn(async move {
            let mut dice = Dice(0x5EED);
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let allowed = dice.bytes();
                tokio::spawn(pass(client, server, allowed, times, done.clone()));
            }
        });
        Cutting { address, cuts, listening }
    }

    /// How often it has cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Cutting {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Passes bytes on in both directions until either side ends, or until so many have gone to the server.
async fn pass(client: TcpStream, server: TcpStream, allowed: u64, times: usize, cuts: Arc<AtomicUsize>) {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    // both directions end together: half a connection is none
    tokio::select! {
        () = up(from_client, to_server, allowed, times, &cuts) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut allowed: u64, times: usize, cuts: &AtomicUsize) {
    let mut chunk = vec![0; 16 << 10];
    let next = |cut: usize| (cut < times).then_some(cut + 1);
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        let part = read.min(usize::try_from(allowed).unwrap_or(read));
        if to.write_all(&chunk[..part]).await.is_err() {
            return;
        }
        allowed -= part as u64;
        if part < read {
            if cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok() {
                return;
            }
            // all cuts were made: from now on nothing is in the way
            allowed = u64::MAX;
            if to.write_all(&chunk[part..read]).await.is_err() {
                return;
            }
        }
    }
}

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    /// Small numbers as often as large ones: some cuts hit the head of a request, some its body.
    fn bytes(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = self.0 >> 33;
        let most = MOST >> (random % 14);
        most / 2 + (random >> 4) % (most / 2)
    }
}
