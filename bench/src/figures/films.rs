//! What becomes of an uploaded film, and how soon: the whole ladder against one bare ffmpeg that makes the same, and the
//! first size that can be played against ffmpeg making only that.

use anyhow::{Context, Result, ensure};
use events::media::Rung;
use media::Tools;
use std::path::Path;
use std::time::Instant;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::clip::{self, Making};
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::results::{Better, Row};
use crate::rounds::Rounds;
use crate::run::{Bench, say};
use crate::sending::{Sending, Way};

const SIZE: &str = "1920x1080";

/// Measures both in turns.
pub async fn measure(bench: &mut Bench, platform: &Platform, person: &mut [Person]) -> Result<()> {
    let tools = Tools::find().map_err(|missing| anyhow::anyhow!("{missing}"))?;
    let (seconds, rounds) = (bench.settings.film, bench.settings.rounds.min(3));
    let folder = bench.folder("films")?;
    let file = folder.0.join("film.mp4");
    say(format!("drawing {seconds} s of film"));
    clip::draw(&tools, SIZE, seconds, &file).await?;
    // ffmpeg runs in another folder
    let file = file.canonicalize()?;
    let film = media::probe(&tools, &file, &CancellationToken::new()).await;
    let film = film.map_err(|stopped| anyhow::anyhow!("the film cannot be probed: {stopped:?}"))?;
    let rungs = processing::ladder(&film);
    let bare = |rungs: &[Rung]| {
        let mut ffmpeg = Command::new("nice");
        ffmpeg.args(["-n", &tools.limits().niceness.to_string()]).arg(tools.ffmpeg());
        ffmpeg.args(media::encoding(&tools, &file, &film, rungs, 0.0));
        ffmpeg
    };
    let [mut first, mut all] = [Rounds::default(), Rounds::default()];
    let [mut playable, mut ready] = [Rounds::default(), Rounds::default()];
    for _ in 0..rounds {
        first.push(run(bench, bare(&rungs[..1]), &rungs[..1]).await?);
        all.push(run(bench, bare(&rungs), &rungs).await?);
        let (to_playable, to_ready) = through(platform, person, &file).await?;
        playable.push(to_playable);
        ready.push(to_ready);
    }
    let names: Vec<_> = rungs.iter().map(|rung| rung.name.as_str()).collect();
    let conditions = |what: &str, [ours, theirs]: [&Rounds; 2]| {
        format!(
            "{seconds} s of {SIZE} at 30/s with grain and a tone, {what}; upload complete to the state in the API, asked every 20 ms; \
             same encoder, nice {} both, {rounds} rounds: {} s vs {} s",
            tools.limits().niceness,
            ours.spread(),
            theirs.spread(),
        )
    };
    let against = ("one ffmpeg making the same sizes", all.median());
    let row = Row::ratio("whole ladder of a film", ready.median(), "s", against, Better::Lower, [1.2, 1.05]);
    let what = format!("{}, thumbnail and storyboard too", names.join(", "));
    bench.report(row.under(conditions(&what, [&ready, &all])));
    let against = ("ffmpeg making only that size", first.median());
    let row = Row::ratio("first playable size of a film", playable.median(), "s", against, Better::Lower, [1.3, 1.1]);
    bench.report(row.under(conditions(names[0], [&playable, &first])));
    Ok(())
}

/// Seconds of a bare ffmpeg.
async fn run(bench: &Bench, mut ffmpeg: Command, rungs: &[Rung]) -> Result<f64> {
    let out = bench.folder("renditions")?;
    rungs.iter().try_for_each(|rung| std::fs::create_dir(out.0.join(&rung.name)))?;
    let begin = Instant::now();
    let output = ffmpeg.current_dir(&out.0).kill_on_drop(true).output().await.context("ffmpeg")?;
    ensure!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    Ok(begin.elapsed().as_secs_f64())
}

/// Seconds from the end of an upload to a film that can be played, and to one that is done.
async fn through(platform: &Platform, person: &mut [Person], file: &Path) -> Result<(f64, f64)> {
    people::renew(platform.address, person).await?;
    let token = &person.first().context("somebody to upload")?.token;
    platform.quiet().await?;
    let sending = Sending { address: platform.address, token: token.clone(), file: file.to_owned(), purpose: "video" };
    let arrived = sending.send(Way::Tus).await?;
    let begin = Instant::now();
    let mut making = Making::of(platform, token, &arrived.id).await?;
    making.until(&["playable", "ready"]).await?;
    let playable = begin.elapsed();
    making.until(&["ready"]).await?;
    let ready = begin.elapsed();
    making.delete().await?;
    Ok((playable.as_secs_f64(), ready.as_secs_f64()))
}
