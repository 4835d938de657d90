//! A service: the commands, reactions and work of one context.

use anyhow::Result;
use nats::{Bus, Keyring};
use notification::{Address, AddressOf, Mailer};
use projections::{GATEWAY, Reads, profile_page, user_page};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::{self, Context, Mail};
use crate::connect::Place;
use crate::roles::own::Process;

/// Runs one context until told to stop.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn run(args: cli::Service) -> Result<()> {
    let process = Process::begin(args.context.name(), &args.own)?;
    let Some(bus) = process.bus(args.context.name()).await? else { return Ok(()) };
    process.probes(&args.own, &bus, None).await?;
    let mails = args.own.servers.data.data.join("mail");
    let service = service(args.context, &process.place, &bus, &args.mail, &mails, &args.public_url).await?;
    work(bus, service, process.stop).await
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
    mail: &Mail,
    mails: &Path,
    site: &str,
) -> Result<kernel::Service> {
    Ok(match context {
        Context::Identity => identity::service(),
        Context::Profile => profile::service(),
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
