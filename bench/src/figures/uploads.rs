//! A large file over HTTP, hashed and kept, against `cat` of the same bytes into a file and `sha256sum` of it.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::Command;

use crate::http::{Connection, bearer, request};
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::results::{Better, Row};
use crate::rounds::Rounds;
use crate::run::{Bench, say};
use crate::sending::{Arrived, Sending, Way};

/// How often memory is looked at while a file arrives.
const LOOK: Duration = Duration::from_millis(20);

/// Measures both ways in turns with the plain one.
pub async fn measure(bench: &mut Bench, platform: &Platform, person: &mut [Person]) -> Result<()> {
    let (bytes, rounds) = (bench.settings.upload, bench.settings.rounds);
    let folder = bench.folder("uploads")?;
    let (file, copy) = (folder.0.join("source"), folder.0.join("copy"));
    say(format!("writing {} MiB", bytes >> 20));
    write(file.clone(), bytes).await?;
    let ways = [Way::Tus, Way::Multipart];
    let mut plain = Rounds::default();
    let mut sides = [Side::default(), Side::default()];
    // before memory is looked at, the way is gone once: what it leaves for good is no growth
    for way in ways {
        upload(platform, person, &file, way).await?;
    }
    for _ in 0..rounds {
        plain.push(megabytes(bytes) / cat(&file, &copy).await?.as_secs_f64());
        for (side, way) in sides.iter_mut().zip(ways) {
            let (took, grown) = upload(platform, person, &file, way).await?;
            side.rate.push(megabytes(bytes) / took.as_secs_f64());
            side.grown = side.grown.max(grown);
        }
    }
    for (side, way) in sides.iter().zip(ways) {
        let name = if way == Way::Tus { "tus, one PATCH" } else { "multipart/form-data" };
        let conditions = format!(
            "{} MiB on loopback through {name}, from the first request to the answer that it is a file; sync {}, {rounds} rounds: \
             {} MB/s vs {} MB/s; the disk is asked to keep what arrived, cat does not ask",
            bytes >> 20,
            platform.sync().word(),
            side.rate.spread(),
            plain.spread(),
        );
        let figure = if way == Way::Tus { "upload through tus" } else { "upload through multipart" };
        let against = ("cat into a file, then sha256sum", plain.median());
        let row = Row::ratio(figure, side.rate.median(), "MB/s", against, Better::Higher, [0.5, 0.8]);
        bench.report(row.under(conditions.clone()));
        let figure = format!("memory during an {figure}");
        let row = Row::value(&figure, side.grown, "MB", Better::Lower, 64.0, 64.0);
        bench.report(row.under(format!("most that resident memory of reprise grew by in any round; {conditions}")));
    }
    Ok(())
}

/// One way of uploading, over the rounds.
#[derive(Default)]
struct Side {
    rate: Rounds,
    grown: f64,
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Sound, as far as its first bytes say, so that nobody works on it afterwards; nothing in it repeats.
async fn write(file: PathBuf, bytes: u64) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&file)?);
        out.write_all(b"ID3\x04\0\0\0\0")?;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 1..bytes / 8 {
            // xorshift: no disk or file system can make less of it
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            out.write_all(&state.to_le_bytes())?;
        }
        Ok(out.flush()?)
    })
    .await?
}

/// What a shell would do with a file that is here already.
async fn cat(file: &Path, copy: &Path) -> Result<Duration> {
    settle_disk().await?;
    let begin = Instant::now();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"cat "$1" >"$2" && sha256sum "$2" >/dev/null"#, "sh"]).arg(file).arg(copy);
    let status = shell.kill_on_drop(true).status().await.context("sh")?;
    ensure!(status.success(), "cat and sha256sum ended with {status}");
    let took = begin.elapsed();
    std::fs::remove_file(copy)?;
    Ok(took)
}

/// How long an upload took, and by how many MB the platform grew meanwhile. The file is deleted afterwards.
async fn upload(platform: &Platform, person: &mut [Person], file: &Path, way: Way) -> Result<(Duration, f64)> {
    people::renew(platform.address, person).await?;
    let token = person.first().context("somebody to upload")?.token.clone();
    platform.quiet().await?;
    settle_disk().await?;
    let before = platform.megabytes()?;
    let sending = Sending { address: platform.address, token: token.clone(), file: file.to_owned(), purpose: "audio" };
    let (arrived, most) = watched(platform, sending.send(way)).await?;
    let mut connection = Connection::open(platform.address).await?;
    let delete = request("DELETE", &format!("/api/storage/files/{}", arrived.id), &bearer(&token), "");
    // the page may not know of it yet
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = connection.exchange(&delete).await?;
        match answer.status {
            200 => break,
            404 if Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            status => anyhow::bail!("DELETE of a file answered {status}: {}", answer.text()),
        }
    }
    Ok((arrived.took, (most - before).max(0.0)))
}

/// The most memory that the platform had while this went on, in MB.
async fn watched(platform: &Platform, sending: impl Future<Output = Result<Arrived>>) -> Result<(Arrived, f64)> {
    let mut sending = std::pin::pin!(sending);
    let mut most = 0.0_f64;
    loop {
        tokio::select! {
            arrived = &mut sending => return Ok((arrived?, most.max(platform.megabytes()?))),
            () = tokio::time::sleep(LOOK) => most = most.max(platform.megabytes()?),
        }
    }
}

/// What others wrote before is on the disk, so that nobody waits for it now.
async fn settle_disk() -> Result<()> {
    let status = Command::new("sync").status().await.context("sync")?;
    ensure!(status.success(), "sync ended with {status}");
    Ok(())
}
