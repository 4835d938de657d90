//! A strict reader of playlists (RFC 8216): it knows what we may say, and takes nothing else.

use std::collections::{BTreeMap, BTreeSet};

/// A master playlist.
#[derive(Debug)]
pub struct Master(pub Vec<Variant>);

/// One size of a film in a master playlist.
#[derive(Debug)]
pub struct Variant {
    /// Bits a second at most, as RFC 8216 measures them.
    pub bandwidth: u64,
    /// Bits a second on average.
    pub average: u64,
    /// RFC 6381.
    pub codecs: String,
    /// Width and height.
    pub resolution: (u32, u32),
    /// Frames a second.
    pub rate: f64,
    /// Its media playlist.
    pub uri: String,
}

/// A media playlist of a film that is whole.
#[derive(Debug)]
pub struct Media {
    /// No segment is longer, rounded.
    pub target: u64,
    /// The initialization segment.
    pub init: String,
    /// Each with its seconds.
    pub segments: Vec<(String, f64)>,
}

/// One line that says something (RFC 8216, 4.1).
enum Line<'a> {
    Tag(&'a str, &'a str),
    Uri(&'a str),
}

fn lines(text: &str) -> Vec<Line<'_>> {
    assert!(text.starts_with("#EXTM3U\n") && text.ends_with('\n'), "{text}");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "control characters: {text}");
    let mut all = vec![];
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        all.push(match line.strip_prefix('#') {
            None => {
                assert!(line.trim() == line && !line.contains([' ', '"', '\\']), "no URI: {line}");
                Line::Uri(line)
            }
            Some(rest) if rest.starts_with("EXT") => {
                let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
                Line::Tag(name, value)
            }
            Some(_) => continue,
        });
    }
    all
}

/// `NAME=value,NAME="value"` (RFC 8216, 4.2): no spaces, no name twice.
fn attributes(text: &str) -> BTreeMap<&str, &str> {
    let (mut found, mut rest) = (BTreeMap::new(), text);
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').unwrap_or_else(|| panic!("no value in {text}"));
        let fine = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(!name.is_empty() && name.bytes().all(fine), "no name of an attribute: {name:?} in {text}");
        let end = match value.strip_prefix('"') {
            Some(quoted) => quoted.find('"').unwrap_or_else(|| panic!("an open quote in {text}")) + 2,
            None => value.find(',').unwrap_or(value.len()),
        };
        assert!(found.insert(name, &value[..end]).is_none(), "{name} twice in {text}");
        rest = match value[end..].strip_prefix(',') {
            Some(more) if !more.is_empty() => more,
            Some(_) => panic!("a comma at the end of {text}"),
            None if value.len() == end => "",
            None => panic!("no comma in {text}"),
        };
    }
    found
}

fn quoted<'a>(value: &'a str, of: &str) -> &'a str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_else(|| panic!("{of} is not quoted"))
}

fn whole(text: &str) -> u64 {
    assert!(text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 20, "no decimal integer: {text:?}");
    text.parse().unwrap_or_else(|_| panic!("no decimal integer: {text:?}"))
}

fn decimal(text: &str) -> f64 {
    let fine = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    assert!(!text.is_empty() && text.bytes().all(fine), "no decimal number: {text:?}");
    text.parse().unwrap_or_else(|_| panic!("no decimal number: {text:?}"))
}

/// Reads a master playlist.
#[track_caller]
pub fn master(text: &str) -> Master {
    let (mut once, mut variants, mut info) = (BTreeSet::new(), vec![], None);
    for line in lines(text) {
        match (line, info.take()) {
            (Line::Tag("EXT-X-VERSION", version), None) => assert!((6..=7).contains(&whole(version)), "{text}"),
            (Line::Tag("EXT-X-INDEPENDENT-SEGMENTS", ""), None) => {
                assert!(once.insert("EXT-X-INDEPENDENT-SEGMENTS"), "{text}");
            }
            (Line::Tag("EXT-X-STREAM-INF", value), None) => info = Some(attributes(value)),
            (Line::Uri(uri), Some(said)) => variants.push(variant(&said, uri)),
            _ => panic!("not in a master playlist, or not there: {text}"),
        }
    }
    assert!(info.is_none() && !variants.is_empty(), "{text}");
    let places: BTreeSet<_> = variants.iter().map(|one| one.uri.clone()).collect();
    assert_eq!(places.len(), variants.len(), "the same size twice: {text}");
    Master(variants)
}

