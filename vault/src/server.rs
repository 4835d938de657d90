//! Reads a question, finds its verb, writes the answer. An answer is always given: a failure without its cause, which is
//! logged here and never told.

use bytes::Bytes;
use futures::FutureExt;
use nats::Bus;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Wire;
use crate::vault::Vault;

/// The verbs; each has its subject, because `vault.erased` is not one of them.
const VERBS: [&str; 23] = [
    "register",
    "start_session",
    "login",
    "refresh",
    "logout",
    "end_session",
    "sessions",
    "change_password",
    "forgot",
    "reset_password",
    "verify_email",
    "mint_token",
    "unsubscribe_token",
    "read_unsubscribe",
    "permit",
    "jwks",
    "keys",
    "make_key",
    "claim_key",
    "edge_keys",
    "push_key",
    "push_public_key",
    "bootstrap",
];

/// Questions of one verb that are worked on at once. Those that hash wait in the hasher's own queue, which is bounded.
const AT_ONCE: usize = 512;

/// Answers until told to stop, and then what was asked before.
///
/// # Errors
/// The bus refuses a subscription.
pub(crate) async fn serve(vault: Arc<Vault>, bus: &Bus, stop: &CancellationToken) -> anyhow::Result<()> {
    let serve = |verb: &'static str| {
        let vault = vault.clone();
        let answer = move |_subject: String, question: Bytes| {
            let vault = vault.clone();
            async move { answer(&vault, verb, &question).await }.boxed()
        };
        let subject = format!("vault.{verb}");
        async move { bus.serve(&subject, "vault", AT_ONCE, Arc::new(answer), stop.clone()).await }
    };
    futures::future::try_join_all(VERBS.map(serve)).await.map(drop)
}

async fn answer(vault: &Vault, verb: &'static str, question: &[u8]) -> Vec<u8> {
    let started = Instant::now();
    let answer = match verb {
        "register" => reply(question, verb, |q| vault.register(q)).await,
        "start_session" => reply(question, verb, |q| vault.start_session(q)).await,
        "login" => reply(question, verb, |q| vault.login(q)).await,
        "refresh" => reply(question, verb, |q| vault.refresh(q)).await,
        "logout" => reply(question, verb, |q| vault.logout(q)).await,
        "end_session" => reply(question, verb, |q| vault.end_session(q)).await,
        "sessions" => reply(question, verb, |q| vault.sessions(q)).await,
        "change_password" => reply(question, verb, |q| vault.change_password(q)).await,
        "forgot" => reply(question, verb, |q| vault.forgot(q)).await,
        "reset_password" => reply(question, verb, |q| vault.reset_password(q)).await,
        "verify_email" => reply(question, verb, |q| vault.verify_email(q)).await,
        "mint_token" => reply(question, verb, |q| vault.mint_token(q)).await,
        "unsubscribe_token" => reply(question, verb, async |q| Ok(vault.unsubscribe_token(&q))).await,
        "read_unsubscribe" => reply(question, verb, async |q| Ok(vault.read_unsubscribe(&q))).await,
        "permit" => reply(question, verb, async |q| Ok(vault.permit(&q))).await,
        "keys" => reply(question, verb, |q| vault.person_keys(q)).await,
        "make_key" => reply(question, verb, |q| vault.make_key(q)).await,
        "jwks" => encode(&Wire::Answer(vault.signer.jwks())),
        "claim_key" => encode(&Wire::Answer(vault.claim_key())),
        "edge_keys" => encode(&Wire::Answer(vault.edge_keys())),
        "push_key" => encode(&Wire::Answer(&vault.push.private)),
        "push_public_key" => encode(&Wire::Answer(&vault.push.public)),
        "bootstrap" => reply(question, verb, async |q| Ok(vault.bootstrap(&q))).await,
        _ => failure("unknown_verb"),
    };
    metrics::histogram!("reprise_vault_seconds", "verb" => verb).record(started.elapsed().as_secs_f64());
    answer
}

async fn reply<Q: DeserializeOwned, A: Serialize>(
    question: &[u8],
    verb: &str,
    work: impl AsyncFnOnce(Q) -> anyhow::Result<A>,
) -> Vec<u8> {
    // what does not parse may hold a password: the error is not logged, because it would quote it
    let Ok(question) = serde_json::from_slice(question) else { return failure("malformed") };
    match work(question).await {
        Ok(answer) => encode(&Wire::Answer(answer)),
        Err(error) => {
            tracing::error!(vault.verb = verb, error = format!("{error:#}"), "the vault cannot answer");
            failure("unavailable")
        }
    }
}

fn failure(code: &str) -> Vec<u8> {
    encode(&Wire::<()>::Failure(code.to_owned()))
}

fn encode<A: Serialize>(answer: &Wire<A>) -> Vec<u8> {
    serde_json::to_vec(answer).expect("answers have text keys")
}
