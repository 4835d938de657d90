//! What a source is: asked of ffprobe, and counted packet by packet where the source does not say. A source that is no
//! film, or too much of one, ends here.

use events::media::{Film, Rate};
use serde::Deserialize;
use std::path::Path;
use tokio_util::sync::CancellationToken;

use crate::child::{Heard, Job, run};
use crate::input::{checked, probed, words};
use crate::{Failure, Stopped, Tools};

/// Bytes of an answer; a film with so many streams is none.
const LONGEST_ANSWER: usize = 1 << 20;
/// Frames per second that nobody films with: some formats say a thousand when they mean that they do not know.
const FASTEST: f64 = 480.0;

/// Finds out what a source is.
///
/// # Errors
/// It is no film, or one that is too long or too large, or the tool failed.
pub async fn probe(tools: &Tools, source: &Path, stop: &CancellationToken) -> Result<Film, Stopped> {
    let source = checked(source)?;
    let answer = ask(tools, &source, stop).await?;
    let picture = answer.picture()?;
    let (width, height) = picture.seen()?;
    let limits = tools.limits();
    let most = picture.pixels().max(u64::from(width) * u64::from(height));
    if most > limits.pixels {
        return Err(Failure::too_large(limits.pixels).into());
    }
    let (mut duration, rate) = (answer.duration(picture), picture.rate());
    let (rate, uneven) = match (duration, rate) {
        (Some(_), Some(rate)) => rate,
        (_, rate) => {
            let counted = count(tools, &source, picture.index, stop).await?;
            duration = duration.or(Some(counted.seconds));
            rate.unwrap_or_else(|| counted.rate())
        }
    };
    let duration_ms = duration.map(|seconds| (seconds * 1000.0).round() as u64).filter(|ms| *ms > 0);
    let duration_ms = duration_ms.ok_or_else(Failure::broken)?;
    if duration_ms > limits.longest_ms {
        return Err(Failure::too_long(limits.longest_ms).into());
    }
    let codec = picture.codec_name.clone().unwrap_or_default();
    Ok(Film { duration_ms, width, height, rate, uneven, sound: answer.sound(), codec })
}

async fn ask(tools: &Tools, source: &Path, stop: &CancellationToken) -> Result<Answer, Stopped> {
    let mut args = words(
        "-of json -show_entries format=duration:stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,\
         avg_frame_rate,r_frame_rate,field_order,duration,channels:stream_disposition=attached_pic:\
         stream_side_data=rotation",
    );
    args.extend(probed(tools, source));
    let mut text = String::new();
    let hear = |line: &str| {
        text += line;
        if text.len() > LONGEST_ANSWER { Err(Failure::broken()) } else { Ok(Heard::Nothing) }
    };
    let time = tools.limits().time_floor;
    let job = Job { program: tools.ffprobe(), args, folder: None, source, time, reports: false };
    run(tools.limits(), job, stop, hear).await?;
    Ok(serde_json::from_str(&text).map_err(|error| Failure::tool().with_tail(error.to_string()))?)
}

/// What is known after counting every packet.
#[derive(Default)]
struct Counted {
    packets: u32,
    seconds: f64,
}

impl Counted {
    fn rate(&self) -> (Rate, bool) {
        let average = f64::from(self.packets) / self.seconds.max(0.001);
        (Rate { frames: (average * 1000.0).round().clamp(1.0, FASTEST * 1000.0) as u32, seconds: 1000 }, true)
    }
}

/// Recordings of browsers say neither how long they are nor how fast. Sound may go on after the picture.
async fn count(tools: &Tools, source: &Path, picture: u32, stop: &CancellationToken) -> Result<Counted, Stopped> {
    let mut args = words("-show_entries packet=stream_index,codec_type,pts_time,duration_time -of csv=p=0");
    args.extend(probed(tools, source));
    let (mut packets, mut start, mut end) = (0u32, f64::INFINITY, f64::NEG_INFINITY);
    let hear = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields.get(at)?.parse().ok().filter(|number: &f64| number.is_finite());
        let [kind, stream, ..] = fields.as_slice() else { return Ok(Heard::Nothing) };
        let seen = stream.parse() == Ok(picture);
        if let Some(time) = number(2).filter(|_| seen || *kind == "audio") {
            packets = packets.saturating_add(u32::from(seen));
            start = start.min(time);
            end = end.max(time + number(3).unwrap_or(0.0));
        }
        Ok(Heard::Nothing)
    };
    let time = tools.limits().time_floor;
    let job = Job { program: tools.ffprobe(), args, folder: None, source, time, reports: false };
    run(tools.limits(), job, stop, hear).await?;
    Ok(if packets == 0 { Counted::default() } else { Counted { packets, seconds: end - start } })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    duration: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: u32,
    height: u32,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    field_order: Option<String>,
    duration: Option<String>,
    channels: u32,
    disposition: Disposition,
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
}

impl Answer {
    /// The first stream of pictures that is no cover: the same that ffmpeg calls `V:0`.
    fn picture(&self) -> Result<&Stream, Failure> {
        let kind = |stream: &&Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
        let found = self.streams.iter().find(|stream| kind(stream, "video") && stream.disposition.attached_pic == 0);
        match found {
            Some(picture) if !picture.known() => Err(Failure::not_supported().with_tail("the codec is not known")),
            Some(picture) => Ok(picture),
            None if self.streams.iter().any(|stream| kind(&stream, "audio")) => Err(Failure::without_picture()),
            None => Err(Failure::broken().with_tail("no streams")),
        }
    }

    /// Whether there is sound that can be decoded.
    fn sound(&self) -> bool {
        let first = self.streams.iter().find(|stream| stream.codec_type.as_deref() == Some("audio"));
        first.is_some_and(|sound| sound.known() && sound.channels > 0)
    }

