//! Pictures without what cameras and programs wrote into them: places, times, names, small copies of what was cut away.
//! The picture itself is not touched, and which side is up stays known. What is kept is listed; whatever else there is, or
//! will be, goes.

mod gif;

use bytes::Bytes;
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::{Png, PngChunk};
use img_parts::riff::{RiffChunk, RiffContent};
use img_parts::webp::{self, WebP};

/// A file that is no picture of its kind.
#[derive(Debug, PartialEq)]
pub(super) struct Broken;

/// What stands before EXIF in JPEG, and sometimes in WebP.
const EXIF: &[u8] = b"Exif\0\0";

/// The picture with nothing in it but the picture.
///
/// # Errors
/// It is not what its first bytes say.
pub(super) fn cleaned(mime: &str, bytes: Bytes) -> Result<Bytes, Broken> {
    match mime {
        "image/jpeg" => jpeg(bytes),
        "image/png" => png(bytes),
        "image/webp" => webp(bytes),
        "image/gif" => gif::cleaned(&bytes),
        _ => Ok(bytes),
    }
}

fn jpeg(bytes: Bytes) -> Result<Bytes, Broken> {
    let mut jpeg = Jpeg::from_bytes(bytes).map_err(|_| Broken)?;
    // the last segment is the first scan, and everything behind it
    let rest = jpeg.segments_mut().pop().filter(JpegSegment::has_entropy).ok_or(Broken)?;
    let exif = |segment: &JpegSegment| orientation(segment.contents().strip_prefix(EXIF)?);
    let turned = jpeg.segments().iter().filter(|segment| segment.marker() == markers::APP1).find_map(exif);
    jpeg.segments_mut().retain(|segment| match segment.marker() {
        markers::APP0 => segment.contents().starts_with(b"JFIF\0"),
        // colours: as they are meant, and how they were mixed
        markers::APP2 => segment.contents().starts_with(b"ICC_PROFILE\0"),
        markers::APP14 => segment.contents().starts_with(b"Adobe"),
        markers::APP1..=markers::APP15 | markers::COM => false,
        _ => true,
    });
    if let Some(turned) = turned {
        let behind = usize::from(jpeg.segments().first().is_some_and(|first| first.marker() == markers::APP0));
        let contents = [EXIF, &only_orientation(turned)].concat();
        jpeg.segments_mut().insert(behind, JpegSegment::new_with_contents(markers::APP1, contents.into()));
    }
    let head = jpeg.encoder().bytes();
    Ok([&head[..], &scans(&rest.encoder().bytes())?].concat().into())
}

/// The scans of a JPEG up to its end: telephones put films and second pictures behind it.
fn scans(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        // 0 and restarts belong to the pixels, and 0xff fills
        let is_marker = |pair: &[u8]| pair[0] == markers::P && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
        let at = rest.windows(2).position(is_marker).ok_or(Broken)?;
        kept.extend_from_slice(&rest[..at]);
        let (marker, behind) = (rest[at + 1], &rest[at + 2..]);
        if marker == markers::EOI {
            kept.extend_from_slice(&[markers::P, markers::EOI]);
            return Ok(kept);
        }
        let length = behind.get(..2).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
        let length = length.filter(|length| (2..=behind.len()).contains(length)).ok_or(Broken)?;
        if !matches!(marker, markers::APP0..=markers::APP15 | markers::COM) {
            kept.extend_from_slice(&rest[at..at + 2 + length]);
        }
        rest = &behind[length..];
    }
}

/// What a PNG is shown with: size, pixels, transparency, colours, resolution, animation.
const PNG: [&[u8; 4]; 19] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"mDCV",
    b"cLLI", b"bKGD", b"hIST", b"pHYs", b"acTL", b"fcTL", b"fdAT",
];

fn png(bytes: Bytes) -> Result<Bytes, Broken> {
    let mut png = Png::from_bytes(bytes).map_err(|_| Broken)?;
    let exif = png.chunks().iter().find(|chunk| chunk.kind() == *b"eXIf");
    let turned = exif.and_then(|chunk| orientation(chunk.contents()));
    png.chunks_mut().retain(|chunk| PNG.contains(&&chunk.kind()));
    if png.chunks().first().is_none_or(|first| first.kind() != *b"IHDR") {
        return Err(Broken);
    }
    if let Some(turned) = turned {
        png.chunks_mut().insert(1, PngChunk::new(*b"eXIf", only_orientation(turned).to_vec().into()));
    }
    Ok(png.encoder().bytes())
}

