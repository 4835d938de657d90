//! A nats-server and a Postgres of our own, as supervised children.
