//! What an operator may choose about the edge; everything else is a constant beside the code it is about.

use std::path::PathBuf;
use std::time::Duration;

/// How the gateway faces the outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where people reach this gateway, without a slash at the end: links in problems and documents begin with it.
    /// HTTPS here switches on HSTS.
    pub public_url: String,
    /// Off for load tests only.
    pub rate_limits: bool,
    /// How many proxies in front of this add to `X-Forwarded-For`; 0 means that the header is not looked at.
    pub trusted_proxies: usize,
    /// Origins whose pages may call with credentials, besides `public_url`.
    pub cors_origins: Vec<String>,
    /// Commands under way at once; more are turned away with 503 at once.
    pub commands_at_once: usize,
    /// Requests of any kind under way at once.
    pub requests_at_once: usize,
    /// Open connections at once; more wait to be accepted.
    pub connections: usize,
    /// Open sockets at once; more are turned away.
    pub sockets: usize,
    /// How long requests under way may take to end when the gateway stops.
    pub drain: Duration,
    /// How long an upload that goes on later may take.
    pub upload_patience: Duration,
    /// The folder with `hls.js`; without it only browsers that play HLS by themselves play videos.
    pub web: Option<PathBuf>,
    /// The folder with mails that were written to files, to be shown on the machine itself at `/dev/mail`.
    pub mails: Option<PathBuf>,
    /// What is running, for people.
    pub version: &'static str,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            public_url: "http://localhost:3000".to_owned(),
            rate_limits: true,
            trusted_proxies: 0,
            cors_origins: vec!["http://localhost:5173".to_owned()],
            commands_at_once: 1024,
            requests_at_once: 4096,
            connections: 16_384,
            sockets: 16_384,
            drain: Duration::from_secs(20),
            upload_patience: Duration::from_secs(24 * 60 * 60),
            web: None,
            mails: None,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