fn variant(said: &BTreeMap<&str, &str>, uri: &str) -> Variant {
    let value = |name: &str| *said.get(name).unwrap_or_else(|| panic!("no {name}: {said:?}"));
    let (width, height) = value("RESOLUTION").split_once('x').expect("a decimal resolution");
    let number = |text| u32::try_from(whole(text)).expect("pixels");
    let variant = Variant {
        bandwidth: whole(value("BANDWIDTH")),
        average: whole(value("AVERAGE-BANDWIDTH")),
        codecs: quoted(value("CODECS"), "CODECS").to_owned(),
        resolution: (number(width), number(height)),
        rate: decimal(value("FRAME-RATE")),
        uri: uri.to_owned(),
    };
    assert_eq!(said.len(), 5, "more than players need: {said:?}");
    assert!(variant.average > 0 && variant.average <= variant.bandwidth, "{variant:?}");
    let avc = variant.codecs.split(',').next().expect("a codec");
    assert!(avc.len() == 11 && avc.starts_with("avc1.") && variant.codecs.split(',').count() <= 2, "{variant:?}");
    variant
}

/// Reads a media playlist of a film that is whole.
#[track_caller]
pub fn media(text: &str) -> Media {
    let (mut once, mut seconds, mut segments) = (BTreeMap::new(), None, vec![]);
    for line in lines(text) {
        assert!(!once.contains_key("EXT-X-ENDLIST"), "more after the end: {text}");
        match (line, seconds.take()) {
            (Line::Tag("EXTINF", value), None) => {
                let (duration, title) = value.split_once(',').unwrap_or_else(|| panic!("no comma: {value}"));
                assert_eq!(title, "");
                seconds = Some(decimal(duration));
            }
            (Line::Uri(uri), Some(seconds)) => segments.push((uri.to_owned(), seconds)),
            (Line::Tag(name, value), None) => {
                assert!(once.insert(name, value).is_none(), "{name} twice: {text}");
                assert!(name != "EXT-X-MAP" || segments.is_empty(), "a map holds for what follows it: {text}");
            }
            _ => panic!("a segment without its duration, or the reverse: {text}"),
        }
    }
    let value = |name: &str| *once.get(name).unwrap_or_else(|| panic!("no {name}: {text}"));
    let names = ["EXT-X-ENDLIST", "EXT-X-INDEPENDENT-SEGMENTS", "EXT-X-MAP", "EXT-X-MEDIA-SEQUENCE"];
    let more = ["EXT-X-PLAYLIST-TYPE", "EXT-X-TARGETDURATION", "EXT-X-VERSION"];
    assert_eq!(once.keys().copied().collect::<Vec<_>>(), [&names[..], &more[..]].concat());
    assert_eq!((value("EXT-X-PLAYLIST-TYPE"), value("EXT-X-ENDLIST")), ("VOD", ""));
    assert!((6..=7).contains(&whole(value("EXT-X-VERSION"))), "EXT-X-MAP needs version 6: {text}");
    let map = attributes(value("EXT-X-MAP"));
    assert_eq!(map.keys().collect::<Vec<_>>(), [&"URI"]);
    let target = whole(value("EXT-X-TARGETDURATION"));
    assert!(segments.iter().all(|(_, seconds)| seconds.round() as u64 <= target && *seconds > 0.0), "{text}");
    let places: BTreeSet<_> = segments.iter().map(|(uri, _)| uri).collect();
    assert!(places.len() == segments.len() && !segments.is_empty(), "{text}");
    Media { target, init: quoted(map["URI"], "URI").to_owned(), segments }
}

/// An address in a playlist at `base` (RFC 3986, as far as playlists of ours need it).
pub fn beside(base: &str, uri: &str) -> String {
    let path = base.split('?').next().expect("a path");
    format!("{}/{uri}", path.rsplit_once('/').expect("a folder").0)
}
