//! What can be said on the command line. Every flag has an environment name, so that the same words serve people,
//! containers and scripts.

mod flags;

pub use flags::*;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const AFTER: &str = "\
Begin with:  reprise up            everything on this machine, with a NATS and a Postgres of its own
Then:        reprise demo          watch one registration go from request to row
             eval \"$(reprise env | sed 's/^/export /')\"   addresses and read-only keys for your own tools

Each role can be a process of its own, as often as you like, against NATS_URL and DATABASE_URL.
Logs: REPRISE_LOG or RUST_LOG (info, debug, nats=trace …). Traces: OTEL_EXPORTER_OTLP_ENDPOINT.";

/// Everything asked is a command, everything that happened is an event, and every row can be rebuilt from the log.
#[derive(Debug, Parser)]
#[command(name = "reprise", version, after_help = AFTER, disable_help_subcommand = true)]
pub struct Cli {
    /// What this process is.
    #[command(subcommand)]
    pub role: Role,
}

/// The roles of the one binary.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Run everything in this process
    Up(Box<Up>),
    /// Turn HTTP into commands, and rows into HTTP
    Gateway(Box<Gateway>),
    /// Decide the commands of one context, and do its reactions and work
    Service(Box<Service>),
    /// Make of files what people watch, with ffmpeg; as many as you like
    Worker(Box<Worker>),
    /// Turn events into rows
    Projector(Own),
    /// Keep what must never be in the log: passwords, sessions, keys of persons
    Vault(Box<Vault>),
    /// Make streams and consumers in NATS; refuses to change what exists in ways that lose something
    Provision(Provision),
    /// Make schemas, tables and roles in Postgres
    Migrate(Migrate),
    /// Say what is wrong, and how to mend it
    Doctor(Doctor),
    /// Register somebody, and show from the log what follows
    Demo(Demo),
    /// Print addresses and read-only keys of a running `up`, for eval
    Env(Data),
    /// Make new secrets for a platform in parts, as a .env file
    Keys,
    /// Ask a /readyz; the exit code tells
    Probe {
        /// What to ask
        #[arg(default_value = "http://127.0.0.1:3000/readyz")]
        url: String,
    },
    /// Look after what is remembered
    #[command(subcommand)]
    Projection(Projection),
}

/// `reprise up`.
#[derive(Args, Clone, Debug)]
pub struct Up {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub edge: Edge,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub channels: Channels,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub files: Files,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub clearing: Clearing,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub secrets: Secrets,
    /// Copies that NATS keeps of everything
    #[arg(long, env = "REPRISE_REPLICAS", default_value_t = 1, value_name = "N")]
    pub replicas: usize,
}

/// `reprise gateway`.
#[derive(Args, Clone, Debug)]
pub struct Gateway {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub files: Files,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub edge: Edge,
}

/// `reprise service`.
#[derive(Args, Clone, Debug)]
pub struct Service {
    /// Which context
    #[arg(value_enum)]
    pub context: Context,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub own: Own,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub channels: Channels,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub files: Files,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub clearing: Clearing,
    /// Where people reach the platform from outside; links in mails begin with it
    #[arg(long, env = "REPRISE_PUBLIC_URL", default_value = "http://localhost:3000", value_name = "URL")]
    pub public_url: String,
}

/// `reprise worker`.
#[derive(Args, Clone, Debug)]
pub struct Worker {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub own: Own,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub files: Files,
    /// Folder for what is under way; without it one inside --data
    #[arg(long, env = "REPRISE_SCRATCH", value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

/// `reprise vault`.
#[derive(Args, Clone, Debug)]
pub struct Vault {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub own: Own,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub secrets: Secrets,
    /// Slow down who tries passwords; off only for load tests
    #[arg(long, env = "REPRISE_RATE_LIMITS", value_enum, default_value_t = Switch::On)]
    pub rate_limits: Switch,
}

/// `reprise provision`.
#[derive(Args, Clone, Debug)]
pub struct Provision {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    /// Copies that NATS keeps of everything
    #[arg(long, env = "REPRISE_REPLICAS", default_value_t = 1, value_name = "N")]
    pub replicas: usize,
}

/// `reprise migrate`.
#[derive(Args, Clone, Debug)]
pub struct Migrate {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    /// Let the role of gateways sign in with this password; without one only the owner can become it
    #[arg(long, env = "REPRISE_GATEWAY_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub gateway_password: Option<String>,
    /// The same for the projector
    #[arg(long, env = "REPRISE_PROJECTOR_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub projector_password: Option<String>,
    /// The same for the vault
    #[arg(long, env = "REPRISE_VAULT_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub vault_password: Option<String>,
    /// The same for people who look
    #[arg(long, env = "REPRISE_READER_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub reader_password: Option<String>,
}

/// `reprise doctor`.
#[derive(Args, Clone, Debug)]
pub struct Doctor {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub servers: Servers,
    /// Copies that NATS should keep of everything
    #[arg(long, env = "REPRISE_REPLICAS", default_value_t = 1, value_name = "N")]
    pub replicas: usize,
    /// As JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `reprise demo`.
#[derive(Args, Clone, Debug)]
pub struct Demo {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as the description of the command")]
    pub data: Data,
    /// On a platform of its own, which is gone afterwards
    #[arg(long)]
    pub scratch: bool,
    /// The platform; without it that of the `up` running on --data
    #[arg(long, env = "REPRISE_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Its NATS
    #[arg(long, env = "NATS_URL", value_name = "URL")]
    pub nats_url: Option<String>,
    /// The auditor's nkey seed
    #[arg(long, env = "NATS_NKEY", value_name = "SEED", hide_env_values = true)]
    pub nats_nkey: Option<String>,
    /// Its Postgres, read-only
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// `reprise projection`.
#[derive(Debug, Subcommand)]
pub enum Projection {
    /// List what is remembered, and how far behind the log it is
    Ls {
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the description of the command")]
        servers: Servers,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Build one anew beside the live one, from the whole log, and take its place
    Rebuild {
        /// Which: a name, several separated by commas to read the log once, or all
        name: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "clap would show it as the description of the command")]
        servers: Servers,
    },
}
