//! A text that must not be seen: a password, a token, a name. `Debug` hides it, dropping wipes it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A text that must not be seen. There is no `Display`: whoever needs it says [`Secret::expose`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn debug_does_not_show_it() {
        let question = crate::api::Forgot { identifier: "ada@example.org".into() };
        assert_eq!(format!("{question:?}"), "Forgot { identifier: Secret(..) }");
    }
}
