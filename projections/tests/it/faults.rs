//! What goes wrong: a transaction that fails, a writer that was overtaken, a message that cannot be applied.

use events::identity::user::Event as User;
use projections::{Held, Log, Stream, Trouble, Writer, ls, rebuild};
use serde_json::json;
use sqlx::Executor;

use crate::world::{PAGES, Story, World, message, person, registered, until};

#[tokio::test]
async fn rows_and_checkpoint_change_together_or_not_at_all() {
    let world = World::new().await;
    let mut story = Story::default();
    story.register(person(1), "Ada", "ada@example.com").create(person(1), "ada");
    // the transaction fails at its very end, when rows and checkpoint are both written
    world.owner.execute(TRIGGER).await.expect("a trigger");
    let mut writer = world.writer().await;
    assert!(matches!(writer.write(&story.messages.clone().into()).await, Err(Trouble::Database(_))));
    assert_eq!(world.rows().await, [""; 0]);
    assert_eq!(world.reads.position("user_page").await.expect("a position"), 0);
    world.owner.execute("drop trigger no on user_page_g1.user_page").await.expect("it is there");
    writer.write(&story.messages.clone().into()).await.expect("the same writer goes on");
    assert_eq!(world.rows().await.len(), 2);
    assert_eq!(world.reads.position("user_page").await.expect("a position"), 2);
}

const TRIGGER: &str = "
create function public.no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
create constraint trigger no after insert on user_page_g1.user_page deferrable initially deferred
    for each row execute function public.no();
";

#[tokio::test]
async fn a_writer_that_was_overtaken_writes_nothing() {
    let world = World::new().await;
    let mut story = Story::default();
    story.register(person(1), "Ada", "a@example.com").register(person(2), "Bob", "b@example.com");
    let (first, second) = (story.messages[..1].to_vec(), story.messages[1..].to_vec());
    let mut zombie = world.writer().await;
    let mut successor = world.writer().await;
    assert!(matches!(zombie.write(&first.clone().into()).await, Err(Trouble::Overtaken)));
    assert_eq!(world.rows().await.len(), 0);
    successor.write(&first.into()).await.expect("it leads");
    assert!(matches!(zombie.write(&second.into()).await, Err(Trouble::Overtaken)));
    assert_eq!(world.rows().await.len(), 1);
}

#[tokio::test]
async fn the_writer_of_a_generation_that_was_replaced_is_overtaken() {
    let world = World::new().await;
    let mut story = Story::default();
    story.register(person(1), "Ada", "a@example.com");
    let mut writer = world.writer().await;
    rebuild(&world.pool, world.log(), &["user_page"]).await.expect("an empty log");
    assert!(matches!(writer.write(&story.messages.into()).await, Err(Trouble::Overtaken)));
}

/// Two good people and a bad one between them, who goes on after what cannot be applied.
fn poisoned() -> Story {
    let mut story = Story::default();
    story.register(person(1), "Ada", "a@example.com").register(person(2), "Bad", "b@example.com");
    story.bytes(&format!("evt.identity.user.{}", person(2)), "{".to_owned(), "{".to_owned());
    story.register(person(3), "Cid", "c@example.com").user(person(1), User::EmailVerified {});
    story.user(person(2), User::EmailVerified {}).user(person(2), User::Reactivated {});
    story.user(person(3), User::EmailVerified {});
    story
}

async fn stopped(world: &World) -> Vec<String> {
    let sql = "select projection || ' ' || key || ' ' || sequence || ' ' || skipped || ' ' || reason
               from projection.quarantine order by sequence";
    sqlx::query_scalar(sql).fetch_all(&world.pool).await.expect("the quarantine")
}

#[tokio::test]
async fn a_message_that_cannot_be_read_stops_its_key_only() {
    let first = World::new().await;
    for sizes in [1, 3, 100] {
        let world = first.beside(&format!("in{sizes}")).await;
        let story = poisoned();
        let mut writer = world.writer().await;
        for batch in story.messages.chunks(sizes) {
            writer.write(&batch.to_vec().into()).await.expect("its neighbours go on");
        }
        let verified = "select username from read.user_page where email_verified order by 1";
        let names: Vec<String> = sqlx::query_scalar(verified).fetch_all(&world.pool).await.expect("names");
        assert_eq!(names, ["Ada", "Cid"]);
        let expected = format!("user_page {} 3 2 not a valid message: Eof fault at column 1", person(2));
        assert_eq!(stopped(&world).await, [expected], "in batches of {sizes}");
        let status = ls(&world.pool, world.log()).await.expect("the list");
        assert_eq!(status.iter().map(|status| status.quarantined).sum::<u64>(), 1);
        // a successor knows which keys stand still
        let mut successor = world.writer().await;
        let mut more = story.clone();
        more.user(person(2), User::EmailVerified {});
        successor.write(&more.messages[8..].to_vec().into()).await.expect("skipped");
        assert!(stopped(&world).await[0].contains(" 3 3 "), "counted");
    }
}

