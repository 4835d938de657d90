//! Everything in one process: a NATS and a Postgres of its own as children, and every role beside each other, each
//! with its own connection and rights; they share what need not leave the process (decision 0019).

mod servers;

use ::vault::MasterKey;
use anyhow::{Result, ensure};
use projections::{GATEWAY, PROJECTOR, READER, Reads, RolePasswords, VAULT, user_page};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Context as Service, Sync};
use crate::connect::{OWNER, Place, shown};
use crate::data::{Folder, Held, Running, word};
use crate::observe::{self, Observed};
use crate::roles::page::Page;
use crate::roles::{gateway, migrate, projector, provision, service, vault, worker};
use crate::supervise::{self, keep};
use servers::Servers;

/// How long the whole may take to be ready before something must be wrong.
const READY: Duration = Duration::from_secs(60);
/// How long roles may take to end what they began.
const DRAIN: Duration = Duration::from_secs(8);
/// The same for requests under way.
const DRAIN_HTTP: Duration = Duration::from_secs(12);

/// Runs everything until told to stop.
///
/// # Errors
/// Something is missing, in use or not allowed: what, where, and what to do.
pub async fn run(args: cli::Up) -> Result<()> {
    let began = Instant::now();
    let observed = observe::begin("up")?;
    let stop = supervise::stop_on_signal()?;
    refuse_read_only(args.servers.database_url.as_deref())?;
    let held = Folder::hold(&args.servers.data.data)?;
    let listener = gateway::listen(&args.edge.listen).await?;
    let (servers, place) = tokio::select! {
        started = servers::start(&args, &held.folder) => started?,
        () = stop.cancelled() => return Ok(()),
    };
    let ready = tokio::select! {
        ready = prepare(&args, &place) => ready,
        () = stop.cancelled() => Ok(()),
    };
    let served = match ready {
        Ok(()) => serve(&args, &held, &servers, &place, listener, &observed, stop, began).await,
        Err(error) => Err(error),
    };
    held.gone();
    // stopping a server waits for its process
    tokio::task::spawn_blocking(move || drop(servers)).await?;
    tracing::info!("stopped");
    served
}

/// After `eval "$(reprise env)"` the shell names a database that nobody can write to.
fn refuse_read_only(database_url: Option<&str>) -> Result<()> {
    let reader = database_url.is_some_and(|url| url.contains(READER));
    ensure!(
        !reader,
        "DATABASE_URL is the read-only address that `reprise env` prints; `up` would use it instead of a Postgres of its own\n  \
         unset DATABASE_URL and NATS_URL in this shell"
    );
    Ok(())
}

