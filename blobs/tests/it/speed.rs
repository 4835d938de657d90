//! How fast bytes arrive, against one loop that only writes and hashes them. Run by hand, with optimisation:
//! `cargo test --release -p blobs --test it speed -- --ignored --nocapture`.

use bytes::Bytes;
use futures::stream;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use crate::world::{MIB, World, bytes};

/// What one read of a connection brings.
const CHUNK: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes gigabytes and a quiet machine"]
async fn speed_of_a_gibibyte() {
    let mib = bytes(1, MIB);
    for _ in 0..3 {
        let world = World::folder();
        let (plain, hash) = loop_over(&world, &mib);
        let before = resident("VmRSS");
        let id = world.begin(1024 * MIB).await;
        let chunks = mib.clone();
        let body = stream::iter((0..1024 * MIB / CHUNK).map(move |n| {
            let at = n * CHUNK % MIB;
            // a copy, as of a connection
            Ok::<_, ()>(Bytes::copy_from_slice(&chunks[at..at + CHUNK]))
        }));
        let start = Instant::now();
        world.blobs.append(id, 0, body, None).await.expect("appended");
        let append = start.elapsed();
        let start = Instant::now();
        let stored = world.blobs.finish(id).await.expect("finished");
        let finish = start.elapsed();
        assert_eq!(stored.sha256, hash);
        let grown = resident("VmHWM").saturating_sub(before) >> 10;
        let rate = |time: Duration| 1024.0 / time.as_secs_f64();
        println!(
            "loop {:.0} MiB/s, append {:.0} MiB/s ({:.2} x), finish {:.1} ms, {grown} MiB more memory at most",
            rate(plain),
            rate(append),
            plain.as_secs_f64() / append.as_secs_f64(),
            finish.as_secs_f64() * 1e3,
        );
    }
}

fn loop_over(world: &World, mib: &[u8]) -> (Duration, [u8; 32]) {
    let path = world.scratch("plain");
    let start = Instant::now();
    let (mut file, mut hash) = (File::create(&path).expect("a file"), Sha256::new());
    for _ in 0..1024 {
        file.write_all(mib).expect("written");
        hash.update(mib);
    }
    if std::env::var_os("SYNC").is_some() {
        file.sync_all().expect("on the disk");
    }
    let took = start.elapsed();
    fs::remove_file(path).expect("removed");
    (took, hash.finalize().into())
}

/// KiB of memory, as Linux counts them.
fn resident(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(what)).expect("it says so");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