#[tokio::test]
async fn a_rebuild_stops_at_it_and_changes_nothing() {
    let world = World::new().await;
    let story = poisoned();
    world.tell(&story).await;
    let rows = world.rows().await;
    let error = rebuild(&world.pool, world.log(), &PAGES).await.expect_err("strict").to_string();
    assert!(error.contains("user_page cannot apply message 3") && error.contains(&person(2).to_string()), "{error}");
    assert_eq!(world.rows().await, rows);
    let live: Vec<_> =
        ls(&world.pool, world.log()).await.expect("the list").into_iter().filter(|one| one.state == "live").collect();
    assert!(live.iter().all(|status| status.generation == 1));
}

#[tokio::test]
async fn whatever_cannot_be_applied_says_why_without_saying_what() {
    let world = World::new().await;
    let user = |n: u128| format!("evt.identity.user.{}", person(n));
    let mut unknown = serde_json::to_value(message(person(1), 1, 1, registered("x", "y").into())).expect("JSON");
    unknown["type"] = json!("identity.user.teleported.v1");
    unknown["data"] = json!({ "to": "canary" });
    let mut misfit = serde_json::to_value(message(person(2), 1, 2, registered("x", "y").into())).expect("JSON");
    misfit["data"]["roles"] = json!("canary");
    let mut story = Story::default();
    story.raw(&user(1), unknown).raw(&user(2), misfit).user(person(3), User::EmailVerified {});
    story.create(person(4), "nul\0").raw("evt.identity.user.canary", json!({})).create(person(5), "fine");
    story.raw("evt.identity.session.x", json!({ "not": "ours" })).raw("evt.identity.claim.x", json!(1));
    world.tell(&story).await;
    let reasons = stopped(&world).await.join("\n");
    assert!(reasons.contains("unknown type \"identity.user.teleported.v1\""), "{reasons}");
    assert!(reasons.contains("Data fault"), "{reasons}");
    assert!(reasons.contains("never registered"), "{reasons}");
    assert!(reasons.contains("Postgres does not take it: 22021"), "{reasons}");
    assert_eq!(reasons.lines().count(), 5, "{reasons}");
    assert!(!reasons.replace("user_page canary", "").contains("canary"), "{reasons}");
    assert_eq!(world.rows().await.len(), 1, "the fine one");
    assert_eq!(world.reads.position("profile_page").await.expect("a position"), 8);
}

#[tokio::test]
async fn a_rebuild_that_is_under_way_keeps_a_second_one_away() {
    let world = World::new().await;
    let mut other = world.pool.acquire().await.expect("a connection");
    let lock = "select pg_advisory_lock(hashtextextended('reprise.rebuild.user_page', 0))";
    other.execute(lock).await.expect("the lock");
    let error = rebuild(&world.pool, world.log(), &PAGES).await.expect_err("locked").to_string();
    assert!(error.contains("being rebuilt already"), "{error}");
    let error = rebuild(&world.pool, world.log(), &["user_pages"]).await.expect_err("no such").to_string();
    assert!(error.contains("there are user_page, profile_page, ") && error.contains(", operations"), "{error}");
}

#[tokio::test]
async fn what_an_unfinished_rebuild_left_is_cleared_away() {
    let world = World::new().await;
    world.held.add(Stream::Events, poisoned().messages);
    rebuild(&world.pool, world.log(), &PAGES).await.expect_err("strict");
    let unfinished = "select count(*) from projection.generation where state = 'building'";
    let count: i64 = sqlx::query_scalar(unfinished).fetch_one(&world.pool).await.expect("a count");
    assert!(count > 0);
    rebuild(&world.pool, Log::Held(Held::default()), &PAGES).await.expect("an empty log");
    let count: i64 = sqlx::query_scalar(unfinished).fetch_one(&world.pool).await.expect("a count");
    assert_eq!(count, 0);
    assert!(Writer::live(&world.pool, &PAGES).await.is_ok());
}

#[tokio::test]
async fn who_is_forgotten_is_forgotten_in_the_generation_before_too() {
    let world = World::new().await;
    let mut story = Story::default();
    story.register(person(1), "Ada-Canary", "a@example.com");
    world.tell(&story).await;
    rebuild(&world.pool, world.log(), &PAGES).await.expect("a good story");
    let kept = async || -> i64 {
        let sql = "select count(*) from projection.generation where projection = 'user_page' and state = 'kept'";
        sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect("a count")
    };
    assert_eq!(kept().await, 1);
    story.user(person(1), User::Erased {});
    world.writer().await.write(&story.messages[1..].to_vec().into()).await.expect("a good story");
    assert_eq!(kept().await, 1, "a writer that ends here leaves it to its successor");
    world.writer().await.scrub().await;
    assert_eq!(kept().await, 0);
    let dead = "select n_dead_tup from pg_stat_user_tables where schemaname = 'user_page_g2' and relname = 'user_page'";
    until("the old row is cleared away", async || {
        sqlx::query_scalar::<_, i64>(dead).fetch_one(&world.pool).await.expect("a count") == 0
    })
    .await;
    let waiting: bool = sqlx::query_scalar("select bool_or(scrub) from projection.checkpoint")
        .fetch_one(&world.pool)
        .await
        .expect("a flag");
    assert!(!waiting);
}
