//! A service: the commands, reactions and work of one context.

use anyhow::Result;
use blobs::{Blobs, Key};
use nats::{Bus, Keyring};
use notification::{Address, AddressOf, Admins, Mailer, Push, PushServices, Sms, Tell, WasSent, Ways};
use processing::Queue;
use projections::{GATEWAY, Reads, delivery_page, profile_page, user_page};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::{Bytes, Sweep};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use video::Say;

use crate::cli::{self, Channels, Clearing, Context, Files, Mail};
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
    let service = service(args.context, &process.place, &bus, &blobs, &args.channels, &mails, &args.public_url).await?;
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
        given(&self.smtp_url)
    }
}

/// What a context contributes. Mails go to the folder `mails` when no server for them is named.
///
/// # Errors
/// A setting about mails, pushes or text messages cannot be.
pub async fn service(
    context: Context,
    place: &Place,
    bus: &Bus,
    blobs: &Blobs,
    ways: &Channels,
    mails: &Path,
    site: &str,
) -> Result<kernel::Service> {
    Ok(match context {
        Context::Identity => identity::service(),
        Context::Profile => profile::service(),
        Context::Storage => storage::service(sweep(blobs.clone())),
        Context::Video => video::service(say(bus.clone())),
        Context::Processing => processing::service(queue(bus.clone())),
        Context::Notification => {
            let vault = ::vault::Client::new(bus.clone());
            let (mailer, push, sms) = channels(ways, &vault, mails, site)?;
            let reads = Reads::connect(&place.database(GATEWAY)?).await?;
            let admins = admins(reads.clone());
            let ways = Ways {
                unsubscribe_at: notification::unsubscribe_by(vault.clone(), mailer.site()),
                mailer: Arc::new(mailer),
                permit: notification::permit_by(vault.clone()),
                push,
                sms,
                was_sent: was_sent(reads.clone()),
                address_of: address_of(reads, bus.keyring().clone()),
            };
            notification::service(notification::from_vault(vault), ways, tell(bus.clone()), admins)
        }
    })
}

/// The ways to people. Text messages are one only with an account for them.
///
/// # Errors
/// A setting cannot be; it is named.
fn channels(ways: &Channels, vault: &::vault::Client, mails: &Path, site: &str) -> Result<(Mailer, Push, Option<Sms>)> {
    let from = given(&ways.mail.mail_from);
    let mailer = match ways.mail.server() {
        Some(url) => Mailer::smtp(url, from, site)?,
        None => Mailer::folder(mails, from, site)?,
    };
    let services = given(&ways.push_services).map_or(Ok(PushServices::default()), PushServices::only)?;
    let contact = given(&ways.push_contact).unwrap_or(site);
    let push = Push::new(notification::push_key(vault.clone()), contact, services)?;
    let account = [&ways.twilio_sid, &ways.twilio_token, &ways.twilio_from].map(|text| given(text).unwrap_or_default());
    // half an account is a mistake, none is not
    let sms = match account {
        ["", "", ""] => None,
        [sid, token, sender] => Some(Sms::twilio(&ways.twilio_url, sid, token, sender)?),
    };
    Ok((mailer, push, sms))
}

/// An empty variable says nothing.
fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
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

/// The newest accounts with that role.
fn admins(reads: Reads) -> Admins {
    Arc::new(move || {
        let reads = reads.clone();
        Box::pin(async move {
            let wanted = user_page::Search { role: Some("admin".into()), limit: 100, ..Default::default() };
            Ok(user_page::search(&reads, &wanted).await?.into_iter().map(|admin| admin.id).collect())
        })
    })
}

/// The log of deliveries knows, a moment later.
fn was_sent(reads: Reads) -> WasSent {
    Arc::new(move |delivery| {
        let reads = reads.clone();
        Box::pin(async move { Ok(delivery_page::get(&reads, delivery).await?.is_some_and(|row| row.state == "sent")) })
    })
}

/// Gateways hand on what is said here to the sockets of a person.
fn tell(bus: Bus) -> Tell {
    let say = say(bus);
    Arc::new(move |person, said| say(&format!("rt.user.{person}"), said))
}

/// To whoever listens, by way of the gateways.
fn say(bus: Bus) -> Say {
    Arc::new(move |subject, said| bus.say(subject, said.to_string().into_bytes()))
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
