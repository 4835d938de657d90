//! The whole system, from HTTP to the log and back: every test runs the real program with a real nats-server and a real
//! Postgres of its own. Tests wait for conditions, never for lengths of time.

mod access;
mod buckets;
mod clients;
mod commands;
mod erasure;
mod faults;
mod gateways;
mod hls;
mod identity;
mod input;
mod limits;
mod media;
mod messages;
mod notifications;
mod openapi;
mod playing;
mod poison;
mod profile;
mod push;
mod realtime;
mod rebuild;
mod rights;
mod running;
mod support;
mod told;
mod traces;
mod uploads;
mod videos;
