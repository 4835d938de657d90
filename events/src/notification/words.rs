//! What a notice says in a line, in a few words, and where it leads: the same in the inbox, on a telephone, in a browser.

use crate::Personal;
use crate::notification::inbox::What;

/// What a notice says. Nothing is left of one about somebody who is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Which kind it is, for programs.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// A few words, plain text.
    pub text: String,
    /// Where it leads: an address, or a path of the site.
    pub link: Option<String>,
}

impl Words {
    /// The words for it.
    pub fn of(what: &What) -> Option<Words> {
        Some(match what {
            What::VideoReady { video, title } => Words {
                kind: "video_ready",
                title: "Your video is ready".to_owned(),
                text: format!("“{}” can be watched, in every size.", title.open()?),
                link: Some(format!("/watch/{video}")),
            },
            What::VideoFailed { video, title, message } => Words {
                kind: "video_failed",
                title: "Your video could not be prepared".to_owned(),
                text: format!("“{}”: {message}.", title.open()?),
                link: Some(format!("/watch/{video}")),
            },
            What::Message { title, text, link, .. } => {
                Words { kind: "message", title: title.open()?.clone(), text: text.open()?.clone(), link: link.clone() }
            }
        })
    }

    /// Where it leads, as an address.
    pub fn address(&self, site: &str) -> Option<String> {
        let link = self.link.as_ref()?;
        Some(if link.starts_with('/') { format!("{site}{link}") } else { link.clone() })
    }
}

impl What {
    /// The HTML of a message that has some.
    pub fn html(&self) -> Option<&str> {
        match self {
            What::Message { html, .. } => html.as_ref().and_then(Personal::open).map(String::as_str),
            What::VideoReady { .. } | What::VideoFailed { .. } => None,
        }
    }
}
