//! The benchmark: `reprise-bench run` measures the platform beside a plain service, `reprise-bench baseline` is that service.
//! A figure is a ratio of two things measured in turns in one run; absolute numbers stand beside it.

mod baseline;
mod children;
mod clip;
mod figures;
mod fill;
mod histogram;
mod http;
mod load;
mod machine;
mod mailbox;
mod nginx;
mod people;
mod platform;
mod ready;
mod results;
mod rounds;
mod run;
mod sending;
mod socket;
#[cfg(test)]
mod tests;

use clap::{Parser, Subcommand};

/// Measures Reprise beside a plain service on the same Postgres; without a command, everything.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    run: run::Options,
}

#[derive(Subcommand)]
enum Role {
    /// Measures, prints a table and writes target/bench/results.json.
    Run(run::Options),
    /// Sends load to a platform that runs already.
    Load(load::Options),
    /// The plain axum + sqlx service to compare with; started by `run`.
    Baseline(baseline::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { role, run } = Arguments::parse();
    match role.unwrap_or(Role::Run(run)) {
        Role::Run(options) => run::run(options).await,
        Role::Load(options) => load::alone(options).await,
        Role::Baseline(options) => baseline::serve(options).await,
    }
}
