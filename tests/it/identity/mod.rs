//! Identity at the edge: who may come in, and what everyone else is told. One platform for each group of journeys.

mod admins;
mod aliases;
mod mails;
mod registration;
mod sessions;
