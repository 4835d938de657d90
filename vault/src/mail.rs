//! Tokens that are put into mails. The same event makes the same token, so a mail that is sent twice holds one; only
//! hashes are stored.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use events::identity::user::Command;
use uuid::Uuid;

use crate::api::*;
use crate::crypto::{mac, sha256};
use crate::outbox::{self, Cause, Said};
use crate::vault::Vault;

fn name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Verify => "verify",
        Purpose::Reset => "reset",
    }
}

impl Vault {
    /// The token for a mail.
    pub async fn mint_token(&self, question: MintToken) -> anyhow::Result<Minted> {
        let purpose = name(question.purpose);
        let hash = mac(&self.keys.mail, &[purpose.as_bytes(), question.event.as_bytes(), question.user.as_bytes()]);
        let token = BASE64_URL_SAFE_NO_PAD.encode(hash);
        let statement = "insert into vault.mail_token (hash, person, purpose, expires_at)
                         select $1, person, $3, $4 from vault.account where person = $2 on conflict do nothing";
        sqlx::query(statement)
            .bind(&sha256(token.as_bytes())[..])
            .bind(question.user)
            .bind(purpose)
            .bind(question.expires_at)
            .execute(&self.db)
            .await?;
        Ok(Minted { token: token.into() })
    }

    /// Takes the proof of an address; the first time it is said to the log.
    pub async fn verify_email(&self, question: VerifyEmail) -> anyhow::Result<VerifyingEmail> {
        let (now, hash) = (self.config.now(), sha256(question.token.expose().as_bytes()));
        let mut tx = self.pool.begin().await?;
        let statement = "select person, used_at is null from vault.mail_token
                         where hash = $1 and purpose = 'verify' and expires_at > $2 for update";
        let known: Option<(Uuid, bool)> =
            sqlx::query_as(statement).bind(&hash[..]).bind(now).fetch_optional(&mut *tx).await?;
        let Some((user, first)) = known else { return Ok(VerifyingEmail::BadToken) };
        let command = Uuid::new_v5(&user, &hash);
        let mut said = Said::default();
        if first {
            sqlx::query("update vault.mail_token set used_at = $2 where hash = $1")
                .bind(&hash[..])
                .bind(now)
                .execute(&mut *tx)
                .await?;
            let message = outbox::message(command, user, now, Cause::by(user), Command::VerifyEmail {});
            said = outbox::write(&mut *tx, vec![Some(serde_json::to_vec(&message)?)]).await?;
        }
        tx.commit().await?;
        self.written(said);
        Ok(VerifyingEmail::Verified { user, command })
    }
}
