//! A small reader of the boxes of fragmented MP4 (ISO 14496-12): what a player must be told, and how many frames there
//! are. It reads what our own encoder wrote, and yet never trusts a length.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// What an initialization segment says.
#[derive(Debug, PartialEq)]
pub(crate) struct Init {
    /// The number of the track with the picture.
    pub track: u32,
    pub width: u32,
    pub height: u32,
    /// `avc1.64001E,mp4a.40.2` (RFC 6381).
    pub codecs: String,
    pub sound: bool,
}

/// The part of a segment that says what is in it is small; the rest is not read.
const LARGEST_HEADER: u64 = 16 << 20;

impl Init {
    /// `None` unless there is H.264 in it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let moov = child(bytes, b"moov")?;
        let tracks = || Boxes(moov).filter(|(name, _)| name == b"trak").map(|(_, trak)| trak);
        let (track, entry) = tracks().find_map(|trak| Some((number(trak)?, sample_entry(trak, b"avc1")?)))?;
        // 78 bytes of fixed fields, with the size among them, then boxes
        let (width, height) = (u32::from(be16(entry, 24)?), u32::from(be16(entry, 26)?));
        let avcc = child(entry.get(78..)?, b"avcC")?;
        let [profile, compatible, level] = avcc.get(1..4)?.try_into().ok()?;
        let picture = format!("avc1.{profile:02X}{compatible:02X}{level:02X}");
        let sound = tracks().any(|trak| sample_entry(trak, b"mp4a").is_some());
        let codecs = if sound { format!("{picture},mp4a.40.2") } else { picture };
        Some(Init { track, width, height, codecs, sound })
    }
}

/// How many frames of a track are in a segment.
///
/// # Errors
/// The file cannot be read, or is not made of boxes.
pub(crate) fn frames(segment: &Path, track: u32) -> io::Result<u64> {
    let mut file = File::open(segment)?;
    let end = file.metadata()?.len();
    let (mut at, mut frames) = (0, 0);
    while at < end {
        let mut head = [0; 16];
        let read = usize::try_from(end - at).map_or(16, |left| left.min(16));
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut head[..read])?;
        let (name, start, size) = header(&head[..read]).ok_or(io::ErrorKind::InvalidData)?;
        if name == *b"moof" {
            if size > LARGEST_HEADER {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut moof = vec![0; (size - start as u64) as usize];
            file.seek(SeekFrom::Start(at + start as u64))?;
            file.read_exact(&mut moof)?;
            frames += fragment_frames(&moof, track);
        }
        at += size;
    }
    Ok(frames)
}

fn fragment_frames(moof: &[u8], track: u32) -> u64 {
    let of_track = |traf: &&[u8]| child(traf, b"tfhd").and_then(|tfhd| be32(tfhd, 4)) == Some(track);
    let trafs = Boxes(moof).filter(|(name, _)| name == b"traf").map(|(_, traf)| traf).filter(of_track);
    let runs = trafs.flat_map(|traf| Boxes(traf).filter(|(name, _)| name == b"trun"));
    runs.filter_map(|(_, trun)| be32(trun, 4)).map(u64::from).sum()
}

/// The number of a track.
fn number(trak: &[u8]) -> Option<u32> {
    let tkhd = child(trak, b"tkhd")?;
    // two times of 4 or 8 bytes stand before it
    be32(tkhd, if *tkhd.first()? == 1 { 20 } else { 12 })
}

fn sample_entry<'a>(trak: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let stsd = [b"mdia", b"minf", b"stbl", b"stsd"].into_iter().try_fold(trak, |inside, name| child(inside, name))?;
    child(stsd.get(8..)?, kind)
}

fn child<'a>(boxes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes(boxes).find(|(name, _)| name == wanted).map(|(_, body)| body)
}

/// Boxes one after the other; what does not fit ends them.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, start, size) = header(self.0)?;
        let (this, rest) = self.0.split_at_checked(usize::try_from(size).ok()?)?;
        self.0 = rest;
        Some((name, this.get(start..)?))
    }
}

/// Name, where the body begins, and size with the header.
fn header(bytes: &[u8]) -> Option<([u8; 4], usize, u64)> {
    let name = bytes.get(4..8)?.try_into().ok()?;
    let (start, size) = match be32(bytes, 0)? {
        1 => (16, u64::from_be_bytes(bytes.get(8..16)?.try_into().ok()?)),
        size => (8, u64::from(size)),
    };
    (size >= start as u64).then_some((name, start, size))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes()[..], name, body].concat()
    }

    fn track(number: u32, entry: &[u8]) -> Vec<u8> {
        let tkhd = boxed(b"tkhd", &[&[0; 12][..], &number.to_be_bytes(), &[0; 64]].concat());
        let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], entry].concat());
        let inside = [b"stbl", b"minf", b"mdia"].iter().fold(stsd, |inside, name| boxed(name, &inside));
        boxed(b"trak", &[tkhd, inside].concat())
    }

    fn init() -> Vec<u8> {
        let mut fixed = [0; 78];
        fixed[24..28].copy_from_slice(&[0x02, 0x80, 0x01, 0x68]);
        let avc1 = boxed(b"avc1", &[&fixed[..], &boxed(b"avcC", &[1, 0x64, 0, 0x1E, 0xFF])].concat());
        let tracks = [track(7, &boxed(b"mp4a", &[0; 28])), track(2, &avc1)].concat();
        [boxed(b"ftyp", b"iso5"), boxed(b"moov", &tracks)].concat()
    }

    #[test]
    fn headers_say_codec_and_size() {
        let codecs = "avc1.64001E,mp4a.40.2".to_owned();
        assert_eq!(Init::read(&init()), Some(Init { track: 2, width: 640, height: 360, codecs, sound: true }));
    }

    #[test]
    fn nothing_shortened_is_read_beyond_its_end() {
        let whole = init();
        for length in 0..whole.len() {
            assert_eq!(Init::read(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn frames_of_one_track_are_counted() {
        let traf = |track: u32, count: u32| {
            let tfhd = boxed(b"tfhd", &[[0; 4], track.to_be_bytes()].concat());
            let trun = boxed(b"trun", &[[0; 4], count.to_be_bytes()].concat());
            boxed(b"traf", &[tfhd, trun].concat())
        };
        let moof = boxed(b"moof", &[traf(1, 96), traf(2, 187)].concat());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("segment");
        std::fs::write(&file, [&moof[..], &boxed(b"mdat", &[0; 99]), &moof].concat()).expect("a segment");
        assert_eq!(frames(&file, 1).expect("boxes"), 192);
        assert_eq!(frames(&file, 2).expect("boxes"), 374);
        std::fs::write(&file, [&moof[..], &[0; 12]].concat()).expect("a segment");
        assert!(frames(&file, 1).is_err());
        std::fs::write(&file, &moof[..moof.len() - 1]).expect("a segment");
        assert!(frames(&file, 1).is_err());
    }
}
