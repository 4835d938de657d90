//! Roles: each may do what it is for and nothing else.

use projections::{GATEWAY, READER, RolePasswords, VAULT, migrate, pool};
use sqlx::Executor;

use crate::world::{Story, World, person};

#[tokio::test]
async fn migrating_is_harmless_at_any_time() {
    let world = World::bare().await;
    let none = RolePasswords::default();
    let again = futures::future::join_all((0..4).map(|_| migrate(&world.owner, &none))).await;
    assert!(again.into_iter().all(|result| result.is_ok()));
    let other = pool(&world.postgres.database("other"), None, 2).await.expect("an address");
    let both = futures::future::join(migrate(&world.owner, &none), migrate(&other, &none)).await;
    assert!(both.0.is_ok() && both.1.is_ok(), "two databases of one cluster share the roles");
}

#[tokio::test]
async fn readers_read_pages_and_nothing_else() {
    let world = World::new().await;
    let mut story = Story::default();
    story.register(person(1), "Ada", "ada@example.com");
    world.tell(&story).await;
    for role in [GATEWAY, READER] {
        let reader = pool(&world.url, Some(role), 1).await.expect("an address");
        for allowed in
            ["select * from read.user_page", "select * from read.position", "select * from projection.checkpoint"]
        {
            assert!(reader.execute(allowed).await.is_ok(), "{role}: {allowed}");
        }
        reader.execute("set default_transaction_read_only = off").await.expect("a setting");
        for refused in [
            "update read.user_page set status = 'erased'",
            "select * from user_page_g1.user_page",
            "update projection.checkpoint set position = 0",
            "create table read.mine (id int)",
            "create schema mine",
            "select * from vault.secret",
        ] {
            let error = reader.execute(refused).await.expect_err(refused);
            let code = error.as_database_error().and_then(|error| error.code()).expect("Postgres said so").into_owned();
            assert_eq!(code, "42501", "{role}: {refused}: {error}");
        }
    }
    let vault = pool(&world.url, Some(VAULT), 1).await.expect("an address");
    vault.execute("create table vault.mine (id int)").await.expect("its own schema");
    vault.execute("select * from read.user_page").await.expect_err("not its own");
}

#[tokio::test]
async fn roles_sign_in_with_the_passwords_they_were_given() {
    let world = World::new().await;
    let word = |word: &str| Some(word.to_owned());
    let words = RolePasswords { gateway: word("it's a \"word\""), reader: word("r"), ..RolePasswords::default() };
    migrate(&world.owner, &words).await.expect("migrating");
    let sql = "select rolname::text, rolcanlogin from pg_roles where rolname like 'reprise_%' order by 1";
    let roles: Vec<(String, bool)> = sqlx::query_as(sql).fetch_all(&world.owner).await.expect("roles");
    let expected =
        [("reprise_gateway", true), ("reprise_projector", false), ("reprise_reader", true), ("reprise_vault", false)];
    assert_eq!(roles, expected.map(|(name, login)| (name.to_owned(), login)));
    let as_gateway =
        pool(&world.url.replace("postgres@", "reprise_gateway@"), Some(GATEWAY), 1).await.expect("an address");
    as_gateway.execute("select * from read.user_page").await.expect("it takes its own role on");
}