/// Streams, consumers, schemas, tables, roles.
async fn prepare(args: &cli::Up, place: &Place) -> Result<()> {
    let password = |role: &str| -> Option<String> {
        let url = place.database(role).ok()?;
        // only with a Postgres of its own does each role come with its own password
        args.servers.database_url.is_none().then(|| url.split([':', '@']).nth(2).map(str::to_owned))?
    };
    let passwords = RolePasswords {
        projector: password(PROJECTOR),
        gateway: password(GATEWAY),
        vault: password(VAULT),
        reader: password(READER),
    };
    let owner = place.database(OWNER)?;
    let (_, report) = tokio::try_join!(migrate::make(&owner, &passwords), provision::make(place, args.replicas))?;
    for name in report.made {
        tracing::info!(name, "made");
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the parts of the one process meet here and nowhere else")]
async fn serve(
    args: &cli::Up,
    held: &Held,
    servers: &Servers,
    place: &Place,
    listener: TcpListener,
    observed: &Observed,
    stop: CancellationToken,
    began: Instant,
) -> Result<()> {
    let mut args = args.clone();
    let folder = &held.folder;
    let secret = folder.secret("bootstrap.secret", word)?;
    args.secrets.bootstrap_secret.get_or_insert_with(|| secret.clone());
    let master = match vault::master(&args.secrets)? {
        Some(given) => given,
        None => {
            MasterKey::from_base64(&folder.secret("master.key", || Ok(MasterKey::generate().expose().to_owned()))?)?
        }
    };
    let place = &vault::with_keys(place.clone(), &master).await?;
    let behind = CancellationToken::new();
    let mut roles = start_roles(&args, folder, place, master, &behind).await?;
    let address = listener.local_addr()?;
    let blobs = service::blobs(&args.files, folder.path("").as_path())?;
    let files = args.channels.mail.server().is_none().then(|| held.folder.path("mail"));
    let config = ::gateway::Config { mails: files, ..gateway::config(&args.edge) };
    let edge = gateway::serve(place, config, blobs, listener, observed.metrics.clone(), stop.clone());
    let announce = announce(&args, held, servers, place, address, began);
    tokio::pin!(edge);
    let served = tokio::select! {
        served = &mut edge => served,
        announced = announce => match announced {
            Ok(()) => drain(&mut edge, &stop).await,
            Err(error) => { stop.cancel(); Err(error) }
        },
    };
    stop.cancel();
    behind.cancel();
    let drained = tokio::time::timeout(DRAIN, async { while roles.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("some roles did not end in time");
        roles.abort_all();
    }
    served
}

/// Serves on until told to stop, and then not for ever.
async fn drain(edge: impl Future<Output = Result<()>>, stop: &CancellationToken) -> Result<()> {
    tokio::pin!(edge);
    tokio::select! {
        served = &mut edge => return served,
        () = stop.cancelled() => {}
    }
    tokio::time::timeout(DRAIN_HTTP, edge).await.unwrap_or_else(|_| {
        tracing::warn!("some requests did not end in time");
        Ok(())
    })
}

/// Every role but the gateway, each starting again by itself when it fails.
async fn start_roles(
    args: &cli::Up,
    folder: &Folder,
    place: &Place,
    master: MasterKey,
    stop: &CancellationToken,
) -> Result<JoinSet<()>> {
    let mut roles = JoinSet::new();
    let config = vault::config(master, &args.secrets, args.edge.rate_limits);
    let (at, until) = (place.clone(), stop.clone());
    roles.spawn(keep("vault", stop.clone(), move || {
        let (at, config, until) = (at.clone(), config.clone(), until.clone());
        async move {
            let (pool, bus) = vault::connect(&at, &config).await?;
            vault::work(pool, bus, config, until).await
        }
    }));
    let (at, until) = (place.clone(), stop.clone());
    roles.spawn(keep("projector", stop.clone(), move || {
        let (at, until) = (at.clone(), until.clone());
        async move { projector::work(projector::connect(&at).await?, at.bus("projector").await?, until).await }
    }));
    let blobs = service::blobs(&args.files, folder.path("").as_path())?;
    let (at, until, workshop) = (place.clone(), stop.clone(), (blobs.clone(), folder.path("scratch")));
    roles.spawn(keep("worker", stop.clone(), move || {
        let (at, until, (blobs, scratch)) = (at.clone(), until.clone(), workshop.clone());
        async move { worker::work(at.bus("worker").await?, blobs, scratch, until).await }
    }));
    let all = [
        Service::Identity,
        Service::Profile,
        Service::Storage,
        Service::Video,
        Service::Processing,
        Service::Notification,
    ];
    for context in all {
        let (at, until, ways, blobs) = (place.clone(), stop.clone(), args.channels.clone(), blobs.clone());
        let (mails, site) = (folder.path("mail"), gateway::public_url(&args.edge));
        let clearing = args.clearing;
        roles.spawn(keep(context.name(), stop.clone(), move || {
            let (at, until, ways, mails, site) = (at.clone(), until.clone(), ways.clone(), mails.clone(), site.clone());
            let blobs = blobs.clone();
            async move {
                let bus = at.bus(context.name()).await?;
                let service = service::service(context, &at, &bus, &blobs, &ways, &mails, &site).await?;
                let _beside = service::beside(context, &at, &bus, &blobs, clearing, &until).await?;
                service::work(bus, service, until).await
            }
        }));
    }
    Ok(roles)
}

/// Waits until commands can be taken and reads are fresh; then says how everything is reached.
async fn announce(
    args: &cli::Up,
    held: &Held,
    servers: &Servers,
    place: &Place,
    address: std::net::SocketAddr,
    began: Instant,
) -> Result<()> {
    // what listens on every address is asked on this machine's own
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    let host = if address.is_ipv6() && host.contains(':') { format!("[{host}]") } else { host };
    let local = format!("http://{host}:{}", address.port());
    let running = Running {
        url: local.clone(),
        nats_url: place.nats_url.clone(),
        databases: servers.databases.clone(),
        auditor: servers.auditor.clone(),
        sync: if args.servers.sync == Sync::Interval { "interval" } else { "always" }.into(),
    };
    // before anybody can hear that it is ready: scripts ask for `env` as soon as they do
    held.announce(&running)?;
    wait_ready(&local).await?;
    let secret = unused_secret(&held.folder, place).await;
    let mails = mails(args, &gateway::public_url(&args.edge), &held.folder.path("mail"));
    let page = Page {
        url: &gateway::public_url(&args.edge),
        data: &args.servers.data.data,
        nats_url: &shown(&place.nats_url),
        postgres: &shown(&running.databases[READER]),
        postgres_home: servers.postgres_home.as_deref(),
        mails: &mails,
        secret: secret.as_deref(),
        interval: args.servers.sync == Sync::Interval,
        took: began.elapsed().as_secs_f64(),
    };
    println!("{}", page.text());
    // from here on there is only serving
    std::future::pending().await
}

async fn wait_ready(url: &str) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
    let deadline = Instant::now() + READY;
    let mut said = String::from("no answer");
    while Instant::now() < deadline {
        match client.get(format!("{url}/readyz")).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => said = answer.text().await.unwrap_or_default(),
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tracing::warn!(readyz = said, "not ready after a minute, still trying");
    Ok(())
}

/// The one-time secret, while there is no admin.
async fn unused_secret(folder: &Folder, place: &Place) -> Option<String> {
    let reads = Reads::connect(&place.database(GATEWAY).ok()?).await.ok()?;
    let admins = user_page::Search { role: Some("admin".into()), limit: 1, ..Default::default() };
    let none = user_page::search(&reads, &admins).await.is_ok_and(|admins| admins.is_empty());
    none.then(|| folder.secret("bootstrap.secret", word).ok())?
}

fn mails(args: &cli::Up, site: &str, folder: &Path) -> String {
    match args.channels.mail.server() {
        Some(url) => format!("sent over {}", shown(url)),
        None => format!("{site}/dev/mail, from {}/*.eml (REPRISE_SMTP_URL sends them)", folder.display()),
    }
}
