//! New secrets for a platform in parts, as a `.env` file: an nkey for each NATS user, a password for each Postgres
//! role, the master key. Printed, and kept nowhere.

use ::vault::MasterKey;
use anyhow::Result;
use nkeys::KeyPair;

use crate::data::word;

/// Names of the passwords for Postgres: the owner's, and those of the roles.
const PASSWORDS: [&str; 5] = [
    "POSTGRES_PASSWORD",
    "REPRISE_GATEWAY_PASSWORD",
    "REPRISE_PROJECTOR_PASSWORD",
    "REPRISE_VAULT_PASSWORD",
    "REPRISE_READER_PASSWORD",
];

/// Prints them.
///
/// # Errors
/// The system has no randomness.
pub fn run() -> Result<()> {
    println!("# Secrets of one platform, made by `reprise keys`. Keep a copy of the master key elsewhere.");
    for (name, value) in all()? {
        println!("{name}={value}");
    }
    Ok(())
}

/// Every secret by name.
///
/// # Errors
/// The system has no randomness.
pub fn all() -> Result<Vec<(String, String)>> {
    let mut all = vec![];
    for role in nats::accounts::roles() {
        let pair = KeyPair::new_user();
        all.push((public(role), pair.public_key()));
        all.push((format!("SEED_{}", role.to_uppercase()), pair.seed()?));
    }
    for name in PASSWORDS {
        all.push((name.into(), word()?));
    }
    all.push(("REPRISE_MASTER_KEY".into(), MasterKey::generate().expose().into()));
    all.push(("REPRISE_BOOTSTRAP_SECRET".into(), word()?));
    Ok(all)
}

/// The variable with the public key of a role, which `nats-server.conf` names.
pub fn public(role: &str) -> String {
    format!("NKEY_{}", role.to_uppercase())
}
