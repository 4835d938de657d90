//! Tokens of links that end mails: they say whose mails of which kind, and cannot be made up. Nothing is stored, and they
//! never expire: whoever finds an old mail may end what it is one of.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::api::{Minted, UnsubscribeToken, Unsubscribing};
use crate::crypto::{Key, mac};
use crate::vault::Vault;

/// Of the keyed hash so much is in a token.
const SIGNATURE: usize = 16;

impl Vault {
    /// The token of a link.
    pub fn unsubscribe_token(&self, question: &UnsubscribeToken) -> Minted {
        Minted { token: write(&self.keys.mail, question).into() }
    }

    /// What a token is for.
    pub fn read_unsubscribe(&self, question: &Unsubscribing) -> Option<UnsubscribeToken> {
        read(&self.keys.mail, question.token.expose())
    }
}

/// Person, signature, category.
fn write(key: &Key, UnsubscribeToken { user, category }: &UnsubscribeToken) -> String {
    let hash = mac(key, &[b"unsubscribe", user.as_bytes(), category.as_bytes()]);
    BASE64_URL_SAFE_NO_PAD.encode([user.as_bytes(), &hash[..SIGNATURE], category.as_bytes()].concat())
}

fn read(key: &Key, token: &str) -> Option<UnsubscribeToken> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let user = Uuid::from_slice(bytes.get(..16)?).ok()?;
    let category = String::from_utf8(bytes.get(16 + SIGNATURE..)?.to_vec()).ok()?;
    let said = UnsubscribeToken { user, category };
    bool::from(write(key, &said).as_bytes().ct_eq(token.as_bytes())).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_genuine_tokens_are_read() {
        let (key, said) =
            (Key([7; 32]), UnsubscribeToken { user: Uuid::from_u128(5), category: "activity".to_owned() });
        let token = write(&key, &said);
        assert_eq!(read(&key, &token), Some(said.clone()));
        assert_eq!(read(&Key([8; 32]), &token), None);
        let other = write(&key, &UnsubscribeToken { user: Uuid::from_u128(6), ..said });
        let mixed = format!("{}{}", &other[..30], &token[30..]);
        for forged in ["", "AAAA", &token[..40], &format!("{token}A"), &mixed] {
            assert_eq!(read(&key, forged), None, "{forged}");
        }
    }
}
