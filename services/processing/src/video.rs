//! The job of a video: find out what it is, make the lowest size so that it can be played at once, then the others in
//! one go, because decoding the source is then paid once; pictures beside.

use events::media::{Film, Rung};
use events::processing::{Class, Output, Work};

use crate::plan::{Outputs, Step};

pub(crate) const PROBE: &str = "probe";

/// What can be done, given what is there.
pub(crate) fn steps(outputs: &Outputs) -> Vec<Step> {
    let step = |name: &str, class, work| Step { name: name.to_owned(), class, work };
    let mut steps = vec![step(PROBE, Class::Required, Work::Probe {})];
    let Some(Some(Output::Film { film })) = outputs.get(PROBE) else { return steps };
    let rungs = ladder(film);
    let Some((first, others)) = rungs.split_first() else { return steps };
    let name = format!("rung-{}", first.name);
    let make = |rungs: &[Rung]| Work::Rungs { film: film.clone(), rungs: rungs.to_vec() };
    steps.push(step(&name, Class::Required, make(std::slice::from_ref(first))));
    steps.push(step("thumbnail", Class::Required, Work::Thumbnail { film: film.clone() }));
    if outputs.contains_key(&name) {
        if !others.is_empty() {
            steps.push(step("rungs", Class::Normal, make(others)));
        }
        steps.push(step("storyboard", Class::Optional, Work::Storyboard { film: film.clone() }));
    }
    steps
}

/// The sizes that make sense for a film, the lowest first: by the shorter side, so that portrait films get the same, and
/// never larger than the film is.
pub(crate) fn ladder(film: &Film) -> Vec<Rung> {
    let short = film.width.min(film.height);
    let known = [(360, 0.15), (480, 0.12), (720, 0.11), (1080, 0.10)];
    let fitting: Vec<_> = known.into_iter().filter(|(side, _)| *side <= short).collect();
    let sides = if fitting.is_empty() { vec![(short, 0.15)] } else { fitting };
    sides.into_iter().map(|(side, bits_per_pixel)| rung(film, side, bits_per_pixel)).collect()
}

fn rung(film: &Film, side: u32, bits_per_pixel: f64) -> Rung {
    let even = |pixels: f64| ((pixels / 2.0).round() as u32 * 2).max(2);
    let (width, height) = (f64::from(film.width), f64::from(film.height));
    let scale = f64::from(side) / width.min(height);
    let (width, height) = (even(width * scale), even(height * scale));
    let mut rate = film.rate;
    while rate.per_second() > 60.0 {
        rate.seconds *= 2;
    }
    let bits = f64::from(width) * f64::from(height) * rate.per_second() * bits_per_pixel;
    let audio_bits = if film.sound { 128_000 } else { 0 };
    Rung { name: format!("{side}p"), width, height, rate, video_bits: bits.max(64_000.0) as u32, audio_bits }
}
