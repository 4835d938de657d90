//! What Reprise is measured against: the same request as a plain axum + sqlx service would answer it. It checks the same
//! access token and does the same update, in the same Postgres, in a schema of its own.

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use uuid::Uuid;

use crate::http::{Connection, request};
use crate::people::Person;

/// The arguments of `reprise-bench baseline`.
#[derive(clap::Args)]
pub struct Options {
    /// Where to listen.
    #[arg(long)]
    pub listen: SocketAddr,
    /// A Postgres in which it may create the schema `bench`.
    #[arg(long, env = "BENCH_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// The platform, whose keys it fetches once from `/.well-known/jwks.json`.
    #[arg(long)]
    pub platform: SocketAddr,
    /// Postgres' `synchronous_commit`: on or off.
    #[arg(long, default_value = "on")]
    pub synchronous_commit: String,
    /// Connections to Postgres.
    #[arg(long, default_value_t = 16)]
    pub pool: u32,
}

/// The table it updates: the columns of a profile.
const SCHEMA: &str = "create schema if not exists bench;
create table if not exists bench.profile (
    user_id uuid primary key, handle text not null unique, display_name text, bio text, location text, website text,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now())";

/// Makes the table and a row for everybody.
pub async fn prepare(database_url: &str, people: &[Person]) -> Result<()> {
    let owner = PgPool::connect(database_url).await.context("connect to the platform's Postgres as its owner")?;
    sqlx::raw_sql(SCHEMA).execute(&owner).await?;
    let ids: Vec<Uuid> = people.iter().map(|person| person.id).collect();
    let sql = "insert into bench.profile (user_id, handle) select id, id::text from unnest($1::uuid[]) as people (id)
        on conflict do nothing";
    sqlx::query(sql).bind(ids).execute(&owner).await?;
    owner.close().await;
    Ok(())
}

#[derive(Clone)]
struct App {
    pool: PgPool,
    keys: Arc<HashMap<String, DecodingKey>>,
    validation: Arc<Validation>,
}

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
}

#[derive(Deserialize)]
struct Change {
    display_name: String,
}

#[derive(Serialize)]
struct Profile {
    user_id: Uuid,
    handle: String,
    display_name: String,
}

/// Serves until it is killed.
pub async fn serve(options: Options) -> Result<()> {
    let connect: PgConnectOptions = options.database_url.parse()?;
    let connect = connect.options([("synchronous_commit", &options.synchronous_commit)]);
    let pool = PgPoolOptions::new().min_connections(options.pool).max_connections(options.pool);
    let pool = pool.connect_with(connect).await.context("connect to Postgres")?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["reprise"]);
    validation.set_audience(&["reprise"]);
    let keys = Arc::new(fetch_keys(options.platform).await.context("fetch the platform's keys")?);
    let app = App { pool, keys, validation: Arc::new(validation) };
    let routes = Router::new().route("/readyz", get(|| async {})).route("/api/profile", put(update));
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |tcp| drop(tcp.set_nodelay(true)));
    axum::serve(listener, routes.with_state(app)).await?;
    Ok(())
}

async fn fetch_keys(platform: SocketAddr) -> Result<HashMap<String, DecodingKey>> {
    let mut connection = Connection::open(platform).await?;
    let answer = connection.exchange(&request("GET", "/.well-known/jwks.json", "", "")).await?;
    let set: JwkSet = answer.json(200)?;
    let named = |jwk: &jsonwebtoken::jwk::Jwk| Some((jwk.common.key_id.clone()?, DecodingKey::from_jwk(jwk).ok()?));
    Ok(set.keys.iter().filter_map(named).collect())
}

async fn update(State(app): State<App>, headers: HeaderMap, Json(change): Json<Change>) -> Response {
    let Some(user) = authenticate(&app, &headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    let sql = "update bench.profile set display_name = $1, updated_at = now() where user_id = $2 returning handle";
    match sqlx::query_scalar(sql).bind(&change.display_name).bind(user).fetch_optional(&app.pool).await {
        Ok(Some(handle)) => Json(Profile { user_id: user, handle, display_name: change.display_name }).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The token's person, if signature, issuer, audience and time are right.
fn authenticate(app: &App, headers: &HeaderMap) -> Option<Uuid> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
    let claims = jsonwebtoken::decode::<Claims>(token, app.keys.get(&kid)?, &app.validation).ok()?;
    Some(claims.claims.sub)
}
