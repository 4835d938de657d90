//! `Prefer: respond-async, wait=N` (RFC 7240): how long a client waits for an outcome. A preference that cannot be read
//! is ignored, as the standard wants; what was honoured is told in `Preference-Applied`.

use axum::http::HeaderValue;
use std::time::Duration;

/// A client that says nothing waits this long.
const USUAL: Duration = Duration::from_secs(5);
/// Nobody waits longer than this: proxies would cut the connection.
const LONGEST: u64 = 30;

/// How a client wants to be answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// Do not wait, answer 202.
    pub respond_async: bool,
    /// Wait so many seconds, at most 30.
    pub wait: Option<u64>,
}

impl Prefer {
    /// Reads the value of the header.
    pub fn read(text: &str) -> Self {
        let mut prefer = Prefer::default();
        for preference in text.split([',', ';']).map(str::trim) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("respond-async") => prefer.respond_async = true,
                // the first one counts (RFC 7240, 2)
                name if name.eq_ignore_ascii_case("wait") && prefer.wait.is_none() => {
                    prefer.wait = value.parse::<u64>().ok().map(|seconds| seconds.min(LONGEST));
                }
                _ => {}
            }
        }
        prefer
    }

    /// How long to wait for the outcome. `respond-async` together with `wait` means: at most that long.
    pub fn patience(self) -> Duration {
        match (self.respond_async, self.wait) {
            (_, Some(seconds)) => Duration::from_secs(seconds),
            (true, None) => Duration::ZERO,
            (false, None) => USUAL,
        }
    }

    /// What `Preference-Applied` says.
    pub(crate) fn applied(self) -> Option<HeaderValue> {
        let text = match (self.respond_async, self.wait) {
            (false, None) => return None,
            (true, None) => return Some(HeaderValue::from_static("respond-async")),
            (true, Some(seconds)) => format!("respond-async, wait={seconds}"),
            (false, Some(seconds)) => format!("wait={seconds}"),
        };
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_write() {
        let prefer = |respond_async, wait| Prefer { respond_async, wait };
        for (text, expected) in [
            ("respond-async", prefer(true, None)),
            ("wait=10", prefer(false, Some(10))),
            ("Wait = \"10\", Respond-Async", prefer(true, Some(10))),
            ("respond-async; foo=bar, wait=5, wait=9", prefer(true, Some(5))),
            ("wait=9999", prefer(false, Some(30))),
            ("wait=0", prefer(false, Some(0))),
            ("wait=soon", prefer(false, None)),
            ("wait=-1", prefer(false, None)),
            ("return=minimal", prefer(false, None)),
            ("", prefer(false, None)),
        ] {
            assert_eq!(Prefer::read(text), expected, "{text}");
        }
    }

    #[test]
    fn says_what_it_did() {
        assert_eq!(Prefer::read("wait=99").applied().expect("applied"), "wait=30");
        assert_eq!(Prefer::read("respond-async").applied().expect("applied"), "respond-async");
        assert_eq!(Prefer::read("").applied(), None);
        assert_eq!(Prefer::read("respond-async").patience(), Duration::ZERO);
        assert_eq!(Prefer::read("").patience(), Duration::from_secs(5));
    }
}
