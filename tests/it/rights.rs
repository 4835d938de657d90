//! What a stranger may do with the lines of `reprise env`: read the log and the pages, and nothing else.

use crate::support::Platform;
use crate::support::log::read;
use crate::support::stranger::Stranger;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// The read-only keys read, and only read.
#[tokio::test]
async fn strangers_read_and_do_nothing_else() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    platform.settle().await;
    let env = platform.env();
    assert_eq!(env["REPRISE_URL"], platform.url);
    let mut stranger = Stranger::from_env(&env).expect("the auditor may connect");
    let log = read(&mut stranger, "EVENTS").expect("the auditor may read");
    assert!(log.iter().any(|entry| entry.about() == ada.id));
    let info = stranger.ask("$JS.API.STREAM.INFO.EVENTS", &json!({})).expect("a connection").expect("an answer").json();
    assert_eq!(info["state"]["last_seq"], log.len());

    let before = platform.last_position();
    nothing_else_in_nats(&mut stranger, ada.id);
    platform.settle().await;
    assert_eq!(platform.last_position(), before);
    nothing_else_in_postgres(&env["DATABASE_URL"]).await;
    without_a_key_nobody_enters(&env["NATS_URL"]);
    platform.check().await;
}

fn nothing_else_in_nats(stranger: &mut Stranger, id: Uuid) {
    let api = [
        "STREAM.CREATE.X",
        "STREAM.UPDATE.EVENTS",
        "STREAM.DELETE.EVENTS",
        "STREAM.PURGE.EVENTS",
        "STREAM.MSG.DELETE.EVENTS",
        "STREAM.MSG.GET.EVENTS",
        "STREAM.SNAPSHOT.EVENTS",
        "STREAM.INFO.COMMANDS",
        "STREAM.INFO.ASKED",
        "STREAM.LIST",
        "CONSUMER.CREATE.EVENTS",
        "CONSUMER.CREATE.EVENTS.mine.evt.>",
        "CONSUMER.DURABLE.CREATE.EVENTS.mine",
        "CONSUMER.DELETE.EVENTS.profile",
        "CONSUMER.MSG.NEXT.EVENTS.profile",
        "CONSUMER.RESET.EVENTS.profile",
        "DIRECT.GET.COMMANDS",
        "DIRECT.GET.OUTCOMES",
        "DIRECT.GET.SNAPSHOTS",
        "DIRECT.GET.DEAD",
    ];
    let mut forbidden: Vec<String> = api.iter().map(|name| format!("$JS.API.{name}")).collect();
    forbidden.extend([
        format!("evt.identity.user.{id}"),
        format!("cmd.identity.user.{id}"),
        format!("out.{id}"),
        "dead.x".to_owned(),
        "vault.keys".to_owned(),
        "vault.login".to_owned(),
        "vault.claim_key".to_owned(),
        "vault.push_key".to_owned(),
        "vault.erased".to_owned(),
        "position.EVENTS".to_owned(),
        "_INBOX_gateway.x".to_owned(),
    ]);
    for subject in forbidden {
        let refusals = stranger.refused.len();
        stranger.publish(&subject, b"{}").and_then(|()| stranger.flush()).expect("the connection stays");
        assert!(stranger.refused.len() > refusals, "{subject} is allowed");
    }
    for subject in [">", "evt.>", "cmd.>", "vault.>", "_INBOX_gateway.>", "_INBOX_vault.>", "$JS.EVENT.>", "$SYS.>"] {
        let refusals = stranger.refused.len();
        stranger.subscribe(subject).expect("the connection stays");
        assert!(stranger.refused.len() > refusals, "listening to {subject} is allowed");
    }
}

async fn nothing_else_in_postgres(url: &str) {
    let mut reader = PgConnection::connect(url).await.expect("a person may look");
    let count: i64 =
        sqlx::query_scalar("select count(*) from read.user_page").fetch_one(&mut reader).await.expect("rows");
    assert_eq!(count, 1);
    for statement in [
        "delete from read.user_page",
        "update read.user_page set status = 'erased'",
        "create table mine (x int)",
        "create schema mine",
        "select * from vault.account",
        "select * from vault.person",
        "select * from vault.signing_key",
        "update projection.checkpoint set position = 0",
        "set role reprise_vault",
        "set role reprise_projector",
        "set default_transaction_read_only = off; delete from read.user_page",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'true'",
    ] {
        let answer = sqlx::raw_sql(statement).execute(&mut reader).await;
        assert!(answer.is_err(), "{statement} is allowed");
    }
}

fn without_a_key_nobody_enters(url: &str) {
    assert!(Stranger::connect(url, None, "_INBOX").is_err(), "a key is needed");
    let other = nkeys::KeyPair::new_user().seed().expect("a seed");
    assert!(Stranger::connect(url, Some(&other), "_INBOX").is_err(), "one of ours");
}
