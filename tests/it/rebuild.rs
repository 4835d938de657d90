//! Everything in Postgres outside the vault can be thrown away: the log brings it back, byte for byte.

use crate::support::platform::reprise;
use crate::support::system::{PAGES, System};
use crate::support::{Person, Platform, eventually, patiently};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Dropped and rebuilt; rebuilt beside itself while people read.
#[tokio::test]
async fn rows_come_back_from_the_log() {
    let platform = Platform::start().await;
    let people = a_small_town(&platform).await;
    platform.settle().await;
    let before = everything(&platform.system()).await;
    rebuilt_while_people_read(&platform, &people).await;
    assert_eq!(everything(&platform.system()).await, before, "rebuilt beside the live one");

    drop_every_schema_but_the_vault(&platform).await;
    patiently("the rows are back", Duration::from_secs(60), async || {
        platform.system().positions().await.ok().filter(|positions| positions.len() == PAGES)
    })
    .await;
    platform.settle().await;
    assert_eq!(everything(&platform.system()).await, before, "rebuilt from nothing");
    platform.check().await;
    for person in &people {
        platform.get("/api/profile").by(person).send().await.expect(200);
    }
    let change =
        platform.put("/api/profile").by(&people[0]).json(json!({ "bio": "afterwards" })).send().await.expect(200);
    platform.get("/api/profile").by(&people[0]).after(&change).send().await.expect(200);
}

/// People who have done a bit of everything.
async fn a_small_town(platform: &Platform) -> Vec<Person> {
    let admin = platform.admin().await;
    let mut people = vec![];
    for n in 0..6 {
        let person = platform.somebody_with_profile().await;
        let change = json!({ "display_name": format!("Person {n}"), "bio": "x".repeat(n * 300), "website": "https://x.example" });
        platform.put("/api/profile").by(&person).json(change).send().await.expect(200);
        platform.put("/api/profile/preferences").by(&person).json(json!({ "n": n, "s": "t" })).send().await.expect(200);
        people.push(person);
    }
    for handle in ["mayor", "ex-mayor"] {
        let body = json!({ "handle": handle });
        platform.put("/api/profile/handle").by(&people[0]).json(body).send().await.expect(200);
    }
    let visibility = json!({ "visibility": "unlisted" });
    platform.put("/api/profile/visibility").by(&people[1]).json(visibility).send().await.expect(200);
    let path = format!("/api/users/{}", people[5].id);
    platform
        .put(&path)
        .by(&admin)
        .header("if-match", "*")
        .json(json!({ "roles": ["moderator"] }))
        .send()
        .await
        .expect(200);
    let path = format!("/api/users/{}", people[5].id);
    platform
        .put(&path)
        .by(&admin)
        .header("if-match", "*")
        .json(json!({ "status": "suspended" }))
        .send()
        .await
        .expect(200);
    let late = platform.put("/api/profile").by(&people[3]).header("prefer", "respond-async");
    late.json(json!({ "bio": "later" })).send().await.expect(202);
    people.truncate(5);
    people
}

/// Every page and every table beside one, as text.
async fn everything(system: &System) -> Vec<(String, Vec<Value>)> {
    let mut all = vec![];
    for (page, key) in
        [("user_page", "id"), ("profile_page", "user_id"), ("handle_history", "handle"), ("operations", "id")]
    {
        all.push((page.to_owned(), system.page(page, key).await));
    }
    assert!(all.iter().all(|(_, rows)| !rows.is_empty()), "something to compare");
    all
}

async fn drop_every_schema_but_the_vault(platform: &Platform) {
    let mut owner = owner(platform).await;
    let sql = "select nspname::text from pg_namespace
               where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'vault', 'public')";
    let schemas: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut owner).await.expect("schemas");
    assert!(schemas.len() >= 4, "{schemas:?}");
    for schema in schemas {
        let drop = format!("drop schema \"{schema}\" cascade");
        eventually("a schema is dropped", async || {
            sqlx::raw_sql(AssertSqlSafe(drop.clone())).execute(&mut owner).await.ok()
        })
        .await;
    }
}

/// The owner's connection, as the operator of this machine finds it in the data folder.
pub async fn owner(platform: &Platform) -> PgConnection {
    let text =
        std::fs::read_to_string(platform.data().join("running.json")).expect("a running platform says where it is");
    let running: Value = serde_json::from_str(&text).expect("JSON");
    let url = running["databases"]["owner"].as_str().expect("the owner's address").to_owned();
    PgConnection::connect(&url).await.expect("the owner may enter")
}

/// `projection rebuild` takes its time beside the live one, and no reader notices.
async fn rebuilt_while_people_read(platform: &Platform, people: &[Person]) {
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = people
        .iter()
        .map(|person| {
            let (stop, client, url, token) = (
                stop.clone(),
                platform.client.clone(),
                format!("{}/api/profile", platform.url),
                person.access_token.clone(),
            );
            tokio::spawn(async move {
                let mut answers = 0;
                while !stop.load(Ordering::SeqCst) {
                    let answer = client.get(&url).bearer_auth(&token).send().await.expect("an answer");
                    assert_eq!(answer.status(), 200);
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for name in ["user_page", "profile_page", "operations"] {
        let mut rebuild = reprise();
        rebuild.args(["projection", "rebuild", name, "--data"]).arg(platform.data());
        let output = tokio::task::spawn_blocking(move || rebuild.output()).await.expect("it runs").expect("it starts");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {text}");
    }
    stop.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.expect("no reader saw an error") > 10);
    }
    let mut unknown = reprise();
    unknown.args(["projection", "rebuild", "no_such_page", "--data"]).arg(platform.data());
    assert!(!unknown.output().expect("it starts").status.success());
}
