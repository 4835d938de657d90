//! Reads a media playlist (RFC 8216) as ffmpeg writes it; measures it as the standard defines it.

/// What a media playlist says.
#[derive(Debug, PartialEq)]
pub(crate) struct Playlist {
    /// Seconds, at least those of every segment when rounded.
    pub target: u32,
    /// The file with the headers.
    pub init: String,
    pub segments: Vec<Segment>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Segment {
    pub file: String,
    pub seconds: f64,
}

impl Playlist {
    /// `None` unless it is whole, and names only files that lie beside it.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("#EXTM3U") {
            return None;
        }
        let (mut target, mut init, mut seconds, mut ended) = (None, None, None, false);
        let mut segments = vec![];
        for line in lines {
            if let Some(value) = line.strip_prefix("#EXT-X-TARGETDURATION:") {
                target = value.parse().ok();
            } else if let Some(value) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                init = beside(value.strip_suffix('"')?);
            } else if let Some(value) = line.strip_prefix("#EXTINF:") {
                seconds = value.split(',').next()?.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
            } else if line == "#EXT-X-ENDLIST" {
                ended = true;
            } else if !line.starts_with('#') && !line.is_empty() {
                segments.push(Segment { file: beside(line)?, seconds: seconds.take()? });
            }
        }
        (ended && !segments.is_empty()).then_some(Playlist { target: target?, init: init?, segments })
    }

    /// Seconds of all segments.
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// Bits per second of the most demanding stretch: neighbours that together last between half and one and a half
    /// target durations (RFC 8216, 4.1), so that a last segment of one frame does not count alone.
    pub fn peak(&self, bytes: &[u64]) -> f64 {
        let target = f64::from(self.target);
        let mut peak: f64 = 0.0;
        for from in 0..self.segments.len() {
            let (mut seconds, mut sum) = (0.0, 0.0);
            for (segment, bytes) in self.segments.iter().zip(bytes).skip(from) {
                seconds += segment.seconds;
                sum += *bytes as f64;
                if seconds > 1.5 * target {
                    break;
                }
                if seconds >= 0.5 * target {
                    peak = peak.max(sum * 8.0 / seconds);
                }
            }
        }
        peak.max(self.average(bytes))
    }

    /// Bits per second over all segments.
    pub fn average(&self, bytes: &[u64]) -> f64 {
        bytes.iter().sum::<u64>() as f64 * 8.0 / self.seconds()
    }
}

fn beside(name: &str) -> Option<String> {
    (!name.is_empty() && !name.contains(['/', ':', '%'])).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                         #EXTINF:4.000000,\n00001.m4s\n#EXTINF:4.0,\n00002.m4s\n#EXTINF:0.04,\n00003.m4s\n\
                         #EXT-X-ENDLIST\n";

    #[test]
    fn a_whole_playlist_is_read() {
        let playlist = Playlist::read(WHOLE).expect("whole");
        assert_eq!((playlist.target, playlist.init.as_str()), (4, "init.mp4"));
        assert_eq!(playlist.segments[2], Segment { file: "00003.m4s".into(), seconds: 0.04 });
        assert!((playlist.seconds() - 8.04).abs() < 1e-9);
    }

    #[test]
    fn half_a_playlist_is_none() {
        for (word, other) in [
            ("#EXT-X-ENDLIST", ""),
            ("#EXTM3U", "#"),
            ("#EXT-X-MAP", "#MAP"),
            ("#EXTINF:4.0,", ""),
            ("00002.m4s", "../00002.m4s"),
            ("00002.m4s", "https://elsewhere/00002.m4s"),
        ] {
            assert_eq!(Playlist::read(&WHOLE.replace(word, other)), None, "{word}");
        }
    }

    #[test]
    fn a_last_frame_alone_is_no_peak() {
        let playlist = Playlist::read(WHOLE).expect("whole");
        let bytes = [1000, 2000, 500];
        assert!((playlist.peak(&bytes) - 2500.0 * 8.0 / 4.04).abs() < 1e-6);
        assert!((playlist.average(&bytes) - 3500.0 * 8.0 / 8.04).abs() < 1e-6);
        let short = Playlist { segments: vec![Segment { file: "a".into(), seconds: 0.2 }], ..playlist };
        assert!((short.peak(&[100]) - 4000.0).abs() < 1e-6);
    }
}
