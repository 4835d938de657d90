//! How long a film's sound goes on after its last frame. Recordings of screens that stand still end like this, and
//! without frames there are no segments for that sound.

use events::media::Film;
use std::path::Path;
use tokio_util::sync::CancellationToken;

use crate::child::{Heard, Job, run};
use crate::input::{probed, words};
use crate::{Stopped, Tools};

/// Seconds of sound after the picture, 0 when that cannot be told. Reads only the end of the source where its format
/// can be searched.
pub(crate) async fn sound_after_picture(
    tools: &Tools,
    source: &Path,
    film: &Film,
    stop: &CancellationToken,
) -> Result<f64, Stopped> {
    let mut args = probed(tools, source);
    // further than any film: the search stops at its last whole picture
    args.extend(words("-read_intervals 99999999% -of csv"));
    args.extend(words("-show_entries packet=codec_type,pts_time,duration_time:format=start_time"));
    let mut ends = Ends::default();
    let hear = |line: &str| {
        ends.read(line);
        Ok(Heard::Nothing)
    };
    let time = tools.limits().time_floor;
    let job = Job { program: tools.ffprobe(), args, folder: None, source, time, reports: false };
    match run(tools.limits(), job, stop, hear).await {
        Ok(()) => Ok(ends.tail(film.duration_ms as f64 / 1000.0)),
        Err(Stopped::Cancelled) => Err(Stopped::Cancelled),
        // some formats cannot be searched, and what is wrong with the source the encoder will say
        Err(Stopped::Failed(_)) => Ok(0.0),
    }
}

/// When things begin and end, in seconds of the source's own clock.
#[derive(Default)]
struct Ends {
    start: f64,
    picture: Option<f64>,
    sound: Option<f64>,
}

impl Ends {
    /// `packet,video,12.3,0.04` or `format,1.48`; any number may be unknown.
    fn read(&mut self, line: &str) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields.get(at)?.parse().ok().filter(|number: &f64| number.is_finite());
        let (last, time) = match (fields.as_slice(), number(2)) {
            (["format", ..], _) => {
                self.start = number(1).unwrap_or(0.0);
                return;
            }
            (["packet", "video", ..], Some(time)) => (&mut self.picture, time),
            (["packet", "audio", ..], Some(time)) => (&mut self.sound, time),
            _ => return,
        };
        let end = time + number(3).unwrap_or(0.0);
        *last = Some(last.map_or(end, |before| before.max(end)));
    }

    fn tail(&self, duration: f64) -> f64 {
        match (self.picture, self.sound) {
            // after a search some formats count from somewhere else
            (Some(picture), Some(sound)) if sound - self.start <= duration + 0.5 => (sound - picture).max(0.0),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(lines: &str, duration: f64) -> f64 {
        let mut ends = Ends::default();
        lines.lines().for_each(|line| ends.read(line));
        ends.tail(duration)
    }

    #[test]
    fn only_times_within_the_film_are_believed() {
        let lines = "packet,video,3.4,0.1\npacket,audio,10.9,0.1\npacket,video,N/A,0.1\npacket,data,99,1\nformat,1.0";
        assert!((tail(lines, 10.0) - 7.5).abs() < 1e-9);
        assert_eq!(tail(lines, 9.0), 0.0);
        assert_eq!(tail(&lines.replace("video", "data"), 10.0), 0.0);
        assert_eq!(tail("packet,video,9.9,0.1\npacket,audio,2,0.1\nformat,N/A", 10.0), 0.0);
    }
}
