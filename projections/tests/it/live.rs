//! Following the log: two processes, dropped schemas, generations that change under readers.

use projections::{Stream, ls, rebuild, run, user_page};
use sqlx::Executor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::world::{PAGES, Story, World, person, until};

fn follow(world: &World) -> (CancellationToken, tokio::task::JoinHandle<anyhow::Result<()>>) {
    let stop = CancellationToken::new();
    (stop.clone(), tokio::spawn(run(world.pool.clone(), world.log(), stop)))
}

async fn seen(world: &World, position: u64) -> bool {
    world.reads.wait_for(&PAGES, position, Duration::from_secs(20)).await.unwrap_or(false)
}

#[tokio::test]
async fn everything_is_built_and_followed_from_nothing() {
    let world = World::bare().await;
    let mut story = Story::default();
    story.register(person(1), "Ada", "a@example.com").create(person(1), "ada");
    world.held.add(Stream::Events, story.messages.clone());
    let (stop, running) = follow(&world);
    until("the first is seen", async || seen(&world, 2).await).await;
    story.register(person(2), "Bob", "b@example.com");
    world.held.add(Stream::Events, story.messages[2..].to_vec());
    assert!(seen(&world, 3).await);
    assert!(user_page::get(&world.reads, person(2)).await.expect("the query").is_some());
    assert!(
        !world.reads.wait_for(&PAGES, 4, Duration::from_millis(30)).await.expect("the query"),
        "nothing more to see"
    );
    assert!(world.reads.wait_for(&["operations"], 4, Duration::ZERO).await.expect("the query"), "another stream");
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn dropped_schemas_come_back_equal() {
    let world = World::bare().await;
    let mut story = Story::default();
    for n in 0..50 {
        story.register(person(n), &format!("U{n}"), "u@example.com").create(person(n), &format!("h{n}"));
    }
    world.held.add(Stream::Events, story.messages.clone());
    let (stop, running) = follow(&world);
    until("all is seen", async || seen(&world, 100).await).await;
    let rows = world.rows().await;
    let back = async || {
        until("it is back", async || {
            sqlx::query("select from read.user_page, read.profile_page, read.operations")
                .execute(&world.pool)
                .await
                .is_ok()
                && world.reads.position("user_page").await.is_ok_and(|position| position == 100)
                && world.reads.position("profile_page").await.is_ok_and(|position| position == 100)
        })
        .await;
        world.rows().await
    };
    for drop in [
        "drop schema user_page_g1 cascade",
        "drop schema read cascade",
        "drop schema projection cascade",
        "do $$ declare s text; begin
             for s in select nspname from pg_namespace where nspname ~ '_g[0-9]+$' or nspname in ('read', 'projection') loop
                 execute format('drop schema %I cascade', s);
             end loop;
         end $$",
    ] {
        world.owner.execute(drop).await.expect("it is there");
        assert_eq!(back().await, rows, "after {drop}");
    }
    story.register(person(99), "Late", "l@example.com");
    world.held.add(Stream::Events, story.messages[100..].to_vec());
    assert!(seen(&world, 101).await, "and it goes on");
    let orphans = "select count(*) from pg_namespace where nspname ~ '_g[0-9]+$'
                   and nspname not in (select projection || '_g' || generation from projection.generation)";
    let orphans: i64 = sqlx::query_scalar(orphans).fetch_one(&world.pool).await.expect("a count");
    assert_eq!(orphans, 0);
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn one_works_and_the_other_takes_over() {
    let world = World::new().await;
    let (stop_one, one) = follow(&world);
    let mut story = Story::default();
    story.register(person(1), "Ada", "a@example.com");
    world.held.add(Stream::Events, story.messages.clone());
    assert!(seen(&world, 1).await);
    let (stop_two, two) = follow(&world);
    for n in 2..20 {
        story.register(person(n), "X", "x@example.com");
    }
    world.held.add(Stream::Events, story.messages[1..10].to_vec());
    assert!(seen(&world, 10).await);
    stop_one.cancel();
    one.await.expect("no panic").expect("a clean end");
    world.held.add(Stream::Events, story.messages[10..].to_vec());
    assert!(seen(&world, 19).await, "the other goes on");
    assert_eq!(world.rows().await.len(), 19);
    stop_two.cancel();
    two.await.expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_notice_a_rebuild() {
    let world = Arc::new(World::new().await);
    let (stop, running) = follow(&world);
    let mut story = Story::default();
    for n in 0..200 {
        story.register(person(n), &format!("U{n}"), "u@example.com").create(person(n), &format!("h{n}"));
    }
    world.held.add(Stream::Events, story.messages[..100].to_vec());
    assert!(seen(&world, 100).await);
    let (over, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..4).map(|_| tokio::spawn(read(world.clone(), over.clone(), reads.clone()))).collect();
    for (n, part) in story.messages[100..].chunks(100).enumerate() {
        world.held.add(Stream::Events, part.to_vec());
        rebuild(&world.pool, world.log(), &PAGES).await.expect("a good story");
        assert!(seen(&world, 200 + 100 * n as u64).await, "the follower goes on with the new generation");
    }
    over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.expect("no reader failed");
    }
    assert!(reads.load(Ordering::Relaxed) > 50, "they did read");
    assert_eq!(world.rows().await.len(), 400);
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}

/// What was once visible stays visible, and the position never goes back.
async fn read(world: Arc<World>, over: Arc<AtomicBool>, reads: Arc<AtomicU64>) {
    let (mut rows, mut position) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let sql = "select count(*) from read.user_page";
        let now: i64 = sqlx::query_scalar(sql).fetch_one(&world.pool).await.expect("readers see no error");
        let at = world.reads.position("user_page").await.expect("readers see no error");
        assert!(now >= rows && at >= position, "{now} rows after {rows}, position {at} after {position}");
        (rows, position) = (now, at);
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn rows_that_are_ahead_of_the_log_are_made_again() {
    let world = World::new().await;
    let mut story = Story::default();
    for n in 1..=9 {
        story.register(person(n), "X", "x@example.com");
    }
    world.writer().await.write(&story.messages.clone().into()).await.expect("a good story");
    // the log that is there now never heard of the last four
    world.held.add(Stream::Events, story.messages[..5].to_vec());
    let (stop, running) = follow(&world);
    until("the rows are those of this log", async || world.rows().await.len() == 5).await;
    let status = ls(&world.pool, world.log()).await.expect("the list");
    assert!(status.iter().any(|one| one.name == "user_page" && one.state == "live" && one.position == 5));
    stop.cancel();
    running.await.expect("no panic").expect("a clean end");
}