const WEBP: [[u8; 4]; 7] = [
    webp::CHUNK_VP8X,
    webp::CHUNK_VP8,
    webp::CHUNK_VP8L,
    webp::CHUNK_ALPH,
    webp::CHUNK_ANIM,
    webp::CHUNK_ANMF,
    webp::CHUNK_ICCP,
];
/// Flags of a WebP that say what else is in it.
const HAS_EXIF: u8 = 0x08;
const HAS_XMP: u8 = 0x04;

fn webp(bytes: Bytes) -> Result<Bytes, Broken> {
    let mut webp = WebP::from_bytes(bytes).map_err(|_| Broken)?;
    let exif = webp.chunk_by_id(webp::CHUNK_EXIF).and_then(|chunk| chunk.content().data());
    let turned = exif.and_then(|exif| orientation(exif.strip_prefix(EXIF).unwrap_or(exif)));
    webp.chunks_mut().retain(|chunk| WEBP.contains(&chunk.id()));
    let head = webp.chunks().iter().position(|chunk| chunk.id() == webp::CHUNK_VP8X);
    if let Some(at) = head {
        let mut flags = webp.chunks()[at].content().data().ok_or(Broken)?.to_vec();
        let first = flags.first_mut().ok_or(Broken)?;
        *first &= !(HAS_EXIF | HAS_XMP);
        if let Some(turned) = turned {
            *first |= HAS_EXIF;
            let exif = RiffContent::Data(only_orientation(turned).to_vec().into());
            webp.chunks_mut().push(RiffChunk::new(webp::CHUNK_EXIF, exif));
        }
        webp.chunks_mut()[at] = RiffChunk::new(webp::CHUNK_VP8X, RiffContent::Data(flags.into()));
    }
    Ok(webp.encoder().bytes())
}

/// The tag that says how a picture is turned.
const ORIENTATION: u16 = 0x0112;

/// How EXIF says that the picture is turned, unless it is upright.
fn orientation(tiff: &[u8]) -> Option<u8> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let first = long(4)? as usize;
    let entries = (0..usize::from(short(first)?)).map(|n| first + 2 + 12 * n);
    let mut named = entries.filter(|at| short(*at) == Some(ORIENTATION));
    let turned = u8::try_from(short(named.next()? + 8)?).ok()?;
    (2..=8).contains(&turned).then_some(turned)
}

