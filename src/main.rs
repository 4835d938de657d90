//! Reads the command line and becomes one of the roles.

use clap::Parser;
use reprise::cli::{Cli, Projection, Role};
use reprise::roles;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(run(cli.role));
            // what still waits in a thread of its own must not keep us
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            outcome
        }
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("reprise: {text}");
            if text.contains("No space left on device") {
                eprintln!("  the disk is full: make room, or choose a folder on another one with --data");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(role: Role) -> anyhow::Result<ExitCode> {
    match role {
        Role::Up(args) => roles::up::run(*args).await?,
        Role::Gateway(args) => roles::gateway::run(*args).await?,
        Role::Service(args) => roles::service::run(*args).await?,
        Role::Worker(args) => roles::worker::run(*args).await?,
        Role::Projector(args) => roles::projector::run(args).await?,
        Role::Vault(args) => roles::vault::run(*args).await?,
        Role::Provision(args) => roles::provision::run(args).await?,
        Role::Migrate(args) => roles::migrate::run(args).await?,
        Role::Doctor(args) => return roles::doctor::run(args).await,
        Role::Demo(args) => return roles::demo::run(args).await,
        Role::Env(args) => roles::env::run(args)?,
        Role::Keys => roles::keys::run()?,
        Role::Probe { url } => roles::probe::run(url).await?,
        Role::Projection(Projection::Ls { servers, json }) => roles::projection::ls(servers, json).await?,
        Role::Projection(Projection::Rebuild { name, servers }) => roles::projection::rebuild(name, servers).await?,
    }
    Ok(ExitCode::SUCCESS)
}
