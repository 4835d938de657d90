//! The benchmark: `reprise-bench run` measures the platform beside a plain service, `reprise-bench baseline` is that service.
//! A figure is a ratio of two things measured in turns in one run; absolute numbers stand beside it.

mod baseline;
mod children;
mod histogram;
mod http;
mod load;
mod platform;

use clap::Parser;

/// Measures Reprise.
#[derive(Parser)]
enum Role {
    /// The plain axum + sqlx service to compare with; started by `run`.
    Baseline(baseline::Options),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Role::parse() {
        Role::Baseline(options) => baseline::serve(options).await,
    }
}
