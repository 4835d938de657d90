//! Flags that several roles share, in groups of what they are about.

use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use vault::Argon;

/// Where a platform of its own keeps everything.
#[derive(Args, Clone, Debug)]
pub struct Data {
    /// Folder of the platform: its keys, its log, its rows
    #[arg(long, env = "REPRISE_DATA", default_value = ".reprise", value_name = "DIR")]
    pub data: PathBuf,
}

/// When an acknowledged message is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sync {
    /// Before it is acknowledged
    Always,
    /// Within two minutes: a crash of the machine loses what was acknowledged since
    Interval,
}

/// Where NATS and Postgres are, and as whom to come there.
#[derive(Args, Clone, Debug)]
pub struct Servers {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub data: Data,
    /// NATS, several addresses separated by commas; without it that of the `up` running on --data
    #[arg(long, env = "NATS_URL", value_name = "URL")]
    pub nats_url: Option<String>,
    /// Postgres; without it that of the `up` running on --data
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The nkey seed to show to NATS
    #[arg(long, env = "REPRISE_NKEY", value_name = "SEED", hide_env_values = true)]
    pub nkey: Option<String>,
    /// Folder with the nkey seed of each role, <role>.seed
    #[arg(long, env = "REPRISE_KEYS_DIR", value_name = "DIR")]
    pub keys_dir: Option<PathBuf>,
    /// What the NATS server was configured to do
    #[arg(long, env = "REPRISE_SYNC", value_enum, default_value_t = Sync::Always)]
    pub sync: Sync,
}

/// A small listener for probes and metrics, in roles that are not the gateway.
#[derive(Args, Clone, Debug)]
pub struct Ops {
    /// Serve /livez, /readyz, /health and /metrics here
    #[arg(long = "listen", env = "REPRISE_OPS_LISTEN", value_name = "ADDR")]
    pub ops_listen: Option<SocketAddr>,
}

/// The servers, and the small listener.
#[derive(Args, Clone, Debug)]
pub struct Own {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub ops: Ops,
}

/// How the edge faces the outside.
#[derive(Args, Clone, Debug)]
pub struct Edge {
    /// Where to listen for HTTP
    #[arg(long, env = "REPRISE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDR")]
    pub listen: String,
    /// Where people reach it from outside; links begin with it
    #[arg(long, env = "REPRISE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Limits on how often one address or account may ask; off only for load tests
    #[arg(long, env = "REPRISE_RATE_LIMITS", value_enum, default_value_t = Switch::On)]
    pub rate_limits: Switch,
    /// Origins whose pages may call with credentials, separated by commas
    #[arg(long, env = "REPRISE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// How many proxies in front add to X-Forwarded-For
    #[arg(long, env = "REPRISE_TRUSTED_PROXIES", default_value_t = 0, value_name = "N")]
    pub trusted_proxies: usize,
    /// An upload that is not finished after so long is given up; 86400 is a day
    #[arg(long, env = "REPRISE_UPLOAD_PATIENCE", default_value_t = 86_400, value_name = "SECONDS")]
    pub upload_patience: u32,
}

/// Where the bytes of files lie.
#[derive(Args, Clone, Debug)]
pub struct Files {
    /// An S3 bucket, s3://bucket/prefix?endpoint=https://…&region=…, with the usual AWS_* credentials; without one a folder
    #[arg(long, env = "REPRISE_BLOBS", value_name = "URL", hide_env_values = true)]
    pub blobs: Option<String>,
}

/// What is cleared away.
#[derive(Args, Clone, Copy, Debug)]
pub struct Clearing {
    /// Bytes of files that nothing knows of are removed when they are so old; 86400 is a day
    #[arg(long, env = "REPRISE_ORPHAN_AGE", default_value_t = 86_400, value_name = "SECONDS")]
    pub orphan_age: u64,
}

/// How mails leave.
#[derive(Args, Clone, Debug)]
pub struct Mail {
    /// Mail server, smtp://[user:password@]host[:port][?tls=required] or smtps://…; without one mails are files
    #[arg(long, env = "REPRISE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<String>,
    /// Sender of mails, like "Reprise <mail@example.org>"
    #[arg(long, env = "REPRISE_MAIL_FROM", value_name = "MAILBOX")]
    pub mail_from: Option<String>,
}

/// How people are reached.
#[derive(Args, Clone, Debug)]
pub struct Channels {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub mail: Mail,
    /// Account at Twilio, AC…; without one there are no text messages
    #[arg(long, env = "REPRISE_TWILIO_SID", value_name = "SID")]
    pub twilio_sid: Option<String>,
    /// The account's token
    #[arg(long, env = "REPRISE_TWILIO_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub twilio_token: Option<String>,
    /// Sender of text messages: a number like +15017122661, a messaging service MG…, or a name
    #[arg(long, env = "REPRISE_TWILIO_FROM", value_name = "SENDER")]
    pub twilio_from: Option<String>,
    /// Where Twilio's API is
    #[arg(long, env = "REPRISE_TWILIO_URL", default_value = "https://api.twilio.com", value_name = "URL")]
    pub twilio_url: String,
    /// Whom push services write to when something is wrong, mailto:… or a web address; without one the platform's address
    #[arg(long, env = "REPRISE_PUSH_CONTACT", value_name = "URL")]
    pub push_contact: Option<String>,
    /// Push services that may be spoken to, like push.example,*.push.example; without it those of the browsers
    #[arg(long, env = "REPRISE_PUSH_SERVICES", value_name = "HOSTS")]
    pub push_services: Option<String>,
}

/// What the vault is told.
#[derive(Args, Clone, Debug)]
pub struct Secrets {
    /// File with the master key: 32 bytes in base64
    #[arg(long, env = "REPRISE_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The master key itself; prefer the file
    #[arg(long, env = "REPRISE_MASTER_KEY", value_name = "BASE64", hide_env_values = true)]
    pub master_key: Option<String>,
    /// The one-time secret with which the first admin registers
    #[arg(long, env = "REPRISE_BOOTSTRAP_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub bootstrap_secret: Option<String>,
    /// Which passwords are accepted: strict also refuses common ones and names, basic wants 8 characters
    #[arg(long, env = "REPRISE_PASSWORD_POLICY", value_enum, default_value_t = PasswordPolicy::Strict)]
    pub password_policy: PasswordPolicy,
    /// What a guess at a stolen password hash costs: argon2id's KiB of memory, passes, lanes; older hashes follow at sign-in
    #[arg(long, env = "REPRISE_ARGON2", default_value_t = Argon::default(), value_name = "PARAMETERS")]
    pub argon2: Argon,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// Which passwords are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PasswordPolicy {
    /// Long enough, not common, not a name
    Strict,
    /// 8 characters
    Basic,
}

/// Which context a service is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Context {
    /// Accounts and sessions
    Identity,
    /// What people show of themselves
    Profile,
    /// Files
    Storage,
    /// Videos
    Video,
    /// The work on videos
    Processing,
    /// Mails, pushes and text messages
    Notification,
}
