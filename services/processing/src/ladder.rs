//! The sizes that make sense for a film. Pure: what a viewer sees decides, and nothing is ever enlarged.

use events::media::{Film, Rate, Rung};

/// The shorter side, and the bits that a pixel of a frame takes.
const STEPS: [(u32, f64); 4] = [(360, 0.15), (480, 0.12), (720, 0.11), (1080, 0.10)];
/// Pixels; hardware decoders refuse longer sides. Only panoramas come near it.
const LONGEST_SIDE: u32 = 4096;
/// Below this x264 has nothing left to distribute.
const FEWEST_BITS: f64 = 64_000.0;
const AUDIO_BITS: u32 = 128_000;
/// What uneven films are brought to: the next one above their average.
const STANDARD: [u32; 5] = [24, 25, 30, 50, 60];

/// The sizes to make of a film, the lowest first; there is always one. A film whose shorter side has fewer than 360
/// pixels gets one of its own size, named by that side.
pub fn ladder(film: &Film) -> Vec<Rung> {
    let rate = rate(film);
    let short = film.width.min(film.height);
    let own = (even_below(short), STEPS[0].1);
    let steps = if short < STEPS[0].0 { &[own][..] } else { &STEPS[..] };
    let mut rungs: Vec<Rung> = vec![];
    for &(side, bits_per_pixel) in steps.iter().filter(|(side, _)| *side <= short.max(2)) {
        let (width, height) = size(film, side);
        // a panorama that is bounded by its longer side has only one size
        if rungs.last().is_some_and(|last| (last.width, last.height) == (width, height)) {
            continue;
        }
        let bits = f64::from(width) * f64::from(height) * rate.per_second() * bits_per_pixel;
        rungs.push(Rung {
            name: format!("{side}p"),
            width,
            height,
            rate,
            video_bits: bits.max(FEWEST_BITS).round() as u32,
            audio_bits: if film.sound { AUDIO_BITS } else { 0 },
        });
    }
    rungs
}

/// Pixels for a shorter side of `side`: the aspect is kept as far as even numbers can.
fn size(film: &Film, side: u32) -> (u32, u32) {
    let (short, long) = (film.width.min(film.height).max(1), film.width.max(film.height).max(1));
    let scale = (f64::from(side) / f64::from(short)).min(f64::from(LONGEST_SIDE) / f64::from(long)).min(1.0);
    let fit = |pixels: u32| {
        let nearest = 2 * (f64::from(pixels) * scale / 2.0).round() as u32;
        nearest.clamp(2, even_below(pixels))
    };
    (fit(film.width), fit(film.height))
}

/// The next even number that is not greater, at least 2: H.264 with 4:2:0 knows no others.
fn even_below(pixels: u32) -> u32 {
    (pixels & !1).max(2)
}

