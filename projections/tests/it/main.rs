//! Projections on a real Postgres: messages in, rows out. Most tests hold their messages in memory; `feed` reads a real
//! log.

mod engine;
mod faults;
mod feed;
mod jobs;
mod live;
mod messages;
mod pages;
mod rights;
mod world;
