//! The job of a video: find out what it is, make the lowest size so that it can be played at once, then the others in
//! one go, because decoding the source is then paid once; pictures beside.

use events::media::Rung;
use events::processing::{Class, Output, Work};

use crate::ladder::ladder;
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
    if let Some(made) = outputs.get(&name) {
        if !others.is_empty() {
            steps.push(step("rungs", Class::Normal, make(others)));
        }
        let of = match made {
            Some(Output::Renditions { renditions }) => renditions.first().map(|rendition| rendition.folder.clone()),
            _ => None,
        };
        steps.push(step("storyboard", Class::Optional, Work::Storyboard { film: film.clone(), of }));
    }
    steps
}