/// The rate of every rung: one for all, so that a player may change between them at any segment.
fn rate(film: &Film) -> Rate {
    let average = film.rate.per_second();
    if film.uneven {
        // two in a hundred are the unsteadiness of a telephone, not another rate
        let next = STANDARD.into_iter().find(|&standard| f64::from(standard) >= average * 0.98);
        return Rate { frames: next.unwrap_or(60), seconds: 1 };
    }
    let mut rate = Rate { frames: film.rate.frames.max(1), seconds: film.rate.seconds.max(1) };
    while rate.per_second() > 60.0 {
        rate = match rate.frames % 2 {
            0 => Rate { frames: rate.frames / 2, ..rate },
            _ => match rate.seconds.checked_mul(2) {
                Some(seconds) => Rate { seconds, ..rate },
                None => Rate { frames: 60, seconds: 1 },
            },
        };
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(width: u32, height: u32) -> Film {
        let rate = Rate { frames: 30, seconds: 1 };
        Film { duration_ms: 60_000, width, height, rate, uneven: false, sound: true, codec: "h264".into() }
    }

    fn sizes(width: u32, height: u32) -> Vec<(String, u32, u32)> {
        ladder(&film(width, height)).into_iter().map(|rung| (rung.name, rung.width, rung.height)).collect()
    }

    fn named(expected: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        expected.iter().map(|(name, width, height)| ((*name).to_owned(), *width, *height)).collect()
    }

    #[test]
    fn every_size_up_to_the_films_own() {
        let all = [("360p", 640, 360), ("480p", 854, 480), ("720p", 1280, 720), ("1080p", 1920, 1080)];
        assert_eq!(sizes(1920, 1080), named(&all));
        assert_eq!(sizes(3840, 2160), named(&all));
        assert_eq!(sizes(1919, 1079), named(&all[..3]));
    }

    #[test]
    fn the_shorter_side_counts() {
        assert_eq!(sizes(720, 1280), named(&[("360p", 360, 640), ("480p", 480, 854), ("720p", 720, 1280)]));
        assert_eq!(sizes(480, 480), named(&[("360p", 360, 360), ("480p", 480, 480)]));
    }

    #[test]
    fn a_small_film_keeps_its_size() {
        assert_eq!(sizes(320, 240), named(&[("240p", 320, 240)]));
        assert_eq!(sizes(321, 241), named(&[("240p", 320, 240)]));
        assert_eq!(sizes(359, 641), named(&[("358p", 358, 640)]));
        assert_eq!(sizes(1, 1), named(&[("2p", 2, 2)]));
    }

    #[test]
    fn odd_sizes_become_even_and_never_larger() {
        assert_eq!(sizes(641, 361), named(&[("360p", 640, 360)]));
        for (width, height) in [(361, 361), (1001, 487), (719, 1281), (4095, 2303), (999, 16)] {
            for rung in ladder(&film(width, height)) {
                assert!(rung.width % 2 == 0 && rung.height % 2 == 0, "{rung:?}");
                assert!(rung.width <= width && rung.height <= height, "{rung:?} of {width}x{height}");
            }
        }
    }

    #[test]
    fn a_panorama_is_bounded_by_its_longer_side() {
        assert_eq!(sizes(16384, 1080), named(&[("360p", 4096, 270)]));
        assert_eq!(sizes(8192, 4096).last(), named(&[("1080p", 2160, 1080)]).last());
    }

    #[test]
    fn rates_above_sixty_are_halved() {
        let rate = |frames, seconds| ladder(&Film { rate: Rate { frames, seconds }, ..film(640, 360) })[0].rate;
        assert_eq!(rate(30000, 1001), Rate { frames: 30000, seconds: 1001 });
        assert_eq!(rate(60, 1), Rate { frames: 60, seconds: 1 });
        assert_eq!(rate(120, 1), Rate { frames: 60, seconds: 1 });
        assert_eq!(rate(75, 1), Rate { frames: 75, seconds: 2 });
        assert_eq!(rate(240, 1), Rate { frames: 60, seconds: 1 });
        assert!(rate(u32::MAX, u32::MAX / 100).per_second() <= 60.0);
        assert!(rate(u32::MAX, 0).per_second() <= 60.0);
    }

    #[test]
    fn uneven_films_get_the_next_standard_rate() {
        let rate = |frames, seconds| {
            ladder(&Film { rate: Rate { frames, seconds }, uneven: true, ..film(640, 360) })[0].rate.frames
        };
        assert_eq!([rate(7, 1), rate(2403, 100), rate(27, 1), rate(5997, 100), rate(90, 1)], [24, 24, 30, 60, 60]);
    }

    #[test]
    fn bits_follow_pixels_and_rate() {
        let rungs = ladder(&film(1920, 1080));
        assert_eq!(rungs[0].video_bits, 1_036_800);
        assert_eq!(rungs[3].video_bits, 6_220_800);
        assert!(rungs.iter().all(|rung| rung.audio_bits == 128_000));
        assert_eq!(ladder(&Film { sound: false, ..film(640, 360) })[0].audio_bits, 0);
        assert_eq!(ladder(&film(16, 16))[0].video_bits, 64_000);
    }
}