    fn duration(&self, picture: &Stream) -> Option<f64> {
        let seconds = |text: &Option<String>| text.as_ref()?.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0);
        seconds(&self.format.duration).or_else(|| seconds(&picture.duration))
    }
}

impl Stream {
    fn known(&self) -> bool {
        self.codec_name.as_deref().is_some_and(|name| !["none", "unknown"].contains(&name))
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Width and height as a viewer sees them: with square pixels, upright.
    fn seen(&self) -> Result<(u32, u32), Failure> {
        if self.pixels() == 0 {
            return Err(Failure::broken().with_tail("a picture without pixels"));
        }
        let aspect = self.sample_aspect_ratio.as_deref().and_then(|text| fraction(text, ':'));
        let stretch = aspect.map_or(1.0, |(across, down)| f64::from(across) / f64::from(down));
        let width = (f64::from(self.width) * stretch).round().clamp(1.0, f64::from(u32::MAX)) as u32;
        let turned = self.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0);
        // ffmpeg turns by quarters and leaves other angles as they lie
        let quarter = (turned.abs() % 180.0 - 90.0).abs() < 1.0;
        Ok(if quarter { (self.height, width) } else { (width, self.height) })
    }

    /// The average, or the base that it stays within a hundredth of; and whether frames come at uneven times.
    fn rate(&self) -> Option<(Rate, bool)> {
        let rate = |text: &Option<String>| {
            let (frames, seconds) = fraction(text.as_deref()?, '/')?;
            Some(standard(Rate { frames, seconds })).filter(|rate| rate.per_second() <= FASTEST)
        };
        let average = rate(&self.avg_frame_rate)?;
        let Some(base) = rate(&self.r_frame_rate) else { return Some((average, true)) };
        let near = |times: f64| (average.per_second() * times / base.per_second() - 1.0).abs() < 0.01;
        let interlaced = self.field_order.as_deref().is_some_and(|order| ["tt", "bb", "tb", "bt"].contains(&order));
        Some(match () {
            () if near(1.0) => (if is_standard(average) { average } else { base }, false),
            // the base counts half frames there
            () if interlaced && near(2.0) => (average, false),
            () => (average, true),
        })
    }
}

/// Rates that people film at. Formats that count in milliseconds only come close to them.
const STANDARD: [(u32, u32); 9] =
    [(24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (48, 1), (50, 1), (60000, 1001), (60, 1)];

/// The rate that was meant: a standard one that is nearer than any two of them are to each other.
fn standard(rate: Rate) -> Rate {
    let all = STANDARD.into_iter().map(|(frames, seconds)| Rate { frames, seconds });
    let mut near = all.filter(|standard| (rate.per_second() / standard.per_second() - 1.0).abs() < 0.0003);
    near.next().unwrap_or(rate)
}

fn is_standard(rate: Rate) -> bool {
    STANDARD.contains(&(rate.frames, rate.seconds))
}

/// Two numbers above 0; `0/0` and `0:1` mean that it is not known.
fn fraction(text: &str, between: char) -> Option<(u32, u32)> {
    let (over, under) = text.split_once(between)?;
    let (over, under): (u32, u32) = (over.parse().ok()?, under.parse().ok()?);
    (over > 0 && under > 0).then_some((over, under))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(fields: &str) -> Stream {
        serde_json::from_str(&format!("{{{fields}}}")).expect("an answer of ffprobe")
    }

    #[test]
    fn half_frames_are_not_taken_for_frames() {
        let rates = r#""avg_frame_rate": "25/1", "r_frame_rate": "50/1""#;
        let rate = Rate { frames: 25, seconds: 1 };
        assert_eq!(stream(rates).rate(), Some((rate, true)));
        assert_eq!(stream(&format!(r#"{rates}, "field_order": "tt""#)).rate(), Some((rate, false)));
    }

    #[test]
    fn a_rate_is_what_was_meant() {
        let rate = |average: &str, base: &str| {
            let rate = stream(&format!(r#""avg_frame_rate": "{average}", "r_frame_rate": "{base}""#)).rate();
            rate.map(|(rate, uneven)| (rate.frames, rate.seconds, uneven))
        };
        assert_eq!(rate("19001/317", "19001/317"), Some((60000, 1001, false)));
        assert_eq!(rate("2997/100", "30/1"), Some((30000, 1001, false)));
        assert_eq!(rate("2985/100", "30/1"), Some((30, 1, false)));
        assert_eq!(rate("24000/1001", "24/1"), Some((24000, 1001, false)));
        assert_eq!(rate("125/4", "1000/1"), Some((125, 4, true)));
        assert_eq!(rate("1000/1", "1000/1"), None);
        assert_eq!(rate("0/0", "30/1"), None);
    }

    #[test]
    fn pixels_are_those_of_a_viewer() {
        let seen = |fields: &str| stream(&format!(r#""width": 720, "height": 576{fields}"#)).seen().ok();
        assert_eq!(seen(""), Some((720, 576)));
        assert_eq!(seen(r#", "sample_aspect_ratio": "64:45""#), Some((1024, 576)));
        assert_eq!(seen(r#", "sample_aspect_ratio": "0:1""#), Some((720, 576)));
        assert_eq!(seen(r#", "side_data_list": [{}, {"rotation": -90}]"#), Some((576, 720)));
        assert_eq!(seen(r#", "side_data_list": [{"rotation": 45.0}]"#), Some((720, 576)));
        assert_eq!(stream(r#""width": 720"#).seen().map_err(|failure| failure.code), Err("source_broken"));
    }
}
