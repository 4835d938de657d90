//! The texts of messages: whether one is fit to be kept, and what it says with somebody's data in it. Pure, so that the
//! rules of templates and whoever sends have one idea of both.

mod built_in;
mod check;
mod grammar;
mod render;

pub use built_in::{KEYS, built_in};
pub use check::{Unfit, check, is_key};
pub use render::{Fault, Rendered, nearest, render, render_text};

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

/// So many steps a text may take; one with a hundred variables takes some hundreds.
const FUEL: u64 = 100_000;

/// Where all texts are read and filled: markup escapes, and what is not there is an error instead of a gap. It knows the
/// filters of [`grammar::FILTERS`] and nothing else, because a text is to show, not to compute.
fn environment() -> Environment<'static> {
    use minijinja::filters;
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|name| if name == "html" { AutoEscape::Html } else { AutoEscape::None });
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(50);
    env.add_filter("upper", filters::upper);
    env.add_filter("lower", filters::lower);
    env.add_filter("title", filters::title);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("trim", filters::trim);
    env.add_filter("length", filters::length);
    env.add_filter("default", |value: Value, other: Value| match value.as_str() {
        Some("") => other,
        _ if value.is_undefined() || value.is_none() => other,
        _ => value,
    });
    env
}

/// What went wrong, and in which line.
fn explain(error: &minijinja::Error) -> String {
    let what = match (error.kind(), error.detail()) {
        (ErrorKind::WriteFailure, _) => "it becomes too long".to_owned(),
        (ErrorKind::OutOfFuel, _) => "it takes too many steps".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    match error.line() {
        Some(line) => format!("{what}, in line {line}"),
        None => what,
    }
}
