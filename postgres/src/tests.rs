use super::*;
use embedded::Postgres as Server;
use futures::future::join_all;
use sqlx::postgres::PgPoolOptions;
use std::collections::BTreeSet;

fn over(server: &Server, most: u32) -> Statements {
    let pool = PgPoolOptions::new().max_connections(most + 1).connect_lazy(&server.url).expect("an address");
    Statements::over(pool, most)
}

/// Which process of Postgres answered.
async fn backend(db: &Statements) -> sqlx::Result<i32> {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(db).await
}

#[tokio::test]
async fn whoever_comes_next_takes_the_connection_that_was_used_last() {
    let server = Server::scratch();
    let db = over(&server, 4);
    // there are several to choose from
    join_all((0..4).map(|_| sqlx::query("select pg_sleep(0.01)").execute(&db))).await;
    let first = backend(&db).await.expect("an answer");
    for _ in 0..10 {
        assert_eq!(backend(&db).await.expect("an answer"), first);
    }
}

#[tokio::test]
async fn as_many_at_once_as_there_are_places_and_everybody_gets_one() {
    let server = Server::scratch();
    let db = over(&server, 3);
    let slow =
        || async { sqlx::query_scalar::<_, i32>("select pg_backend_pid() from pg_sleep(0.01)").fetch_all(&db).await };
    let backends = join_all((0..30).map(|_| slow())).await;
    let backends: BTreeSet<i32> = backends.into_iter().flat_map(|rows| rows.expect("rows")).collect();
    assert_eq!(backends.len(), 3);
}

#[tokio::test]
async fn what_failed_or_was_given_up_spoils_nothing() {
    let server = Server::scratch();
    let db = over(&server, 1);
    for _ in 0..3 {
        assert!(sqlx::query("select 1 / 0").execute(&db).await.is_err());
        let given_up = timeout(Duration::from_millis(20), sqlx::query("select 7 from pg_sleep(0.3)").fetch_all(&db));
        given_up.await.ok();
        let answer: Vec<i32> =
            sqlx::query_scalar("select * from generate_series(1, 3)").fetch_all(&db).await.expect("rows");
        assert_eq!(answer, [1, 2, 3]);
    }
}

#[tokio::test]
async fn a_connection_that_was_ended_is_replaced() {
    let server = Server::scratch();
    let (db, other) = (over(&server, 1), over(&server, 1));
    let ended = backend(&db).await.expect("an answer");
    let end = "select pg_terminate_backend($1, 5000)";
    assert!(sqlx::query_scalar::<_, bool>(end).bind(ended).fetch_one(&other).await.expect("an answer"));
    // whether anybody notices before the first statement depends on how long it rested
    backend(&db).await.ok();
    assert_ne!(backend(&db).await.expect("another one"), ended);
}

#[tokio::test]
async fn a_pool_of_one_is_still_there_for_transactions() {
    let server = Server::scratch();
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy(&server.url).expect("an address");
    let db = Statements::over(pool.clone(), 1);
    for _ in 0..3 {
        backend(&db).await.expect("an answer");
        pool.begin().await.expect("a transaction").commit().await.expect("its end");
    }
}
