//! With a real log: sealed events are opened on the way to rows, waiting readers are woken, the erased stay erased.

use events::Event;
use events::identity::user::Event as User;
use events::profile::Event as Profile;
use futures::FutureExt;
use nats::provision::{Plan, provision};
use nats::{Bus, Keyring, Options};
use projections::{PROJECTOR, Reads, RolePasswords, migrate, pool, profile_page, rebuild, run, user_page};
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{PAGES, message, person, registered, until};

/// A log and a database, and the keys of everybody but the erased.
struct Real {
    _nats: embedded::Nats,
    _postgres: embedded::Postgres,
    bus: Bus,
    pool: PgPool,
    reads: Reads,
    erased: Arc<Mutex<HashSet<Uuid>>>,
    sequence: u64,
}

impl Real {
    async fn new() -> Real {
        let (nats, postgres) = (embedded::Nats::scratch(), embedded::Postgres::scratch());
        let erased: Arc<Mutex<HashSet<Uuid>>> = Arc::default();
        let gone = erased.clone();
        let keyring = Keyring::local(move |people| {
            let gone = gone.lock().expect("not poisoned").clone();
            let key = move |id: Uuid| (id, (!gone.contains(&id)).then(|| [id.as_bytes()[15]; 32]));
            async move { Ok(people.into_iter().map(key).collect::<HashMap<_, _>>()) }.boxed()
        });
        let options =
            Options { url: nats.url.clone(), role: "projector".to_owned(), seed: None, sync: nats::Sync::Interval };
        let bus = Bus::connect_with(&options, keyring).await.expect("a bus");
        provision(&bus, &Plan::default()).await.expect("streams");
        let owner = pool(&postgres.url, None, 2).await.expect("an address");
        migrate(&owner, &RolePasswords::default()).await.expect("migrating");
        let projector = pool(&postgres.url, Some(PROJECTOR), 5).await.expect("an address");
        let reads =
            Reads::connect(&postgres.url).await.expect("an address").woken_by(&bus).await.expect("a subscription");
        Real { _nats: nats, _postgres: postgres, bus, pool: projector, reads, erased, sequence: 0 }
    }

    /// Puts an event into the log as its service would; answers its place.
    async fn append(&mut self, family: &str, id: Uuid, version: u64, event: impl Into<Event>) -> u64 {
        self.sequence += 1;
        let event = serde_json::to_vec(&message(id, version, self.sequence, event.into())).expect("JSON");
        let sealed = self.bus.keyring().seal(event).await.expect("the key is there");
        self.bus.say(&format!("evt.{family}.{id}"), sealed);
        until("it is stored", async || self.bus.last_sequence("EVENTS").await.is_ok_and(|last| last == self.sequence))
            .await;
        self.bus.say("wake.EVENTS", vec![]);
        self.sequence
    }

    async fn seen(&self, position: u64) -> bool {
        until("the pages are there", async || self.reads.position("profile_page").await.is_ok()).await;
        self.reads.wait_for(&PAGES, position, Duration::from_secs(20)).await.expect("the query")
    }
}

#[tokio::test]
async fn sealed_events_become_rows_and_the_erased_stay_erased() {
    let mut real = Real::new().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(real.pool.clone(), real.bus.clone(), stop.clone()));
    let ada = person(1);
    real.append("identity.user", ada, 1, registered("Ada", "ada@canary.example")).await;
    real.append(
        "identity.session",
        person(7),
        1,
        Event::Claim(events::claim::Event::Taken { kind: "x".into(), holder: ada }),
    )
    .await;
    let display_name = Some(events::Personal::new("Ada Lovelace".to_owned()));
    let position =
        real.append("profile.profile", ada, 1, Profile::Created { handle: "ada".into(), display_name }).await;
    assert!(real.seen(position).await);
    let row = user_page::get(&real.reads, ada).await.expect("the query").expect("the row");
    assert_eq!(row.username.as_deref(), Some("Ada"));
    let sealed = row.email_sealed.expect("an address");
    assert!(!sealed.contains("canary"));
    let opened = real.bus.keyring().open_text(&[sealed]).await.expect("keys");
    assert_eq!(opened, [Some("ada@canary.example".to_owned())]);
    let page = profile_page::get(&real.reads, ada).await.expect("the query").expect("the row");
    assert_eq!(page.display_name.as_deref(), Some("Ada Lovelace"));

    real.erased.lock().expect("not poisoned").insert(ada);
    real.bus.keyring().forget(ada);
    real.append("identity.user", ada, 2, User::Erased {}).await;
    let position = real.append("profile.profile", ada, 2, Profile::Erased {}).await;
    assert!(real.seen(position).await);
    let gone = async || {
        let row = user_page::get(&real.reads, ada).await.expect("the query").expect("the id stays");
        assert_eq!((row.status.as_str(), row.username, row.email_sealed), ("erased", None, None));
        assert!(profile_page::get(&real.reads, ada).await.expect("the query").is_none());
    };
    gone().await;
    let rebuilt = rebuild(&real.pool, real.bus.clone(), &PAGES).await.expect("erased people are no fault");
    assert!(rebuilt.iter().all(|one| one.position == position && one.messages == 4), "{rebuilt:?}");
    gone().await;
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn waiting_ends_when_the_row_is_there() {
    let mut real = Real::new().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(real.pool.clone(), real.bus.clone(), stop.clone()));
    assert!(real.seen(0).await);
    let mut slowest = Duration::ZERO;
    for n in 1..=20 {
        let position = real.append("identity.user", person(n), 1, registered("X", "x@example.com")).await;
        let began = tokio::time::Instant::now();
        assert!(real.reads.wait_for(&["user_page"], position, Duration::from_secs(20)).await.expect("the query"));
        slowest = slowest.max(began.elapsed());
        assert!(user_page::get(&real.reads, person(n)).await.expect("the query").is_some());
    }
    println!("slowest of 20: {slowest:?}");
    // a message that no page wants moves the position too
    let position = real.append("other.thing", person(1), 1, registered("X", "x@example.com")).await;
    assert!(real.reads.wait_for(&PAGES, position, Duration::from_secs(20)).await.expect("the query"));
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}
