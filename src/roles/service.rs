//! A service: the commands, reactions and work of one context.

use anyhow::Result;
use blobs::{Blobs, Key};
use nats::{Bus, Keyring};
use notification::{Address, AddressOf, Mailer};
use processing::Queue;
use projections::{GATEWAY, Reads, profile_page, user_page};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::{Bytes, Sweep};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::cli::{self, Clearing, Context, Files, Mail};
use crate::connect::Place;
use crate::orphans::Orphans;
use crate::roles::own::Process;

/// Runs one context until told to stop.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn run(args: cli::Service) -> Result<()> {
    let process = Process::begin(args.context.name(), &args.own)?;
    let Some(bus) = process.bus(args.context.name()).await? else { return Ok(()) };
    process.probes(&args.own, &bus, None).await?;
    let data = &args.own.servers.data.data;
    let blobs = blobs(&args.files, data)?;
    let mails = data.join("mail");
    let service = service(args.context, &process.place, &bus, &blobs, &args.mail, &mails, &args.public_url).await?;
    let _beside = beside(args.context, &process.place, &bus, &blobs, args.clearing, &process.stop).await?;
    work(bus, service, process.stop).await
}

/// Begins what a context does besides following messages; it ends with what this returns.
///
/// # Errors
/// Postgres is not named.
pub async fn beside(
    context: Context,
    place: &Place,
    bus: &Bus,
    blobs: &Blobs,
    clearing: Clearing,
    stop: &CancellationToken,
) -> Result<Option<DropGuard>> {
    if context != Context::Storage {
        return Ok(None);
    }
    let reads = Reads::connect(&place.database(GATEWAY)?).await?;
    let (bus, blobs, age) = (bus.clone(), blobs.clone(), Duration::from_secs(clearing.orphan_age));
    let until = stop.child_token();
    tokio::spawn(Orphans { bus, blobs, reads, age }.keep_collecting(until.clone()));
    Ok(Some(until.drop_guard()))
}

/// Does a service's work until `stop`, and ends what was begun.
///
/// # Errors
/// NATS refuses it.
pub async fn work(bus: Bus, service: kernel::Service, stop: CancellationToken) -> Result<()> {
    let worked = nats::run_service(bus.clone(), service, stop).await;
    bus.flushed_close().await;
    worked
}

impl Context {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Context::Identity => "identity",
            Context::Profile => "profile",
            Context::Storage => "storage",
            Context::Video => "video",
            Context::Processing => "processing",
            Context::Notification => "notification",
        }
    }
}

impl Mail {
    /// The mail server, when one is named: an empty variable names none.
    pub fn server(&self) -> Option<&str> {
        self.smtp_url.as_deref().filter(|url| !url.is_empty())
    }
}

/// What a context contributes. Mails go to the folder `mails` when no server for them is named.
///
/// # Errors
/// A setting about mails cannot be.
pub async fn service(
    context: Context,
    place: &Place,
    bus: &Bus,
    blobs: &Blobs,
    mail: &Mail,
    mails: &Path,
    site: &str,
) -> Result<kernel::Service> {
    Ok(match context {
        Context::Identity => identity::service(),
        Context::Profile => profile::service(),
        Context::Storage => storage::service(sweep(blobs.clone())),
        Context::Video => video::service(),
        Context::Processing => processing::service(queue(bus.clone())),
        Context::Notification => {
            let from = mail.mail_from.as_deref().filter(|from| !from.is_empty());
            let mailer = match mail.server() {
                Some(url) => Mailer::smtp(url, from, site)?,
                None => Mailer::folder(mails, from, site)?,
            };
            let reads = Reads::connect(&place.database(GATEWAY)?).await?;
            let mint = notification::from_vault(::vault::Client::new(bus.clone()));
            notification::service(mailer, mint, address_of(reads, bus.keyring().clone()))
        }
    })
}

/// Where bytes lie: in the bucket that is named, else in the platform's folder.
///
/// # Errors
/// The bucket cannot be understood, or the folder cannot be made.
pub fn blobs(files: &Files, data: &Path) -> Result<Blobs> {
    Blobs::open(files.blobs.as_deref().filter(|url| !url.is_empty()), &data.join("blobs"))
}

/// Bytes that nobody needs any more leave the store.
fn sweep(blobs: Blobs) -> Sweep {
    Arc::new(move |bytes| {
        let blobs = blobs.clone();
        Box::pin(async move {
            match bytes {
                Bytes::Upload(upload) => drop(blobs.abort(upload).await?),
                Bytes::File(file) => drop(blobs.delete(&Key::new(&format!("files/{file}"))?).await?),
                Bytes::Video(video) => drop(blobs.delete_all(&Key::new(&format!("videos/{video}"))?).await?),
                Bytes::Runs { of, version, last } => {
                    for run in 1..=last {
                        blobs.delete_all(&Key::new(&format!("videos/{of}/{version}.{run}"))?).await?;
                    }
                }
            }
            Ok(())
        })
    })
}

/// Tasks go to the queue as they are in the log.
fn queue(bus: Bus) -> Queue {
    Arc::new(move |class, event| {
        let bus = bus.clone();
        Box::pin(async move {
            let task = serde_json::to_vec(&event)?;
            bus.queue(class, event.id, task).await.map_err(|error| anyhow::anyhow!("{error}"))
        })
    })
}

/// The address is on the user's page, sealed.
fn address_of(reads: Reads, keyring: Keyring) -> AddressOf {
    Arc::new(move |person| {
        let (reads, keyring) = (reads.clone(), keyring.clone());
        Box::pin(async move { look_up(&reads, &keyring, person).await })
    })
}

async fn look_up(reads: &Reads, keyring: &Keyring, person: Uuid) -> Result<Address> {
    let Some(user) = user_page::get(reads, person).await? else { return Ok(Address::NotYet) };
    let Some(sealed) = user.email_sealed else { return Ok(Address::Nowhere) };
    let opened = keyring.open_text(&[sealed]).await?.pop().flatten();
    let Some(email) = opened else { return Ok(Address::Nowhere) };
    let handle = profile_page::get(reads, person).await?.map(|page| page.handle);
    Ok(Address::Known { email, name: user.username, handle })
}
