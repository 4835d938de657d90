//! GIFs (GIF89a): their pictures, how long each is shown and how often they begin again. Comments, XMP and whatever stands
//! behind the end go.

use super::Broken;
use bytes::Bytes;

const EXTENSION: u8 = 0x21;
const PICTURE: u8 = 0x2c;
const END: u8 = 0x3b;
/// How long the next picture is shown, and what of it is transparent.
const CONTROL: u8 = 0xf9;
const APPLICATION: u8 = 0xff;
/// Applications whose extension says how often the pictures are shown.
const LOOPS: [&[u8]; 2] = [b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0"];

/// The GIF with nothing in it but what is shown.
pub(super) fn cleaned(bytes: &[u8]) -> Result<Bytes, Broken> {
    let mut rest = Rest(bytes);
    let head = rest.take(13)?;
    let mut kept = [head, rest.take(colours(head[10]))?].concat();
    loop {
        let begin = rest.0;
        match rest.take(1)?[0] {
            END => {
                kept.push(END);
                return Ok(kept.into());
            }
            PICTURE => {
                let described = rest.take(9)?;
                // the colours, and how wide the first code is
                rest.take(colours(described[8]) + 1)?;
                rest.blocks()?;
            }
            EXTENSION => {
                let kind = rest.take(1)?[0];
                let shown = kind == CONTROL || kind == APPLICATION && LOOPS.iter().any(|name| rest.0.starts_with(name));
                rest.blocks()?;
                if !shown {
                    continue;
                }
            }
            _ => return Err(Broken),
        }
        kept.extend_from_slice(&begin[..begin.len() - rest.0.len()]);
    }
}

/// Bytes of a table of colours, as the flags say.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What was not looked at yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Blocks up to an empty one.
    fn blocks(&mut self) -> Result<(), Broken> {
        while let length @ 1.. = self.take(1)?[0] {
            self.take(usize::from(length))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"52 deg 31' N";
    const LOOP: &[u8] = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
    const SHOWN: &[u8] = b"\x21\xf9\x04\0\x0a\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";

    fn block(kind: u8, name: &[u8]) -> Vec<u8> {
        [&[EXTENSION, kind], name, &[SECRET.len() as u8], SECRET, &[0]].concat()
    }

    fn head() -> Vec<u8> {
        [b"GIF89a\x01\0\x01\0\x80\0\0".as_slice(), &[0; 3], &[255; 3]].concat()
    }

    fn a_gif() -> Vec<u8> {
        let xmp = block(APPLICATION, b"\x0bXMP DataXMP");
        [&head(), LOOP, &block(0xfe, b""), &xmp, SHOWN, &block(0x01, b""), SHOWN, &[END], SECRET].concat()
    }

    #[test]
    fn only_what_is_shown_is_left() {
        let clean = cleaned(&a_gif()).expect("a GIF");
        assert_eq!(clean, [&head(), LOOP, SHOWN, SHOWN, &[END]].concat());
        assert_eq!(cleaned(&clean), Ok(clean), "once is enough");
    }

    /// Whatever comes is a GIF or is not one.
    #[test]
    fn no_file_is_too_broken() {
        let gif = a_gif();
        let end = gif.len() - SECRET.len();
        for cut in 0..end {
            assert_eq!(cleaned(&gif[..cut]), Err(Broken));
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut other = gif.clone();
                other[cut] = value;
                let _ = cleaned(&other);
            }
        }
    }
}
