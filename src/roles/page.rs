//! The page that `up` prints once it is ready: all that somebody needs who sees this for the first time.

use std::fmt::Write;
use std::path::Path;

/// What the page says.
pub struct Page<'a> {
    /// Where people reach it.
    pub url: &'a str,
    /// The data folder.
    pub data: &'a Path,
    /// NATS, without a password.
    pub nats_url: &'a str,
    /// Where Postgres listens.
    pub postgres: &'a str,
    /// Where Postgres keeps its data, when that is not in the data folder.
    pub postgres_home: Option<&'a Path>,
    /// Where mails go.
    pub mails: &'a str,
    /// The one-time secret, while nobody has used it.
    pub secret: Option<&'a str>,
    /// Whether acknowledged messages may be lost.
    pub interval: bool,
    /// Seconds from the start until now.
    pub took: f64,
}

impl Page<'_> {
    /// The page as text.
    pub fn text(&self) -> String {
        let mut page = String::new();
        let mut line = |name: &str, value: &str| writeln!(page, "  {name:<10} {value}").expect("writing to a text");
        line("Address", self.url);
        line("API", &format!("{0}/docs (OpenAPI at {0}/openapi.json)", self.url));
        line("Log", &format!("{}, streams EVENTS, COMMANDS, ASKED and OUTCOMES", self.nats_url));
        line("Rows", &format!("Postgres at {}", self.postgres));
        line("Mails", self.mails);
        line("Data", &self.data.display().to_string());
        if let Some(home) = self.postgres_home {
            line(
                "",
                &format!("(Postgres does not run as root and cannot enter there: its data is in {})", home.display()),
            );
        }
        let data = self.data.display();
        let mut text = format!("\n  Reprise is ready after {:.1} s\n\n{page}\n", self.took);
        if let Some(secret) = self.secret {
            text += &format!(
                "  The first admin registers with this one-time secret:\n    {secret}\n    curl {}/api/auth/register-admin -H 'content-type: application/json' \\\n      -d '{{\"username\": \"root\", \"password\": \"…\", \"bootstrap_secret\": \"{secret}\"}}'\n\n",
                self.url
            );
        }
        text += &format!(
            "  Look inside  reprise demo --data {data}\n               eval \"$(reprise env --data {data} | sed 's/^/export /')\" && psql \"$DATABASE_URL\"\n  Stop         Ctrl-C\n"
        );
        if self.interval {
            text += "\n  CAREFUL: --sync interval. An acknowledged command can be lost for up to two minutes when this machine\n  crashes or loses power. Good for trying things; --sync always loses nothing.\n";
        }
        text
    }
}
