//! Canaries: what is secret or personal is in no file of Postgres or NATS, and in no log line.

use crate::world::*;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use vault::api::*;

const CANARY: &str = "Canary-9f3b-horse";
const NEW: &str = "Canary-new-7c1d-horse";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_leaves_the_vault() {
    let log = Log::default();
    let to = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || to.clone()).init();
    let mut world = World::start().await;
    world.start_identity().await;
    let person = Person::new("canary-name");
    world.client.register(&person.register(CANARY)).await.expect("an answer");
    world.open_account(&person, vec![]).await;
    let question = StartSession { agent: Some("Canary-agent".into()), ..person.start() };
    let first = tokens(world.client.start_session(&question).await.expect("an answer"));
    world.login("canary-name", "Canary-wrong-password").await;
    world.login("Canary-unknown", CANARY).await;
    let second = tokens(world.refresh(&first.refresh_token).await);
    let (user, session) = (person.id, first.session);
    let change = ChangePassword { user, session, current: CANARY.into(), new: NEW.into() };
    assert_eq!(world.client.change_password(&change).await.expect("an answer"), ChangingPassword::Changed);
    let mint =
        MintToken { user, purpose: Purpose::Reset, event: user, expires_at: clock() + chrono::TimeDelta::hours(1) };
    let minted = world.client.mint_token(&mint).await.expect("an answer").token;
    let key = world.client.keys(&Keys { persons: vec![user] }).await.expect("an answer")[&user].clone().expect("a key");
    let claim = world.client.claim_key().await.expect("an answer").key;
    until("everything is said", async || world.count("select count(*) from vault.outbox").await == 0).await;
    world.stop_vault().await;
    world.sql("checkpoint").await;

    let of = |token: &vault::Secret| token.expose().rsplit('.').next().expect("a part").to_owned();
    let mut canaries = vec![CANARY.to_owned(), NEW.into(), "Canary-".into(), "canary-name".into(), "192.0.2.7".into()];
    canaries.extend([&first, &second].into_iter().flat_map(|t| [of(&t.access_token), of(&t.refresh_token)]));
    canaries.extend([minted.expose().to_owned(), key.expose().to_owned(), claim.expose().to_owned()]);
    canaries
        .extend([PASSWORD, "the one-time secret", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="].map(str::to_owned));
    let raw_key = (0u8..32).collect::<Vec<_>>();
    for folder in [world.nats.dir().to_owned(), world.postgres.home().to_owned()] {
        search(&folder, &canaries, &raw_key);
    }
    let text = log.0.lock().expect("no panic").clone();
    assert!(!text.is_empty());
    look("the log", &text, &canaries, &raw_key);
}

fn search(folder: &Path, canaries: &[String], raw_key: &[u8]) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match std::fs::metadata(&path) {
            Ok(kind) if kind.is_dir() => search(&path, canaries, raw_key),
            Ok(kind) if kind.is_file() => {
                look(&path.display().to_string(), &std::fs::read(&path).expect("a file"), canaries, raw_key)
            }
            _ => {}
        }
    }
}

#[track_caller]
fn look(place: &str, bytes: &[u8], canaries: &[String], raw_key: &[u8]) {
    let has = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
    for canary in canaries {
        assert!(!has(canary.as_bytes()), "{place} holds {canary}");
    }
    assert!(!has(raw_key), "{place} holds the master key");
}
