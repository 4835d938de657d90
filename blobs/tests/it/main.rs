//! Both stores do the same: nearly every test runs with a folder and with an S3 server.

mod appending;
mod blobs;
mod crash;
mod ending;
mod folder;
mod moto;
mod resuming;
mod world;
