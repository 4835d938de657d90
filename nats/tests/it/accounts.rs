//! Every role may do what it needs and nothing else, on a server with the configuration that ships.

use crate::kit::*;
use embedded::Nats;
use nats::accounts::{ServerSettings, roles, server_config};
use nats::provision::{Plan, provision};
use nats::{Bus, Options, Sync, streams};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

struct Guarded {
    server: Nats,
    seeds: BTreeMap<String, String>,
}

impl Guarded {
    fn start() -> Self {
        let pairs: BTreeMap<_, _> =
            roles().iter().map(|role| ((*role).to_owned(), nkeys::KeyPair::new_user())).collect();
        let keys = pairs.iter().map(|(role, pair)| (role.clone(), pair.public_key())).collect();
        let settings = ServerSettings {
            listen: None,
            name: "test".into(),
            store_dir: None,
            monitor: None,
            sync: Sync::Interval,
            max_file_store: 4 << 30,
            cluster: None,
        };
        let server = Nats::scratch_with(&server_config(&keys, &settings));
        Guarded {
            server,
            seeds: pairs.iter().map(|(role, pair)| (role.clone(), pair.seed().expect("a seed"))).collect(),
        }
    }

    async fn bus(&self, role: &str) -> Bus {
        let options = Options {
            url: self.server.url.clone(),
            role: role.into(),
            seed: self.seeds.get(role).cloned(),
            sync: Sync::Interval,
        };
        Bus::connect_with(&options, Keys::default().ring()).await.expect("a connection")
    }

    async fn client(&self, role: &str) -> async_nats::Client {
        let options = async_nats::ConnectOptions::with_nkey(self.seeds[role].clone());
        let options =
            options.custom_inbox_prefix(format!("_INBOX_{role}")).request_timeout(Some(Duration::from_millis(300)));
        options.connect(&self.server.url).await.expect("a connection")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_works_with_the_least_rights() {
    let guarded = Guarded::start();
    provision(&guarded.bus("provisioner").await, &Plan { replicas: 1, log_bytes: 1 << 30 }).await.expect("made");
    let stop = tokio_util::sync::CancellationToken::new();
    tokio::spawn(nats::run_service(guarded.bus("profile").await, counter(), stop.clone()));
    let gateway = guarded.bus("gateway").await;
    let subject = Uuid::now_v7();
    let outcome = told(&gateway, &with_id(Uuid::new_v5(&subject, b"key"), subject, begin("ada"))).await;
    assert_eq!(outcome.version, 1);
    assert_eq!(told(&gateway, &command(subject, rename("grace"))).await.version, 3);
    gateway.remember(&command(subject, count())).await.expect("noted");
    eventually("the outcome", async || gateway.outcome(outcome.id).await.is_ok_and(|stored| stored.is_some())).await;
    let projector = guarded.bus("projector").await;
    for stream in [streams::EVENTS, streams::OUTCOMES] {
        let mut feed = projector.feed(stream, vec![], nats::Start::Sequence(0));
        assert!(!feed.next(10, Duration::from_secs(2)).await.expect("read").is_empty());
    }
    let operator = guarded.bus("operator").await;
    eventually("everything to be done", async || nats::drained(&operator).await.unwrap_or(false)).await;
    // no other role decides for this one, or reads its commands
    let identity = guarded.client("identity").await;
    assert!(identity.request(format!("evt.profile.profile.{subject}"), "{}".into()).await.is_err());
    assert!(identity.request("$JS.API.CONSUMER.MSG.NEXT.COMMANDS.profile", "".into()).await.is_err());
    assert!(
        guarded.client("gateway").await.request(format!("evt.profile.profile.{subject}"), "{}".into()).await.is_err()
    );
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_events_and_nothing_else() {
    let guarded = Guarded::start();
    provision(&guarded.bus("provisioner").await, &Plan { replicas: 1, log_bytes: 1 << 30 }).await.expect("made");
    let auditor = guarded.client("auditor").await;
    let info = auditor.request("$JS.API.STREAM.INFO.EVENTS", "".into()).await.expect("may read");
    assert!(String::from_utf8_lossy(&info.payload).contains("\"EVENTS\""));
    let none = auditor
        .request("$JS.API.DIRECT.GET.EVENTS", r#"{"seq":1,"batch":10,"next_by_subj":">"}"#.into())
        .await
        .expect("may read");
    assert_eq!(none.status.map(|status| status.as_u16()), Some(404));
    let forbidden = [
        "evt.identity.user.1",
        "cmd.identity.user.1",
        "ask.identity.user.1",
        "out.1",
        "dead.x",
        "sched.x.1",
        "snap.x.y.1",
        "vault.keys",
        "wake.EVENTS",
        "$JS.API.INFO",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.INFO.COMMANDS",
        "$JS.API.STREAM.INFO.ASKED",
        "$JS.API.DIRECT.GET.COMMANDS",
        "$JS.API.DIRECT.GET.OUTCOMES",
        "$JS.API.DIRECT.GET.EVENTS.evt.x",
        "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.STREAM.PURGE.EVENTS",
        "$JS.API.STREAM.DELETE.EVENTS",
        "$JS.API.STREAM.UPDATE.EVENTS",
        "$JS.API.STREAM.MSG.DELETE.EVENTS",
        "$JS.API.STREAM.SNAPSHOT.EVENTS",
        "$JS.API.CONSUMER.CREATE.EVENTS",
        "$JS.API.CONSUMER.CREATE.EVENTS.x.evt.>",
        "$JS.API.CONSUMER.LIST.EVENTS",
        "$SYS.REQ.SERVER.PING",
    ];
    let asked = forbidden.map(|subject| {
        let auditor = auditor.clone();
        async move { (subject, auditor.request(subject, "{}".into()).await) }
    });
    for (subject, answer) in futures::future::join_all(asked).await {
        assert!(answer.is_err(), "{subject}: {answer:?}");
    }
    // it hears nothing but its own inbox
    let everything = guarded.client("auditor").await;
    let mut heard = futures::future::join_all(
        ["evt.>", "cmd.>", "_INBOX_gateway.>", ">"].map(|subject| everything.subscribe(subject)),
    )
    .await;
    everything.flush().await.expect("flushed");
    let gateway = guarded.client("gateway").await;
    gateway.publish("cmd.profile.profile.1", "{}".into()).await.expect("published");
    gateway.flush().await.expect("flushed");
    for subscription in &mut heard {
        let next = futures::StreamExt::next(subscription.as_mut().expect("queued"));
        assert!(!matches!(tokio::time::timeout(Duration::from_millis(200), next).await, Ok(Some(_))));
    }
}
