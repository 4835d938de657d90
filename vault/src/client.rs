//! The vault as others see it: one method per verb, asked over NATS request-reply.
//! Every verb may be asked again: none does its work twice in a way that matters.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

use crate::api::*;

/// Asks the vault. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    bus: nats::Bus,
    wait: Duration,
}

/// The vault gave no answer: not running, not reachable, or its database is not. Worth trying again.
#[derive(Debug, thiserror::Error)]
#[error("the vault does not answer: {0}")]
pub struct Unanswered(String);

impl Client {
    /// Asks over this connection and waits at most 15 seconds for an answer of a vault that is at it.
    pub fn new(bus: nats::Bus) -> Self {
        Client { bus, wait: Duration::from_secs(15) }
    }

    /// Waits that long instead.
    pub fn waiting(self, wait: Duration) -> Self {
        Client { wait, ..self }
    }

    async fn ask<A: DeserializeOwned>(&self, verb: &str, question: &impl Serialize) -> Result<A, Unanswered> {
        match self.bus.request(&format!("vault.{verb}"), question, self.wait).await {
            Ok(Wire::Answer(answer)) => Ok(answer),
            Ok(Wire::Failure(code)) => Err(Unanswered(code)),
            Err(error) => Err(Unanswered(error.to_string())),
        }
    }

    /// See [`Register`].
    ///
    /// # Errors
    /// No answer.
    pub async fn register(&self, question: &Register) -> Result<Registering, Unanswered> {
        self.ask("register", question).await
    }

    /// See [`StartSession`].
    ///
    /// # Errors
    /// No answer.
    pub async fn start_session(&self, question: &StartSession) -> Result<SigningIn, Unanswered> {
        self.ask("start_session", question).await
    }

    /// See [`Login`].
    ///
    /// # Errors
    /// No answer.
    pub async fn login(&self, question: &Login) -> Result<SigningIn, Unanswered> {
        self.ask("login", question).await
    }

    /// See [`Refresh`].
    ///
    /// # Errors
    /// No answer.
    pub async fn refresh(&self, question: &Refresh) -> Result<SigningIn, Unanswered> {
        self.ask("refresh", question).await
    }

    /// See [`Logout`].
    ///
    /// # Errors
    /// No answer.
    pub async fn logout(&self, question: &Logout) -> Result<Ended, Unanswered> {
        self.ask("logout", question).await
    }

    /// See [`EndSession`].
    ///
    /// # Errors
    /// No answer.
    pub async fn end_session(&self, question: &EndSession) -> Result<Ended, Unanswered> {
        self.ask("end_session", question).await
    }

    /// See [`Sessions`].
    ///
    /// # Errors
    /// No answer.
    pub async fn sessions(&self, question: &Sessions) -> Result<Vec<Session>, Unanswered> {
        self.ask("sessions", question).await
    }

    /// See [`ChangePassword`].
    ///
    /// # Errors
    /// No answer.
    pub async fn change_password(&self, question: &ChangePassword) -> Result<ChangingPassword, Unanswered> {
        self.ask("change_password", question).await
    }

    /// See [`Forgot`].
    ///
    /// # Errors
    /// No answer.
    pub async fn forgot(&self, question: &Forgot) -> Result<(), Unanswered> {
        self.ask("forgot", question).await
    }

    /// See [`ResetPassword`].
    ///
    /// # Errors
    /// No answer.
    pub async fn reset_password(&self, question: &ResetPassword) -> Result<ResettingPassword, Unanswered> {
        self.ask("reset_password", question).await
    }

    /// See [`VerifyEmail`].
    ///
    /// # Errors
    /// No answer.
    pub async fn verify_email(&self, question: &VerifyEmail) -> Result<VerifyingEmail, Unanswered> {
        self.ask("verify_email", question).await
    }

    /// See [`MintToken`].
    ///
    /// # Errors
    /// No answer.
    pub async fn mint_token(&self, question: &MintToken) -> Result<Minted, Unanswered> {
        self.ask("mint_token", question).await
    }

    /// See [`UnsubscribeToken`].
    ///
    /// # Errors
    /// No answer.
    pub async fn unsubscribe_token(&self, question: &UnsubscribeToken) -> Result<Minted, Unanswered> {
        self.ask("unsubscribe_token", question).await
    }

    /// See [`Unsubscribing`].
    ///
    /// # Errors
    /// No answer.
    pub async fn read_unsubscribe(&self, question: &Unsubscribing) -> Result<Option<UnsubscribeToken>, Unanswered> {
        self.ask("read_unsubscribe", question).await
    }

    /// See [`Permit`].
    ///
    /// # Errors
    /// No answer.
    pub async fn permit(&self, question: &Permit) -> Result<Permitted, Unanswered> {
        self.ask("permit", question).await
    }

    /// The keys that access tokens are checked with, now and soon.
    ///
    /// # Errors
    /// No answer.
    pub async fn jwks(&self) -> Result<Jwks, Unanswered> {
        self.ask("jwks", &()).await
    }

    /// See [`Keys`].
    ///
    /// # Errors
    /// No answer.
    pub async fn keys(&self, question: &Keys) -> Result<PersonKeys, Unanswered> {
        self.ask("keys", question).await
    }

    /// See [`MakeKey`].
    ///
    /// # Errors
    /// No answer.
    pub async fn make_key(&self, question: &MakeKey) -> Result<KeyMaking, Unanswered> {
        self.ask("make_key", question).await
    }

    /// See [`ClaimKey`].
    ///
    /// # Errors
    /// No answer.
    pub async fn claim_key(&self) -> Result<ClaimKey, Unanswered> {
        self.ask("claim_key", &()).await
    }

    /// See [`EdgeKeys`].
    ///
    /// # Errors
    /// No answer.
    pub async fn edge_keys(&self) -> Result<EdgeKeys, Unanswered> {
        self.ask("edge_keys", &()).await
    }

    /// See [`PushKey`].
    ///
    /// # Errors
    /// No answer.
    pub async fn push_key(&self) -> Result<PushKey, Unanswered> {
        self.ask("push_key", &()).await
    }

    /// See [`PushPublicKey`].
    ///
    /// # Errors
    /// No answer.
    pub async fn push_public_key(&self) -> Result<PushPublicKey, Unanswered> {
        self.ask("push_public_key", &()).await
    }

    /// See [`Bootstrap`].
    ///
    /// # Errors
    /// No answer.
    pub async fn bootstrap(&self, question: &Bootstrap) -> Result<Bootstrapping, Unanswered> {
        self.ask("bootstrap", question).await
    }
}
