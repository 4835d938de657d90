//! Identity: who may come in, and with what rights. Secrets are the vault's; here are the rules and the facts.

mod names;
mod session;
#[cfg(test)]
mod tests;
mod user;

pub use names::{normal_email, normal_username};

use kernel::Service;
use session::Session;
use user::User;

/// What identity contributes.
pub fn service() -> Service {
    Service::new("identity").decides::<User>("user").decides::<Session>("session")
}