/// EXIF that says how a picture is turned, and nothing else.
fn only_orientation(turned: u8) -> [u8; 26] {
    let mut tiff = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    tiff[19] = turned;
    tiff
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"52 deg 31' N, 13 deg 24' E";

    /// EXIF as a camera writes it: turned, and with more than that behind it.
    fn exif(little: bool) -> Vec<u8> {
        let mut tiff = only_orientation(6).to_vec();
        if little {
            tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        }
        [&tiff, SECRET].concat()
    }

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 2).expect("short");
        [&[0xff, marker], &length.to_be_bytes()[..], contents].concat()
    }

    fn a_jpeg(little: bool) -> Vec<u8> {
        let parts = [
            vec![0xff, 0xd8],
            segment(markers::APP0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            segment(markers::APP1, &[EXIF, &exif(little)].concat()),
            segment(markers::APP1, &[b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()),
            segment(markers::APP2, b"ICC_PROFILE\0\x01\x01colours"),
            segment(markers::APP2, &[b"MPF\0", SECRET].concat()),
            segment(markers::APP14, b"Adobe\0\x64\0\0\0\0\x01"),
            segment(0xed, &[b"Photoshop 3.0\0", SECRET].concat()),
            segment(markers::COM, SECRET),
            segment(0xdb, &[1; 65]),
            segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]),
            segment(0xda, &[1, 1, 0, 0, 63, 0]),
            b"pixels\xff\0more\xff\xd0again".to_vec(),
            segment(markers::COM, SECRET),
            segment(0xda, &[1, 1, 0, 1, 5, 0]),
            b"finer".to_vec(),
            vec![0xff, 0xd9],
            // a second picture, or a film, as telephones put it there
            SECRET.to_vec(),
        ];
        parts.concat()
    }

    fn a_png() -> Vec<u8> {
        let chunk = |kind: &[u8; 4], contents: &[u8]| PngChunk::new(*kind, contents.to_vec().into()).encoder().bytes();
        let parts = [
            Bytes::from_static(b"\x89PNG\r\n\x1a\n"),
            chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
            chunk(b"eXIf", &exif(false)),
            chunk(b"tEXt", &[b"Comment\0", SECRET].concat()),
            chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", SECRET].concat()),
            chunk(b"gAMA", &[0, 0, 0xb1, 0x8f]),
            chunk(b"IDAT", b"pixels"),
            chunk(b"IEND", b""),
            Bytes::from_static(SECRET),
        ];
        parts.concat()
    }

    fn a_webp(prefix: &[u8]) -> Vec<u8> {
        let chunk = |id: &[u8; 4], contents: &[u8]| {
            let length = u32::try_from(contents.len()).expect("short").to_le_bytes();
            let padding: &[u8] = if contents.len() % 2 == 1 { b"\0" } else { b"" };
            [id, &length[..], contents, padding].concat()
        };
        let parts = [
            b"WEBP".to_vec(),
            chunk(b"VP8X", &[0x3c, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            chunk(b"ICCP", b"colours"),
            chunk(b"VP8L", b"\x2fpixels"),
            chunk(b"EXIF", &[prefix, &exif(true)].concat()),
            chunk(b"XMP ", SECRET),
        ];
        let inside = parts.concat();
        [&b"RIFF"[..], &u32::try_from(inside.len()).expect("short").to_le_bytes(), &inside].concat()
    }

    fn holds(bytes: &[u8], needle: &[u8]) -> bool {
        bytes.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn only_the_picture_is_left() {
        let all = [
            ("image/jpeg", a_jpeg(true)),
            ("image/jpeg", a_jpeg(false)),
            ("image/png", a_png()),
            ("image/webp", a_webp(EXIF)),
            ("image/webp", a_webp(b"")),
        ];
        for (mime, picture) in all {
            assert!(holds(&picture, SECRET));
            let clean = cleaned(mime, picture.clone().into()).expect("a picture");
            assert!(!holds(&clean, SECRET) && !holds(&clean, b"xap"), "{mime}");
            assert!(holds(&clean, b"pixels"), "{mime}: what is seen is as it was");
            assert!(holds(&clean, &only_orientation(6)), "{mime}: what is up stays up");
            assert!(clean.len() < picture.len());
            assert_eq!(infer::get(&clean).map(|kind| kind.mime_type()), Some(mime));
            assert_eq!(cleaned(mime, clean.clone()), Ok(clean), "{mime}: once is enough");
        }
    }

    #[test]
    fn colours_stay() {
        let clean = cleaned("image/jpeg", a_jpeg(true).into()).expect("a picture");
        let parts = [&b"ICC_PROFILE"[..], b"Adobe", b"JFIF", b"pixels\xff\0more\xff\xd0again\xff\xda"];
        assert!(parts.iter().all(|part| holds(&clean, part)));
        assert!(clean.ends_with(b"finer\xff\xd9"));
        let clean = cleaned("image/png", a_png().into()).expect("a picture");
        assert!(holds(&clean, b"gAMA") && clean.ends_with(b"IEND\xae\x42\x60\x82"));
        let clean = cleaned("image/webp", a_webp(b"").into()).expect("a picture");
        assert!(holds(&clean, b"ICCP"));
        assert_eq!(clean[20], 0x38, "colours, transparency and EXIF, but no XMP");
    }

    #[test]
    fn only_a_turned_picture_keeps_exif() {
        assert_eq!([1, 2, 8, 9].map(|turned| orientation(&only_orientation(turned))), [None, Some(2), Some(8), None]);
    }

    /// Whatever comes is a picture or is not one.
    #[test]
    fn no_file_is_too_broken() {
        for (mime, picture) in [("image/jpeg", a_jpeg(true)), ("image/png", a_png()), ("image/webp", a_webp(EXIF))] {
            for cut in 0..picture.len() {
                let _ = cleaned(mime, picture[..cut].to_vec().into());
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut other = picture.clone();
                    other[cut] = value;
                    let _ = cleaned(mime, other.into());
                }
            }
        }
        for text in ["", "II*\0", "MM\0*\u{7f}\u{7f}\u{7f}\u{7f}", "II*\0\x08\0\0\0\u{7f}\u{7f}"] {
            assert_eq!(orientation(text.as_bytes()), None);
        }
    }
}
