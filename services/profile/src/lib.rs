//! Profile: what a person shows to others. It begins with the registration and ends with the erasure.

mod handle;
mod profile;
mod reactions;
#[cfg(test)]
mod tests;

use kernel::Service;
use profile::Profile;

/// What profile contributes.
pub fn service() -> Service {
    Service::new("profile")
        .decides::<Profile>("profile")
        .reacts("create_profile_when_registered", reactions::create_profile_when_registered)
        .reacts("erase_profile_when_user_erased", reactions::erase_profile_when_user_erased)
}
