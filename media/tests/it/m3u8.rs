//! A strict reader of media playlists (RFC 8216), written from the standard and not from what ffmpeg does.

use std::collections::BTreeSet;
use std::path::Path;

/// A playlist that keeps every rule.
pub struct Playlist {
    pub target: u32,
    pub init: String,
    pub segments: Vec<(String, f64)>,
}

/// Reads `index.m3u8` in a folder, which must hold the files that it names and no others.
pub fn strict(folder: &Path) -> Playlist {
    let text = std::fs::read_to_string(folder.join("index.m3u8")).expect("a playlist in UTF-8");
    assert!(!text.starts_with('\u{feff}') && text.ends_with('\n'), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "#EXTM3U");
    let only = |tag: &str| {
        let found: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(tag)).collect();
        assert_eq!(found.len(), 1, "{tag} in {text}");
        found[0]
    };
    assert!(only("#EXT-X-VERSION:").parse::<u32>().expect("a number") >= 6, "EXT-X-MAP needs version 6");
    assert_eq!(only("#EXT-X-PLAYLIST-TYPE:"), "VOD");
    assert_eq!(only("#EXT-X-INDEPENDENT-SEGMENTS"), "");
    assert_eq!(only("#EXT-X-ENDLIST"), "");
    assert_eq!(lines.last(), Some(&"#EXT-X-ENDLIST"));
    let target: u32 = only("#EXT-X-TARGETDURATION:").parse().expect("a whole number of seconds");
    let map = only("#EXT-X-MAP:");
    let init = map.strip_prefix("URI=\"").and_then(|rest| rest.strip_suffix('"')).expect("a quoted name").to_owned();
    let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).expect("it is there");
    assert!(place("#EXT-X-MAP") < place("#EXTINF"), "a map holds for the segments after it");

    let mut segments = vec![];
    let mut rest = lines[place("#EXTINF")..lines.len() - 1].iter();
    while let Some(info) = rest.next() {
        let seconds = info.strip_prefix("#EXTINF:").and_then(|info| info.strip_suffix(',')).expect("a duration");
        let seconds: f64 = seconds.parse().expect("a number");
        assert!(seconds > 0.0 && seconds.round() <= f64::from(target), "{seconds} s beyond {target} s");
        let name = *rest.next().expect("a name after its duration");
        assert_eq!(name, format!("{:05}.m4s", segments.len() + 1));
        segments.push((name.to_owned(), seconds));
    }
    let named: BTreeSet<String> =
        segments.iter().map(|(name, _)| name.clone()).chain([init.clone(), "index.m3u8".to_owned()]).collect();
    let entries = std::fs::read_dir(folder).expect("a folder");
    let there: BTreeSet<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(there, named);
    Playlist { target, init, segments }
}
