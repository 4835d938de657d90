//! What to do for each kind of work: one arm each. Where things lie is told by the names that go into the output.

use events::processing::{Output, Work};
use media::{Stopped, Tools};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Does the work on `source`, into `out`. What is made is named as if `out` were `place`.
pub(crate) async fn work(
    tools: &Tools,
    work: &Work,
    source: &Path,
    out: &Path,
    place: &str,
    progress: impl Fn(f32) + Send,
    halt: &CancellationToken,
) -> Result<Output, Stopped> {
    let placed = |name: &mut String| *name = format!("{place}/{name}");
    Ok(match work {
        Work::Probe {} => Output::Film { film: media::probe(tools, source, halt).await? },
        Work::Thumbnail { film } => {
            let mut picture = media::thumbnail(tools, source, film, out, halt).await?;
            placed(&mut picture.file);
            Output::Thumbnail { picture }
        }
        Work::Rungs { film, rungs } => {
            let mut renditions = media::rungs(tools, source, film, rungs, out, progress, halt).await?;
            renditions.iter_mut().for_each(|rendition| placed(&mut rendition.folder));
            Output::Renditions { renditions }
        }
        Work::Storyboard { film, .. } => {
            let mut storyboard = media::storyboard(tools, source, film, out, halt).await?;
            placed(&mut storyboard.index);
            placed(&mut storyboard.picture.file);
            Output::Storyboard { storyboard }
        }
    })
}
