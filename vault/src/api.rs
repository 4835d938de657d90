//! What can be asked of the vault and what it answers: one struct per verb, JSON over NATS request-reply.
//! Everything secret or personal is a [`Secret`], so `Debug` of a question or an answer never shows it.

use chrono::{DateTime, Utc};
use events::identity::session::EndReason;
use events::identity::user::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::{Secret, Weakness};

/// `vault.register`: makes the credential and the key of a person, before the command that opens the account is sent.
/// The credential is pending until the account exists. Asked again with the same credential it checks the password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Register {
    /// The command that opens the account.
    pub command: Uuid,
    /// The account's id, which is the person's id.
    pub user: Uuid,
    /// The credential's id; the registration names it.
    pub credential: Uuid,
    /// The password.
    pub password: Secret,
    /// The username and e-mail address to sign in with, as written or in their normal form.
    pub logins: Vec<Secret>,
}

/// Answer to [`Register`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Registering {
    /// The credential is there.
    Registered,
    /// The password is not good enough; nothing was kept.
    Weak {
        /// Why.
        reasons: Vec<Weakness>,
    },
    /// The credential is there with another password, or the person was erased.
    Mismatch,
    /// Too much to hash at the moment.
    Slow {
        /// Seconds after which it is worth trying again.
        retry_after: u32,
    },
}

/// `vault.start_session`: signs in a person who has just registered. The same `command` gives the same tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartSession {
    /// The account.
    pub user: Uuid,
    /// Its credential.
    pub credential: Uuid,
    /// The roles it was registered with; ignored once the vault has learned them from the log.
    pub roles: Vec<Role>,
    /// The browser or program, as it calls itself.
    pub agent: Option<Secret>,
    /// The IP address they come from. Only its network is kept.
    pub address: Option<Secret>,
    /// The command that opened the account.
    pub command: Uuid,
}

/// `vault.login`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// Username or e-mail address, as typed.
    pub identifier: Secret,
    /// The password.
    pub password: Secret,
    /// The browser or program, as it calls itself.
    pub agent: Option<Secret>,
    /// The IP address they come from. Only its network is kept.
    pub address: Option<Secret>,
}

/// `vault.refresh`: a new pair of tokens for a refresh token, which is used up by this.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refresh {
    /// The refresh token.
    pub refresh_token: Secret,
    /// The browser or program, as it calls itself.
    pub agent: Option<Secret>,
    /// The IP address they come from. Only its network is kept.
    pub address: Option<Secret>,
}

/// Answer to [`StartSession`], [`Login`] and [`Refresh`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SigningIn {
    /// Here are the tokens.
    SignedIn {
        /// The tokens.
        tokens: Tokens,
        /// Roles beyond that of every user.
        roles: Vec<Role>,
    },
    /// No, and no word about why: not the password, no such account, suspended, expired, used already.
    Refused,
    /// Too many attempts, or too much to hash at the moment. Never the answer to a refresh.
    Slow {
        /// Seconds after which it is worth trying again.
        retry_after: u32,
    },
}

/// What a signed-in client holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// The account.
    pub user: Uuid,
    /// The session.
    pub session: Uuid,
    /// EdDSA JWT (`at+jwt`): iss and aud `reprise`, sub = user, sid = session, roles, jti.
    pub access_token: Secret,
    /// Opaque; serves once.
    pub refresh_token: Secret,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
}

/// `vault.logout`: ends a session because its person signed out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Logout {
    /// The account.
    pub user: Uuid,
    /// The session.
    pub session: Uuid,
}

/// `vault.end_session`: ends a session for another reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndSession {
    /// Whose session it must be.
    pub user: Uuid,
    /// The session.
    pub session: Uuid,
    /// Why.
    pub reason: EndReason,
    /// Who wants it: the person, or an admin.
    pub by: Uuid,
}

/// Answer to [`Logout`] and [`EndSession`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// There was such a session and it ended now.
    pub ended: bool,
}

/// `vault.sessions`: the open sessions of a person, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sessions {
    /// The account.
    pub user: Uuid,
    /// The session that asks.
    pub current: Option<Uuid>,
}

/// One open session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// When it was signed in.
    pub started_at: DateTime<Utc>,
    /// When it was refreshed last.
    pub last_seen_at: DateTime<Utc>,
    /// The browser or program, as it calls itself.
    pub agent: Option<Secret>,
    /// The network it was seen in last: an IPv4 /24 or IPv6 /48.
    pub network: Option<Secret>,
    /// It is the one that asks.
    pub current: bool,
    /// When it ends if nothing happens.
    pub expires_at: DateTime<Utc>,
}

/// `vault.change_password`: by someone signed in who knows the old one. Ends every other session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The account.
    pub user: Uuid,
    /// The session that asks; it is the one that stays.
    pub session: Uuid,
    /// The old password.
    pub current: Secret,
    /// The new password.
    pub new: Secret,
}

/// Answer to [`ChangePassword`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ChangingPassword {
    /// The new one counts.
    Changed,
    /// `current` is not the password.
    Wrong,
    /// The new one is not good enough.
    Weak {
        /// Why.
        reasons: Vec<Weakness>,
    },
    /// Too many attempts, or too much to hash at the moment.
    Slow {
        /// Seconds after which it is worth trying again.
        retry_after: u32,
    },
}

/// `vault.forgot`: asks for a mail to set a new password. The answer is the same whether the name is known or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forgot {
    /// Username or e-mail address, as typed.
    pub identifier: Secret,
}

/// `vault.reset_password`: sets a new password by the right of a mailed token. Ends every session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResetPassword {
    /// From the mail.
    pub token: Secret,
    /// The new password.
    pub new: Secret,
}

/// Answer to [`ResetPassword`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ResettingPassword {
    /// The new one counts; the token is used up.
    Changed {
        /// Whose.
        user: Uuid,
    },
    /// Unknown, expired or used.
    BadToken,
    /// The new one is not good enough; the token still serves.
    Weak {
        /// Why.
        reasons: Vec<Weakness>,
    },
    /// Too much to hash at the moment; the token still serves.
    Slow {
        /// Seconds after which it is worth trying again.
        retry_after: u32,
    },
}

/// `vault.verify_email`: takes the proof that was mailed. The vault itself then says `identity.user.verify_email`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyEmail {
    /// From the mail.
    pub token: Secret,
}

/// Answer to [`VerifyEmail`]; the same again until the token expires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VerifyingEmail {
    /// The address is theirs.
    Verified {
        /// Whose.
        user: Uuid,
        /// The command that the vault sends to record it: its outcome can be waited for.
        command: Uuid,
    },
    /// Unknown or expired.
    BadToken,
}

/// `vault.mint_token`: the token to put into a mail. The same event gives the same token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MintToken {
    /// For whom.
    pub user: Uuid,
    /// For what.
    pub purpose: Purpose,
    /// The event that makes the mail due.
    pub event: Uuid,
    /// It serves until then.
    pub expires_at: DateTime<Utc>,
}

/// What a mailed token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To prove an address.
    Verify,
    /// To set a new password.
    Reset,
}

/// Answer to [`MintToken`]. For a person who is gone the token is made too, and serves for nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minted {
    /// Safe in an address: base64url without padding.
    pub token: Secret,
}

/// `vault.unsubscribe_token`: the token of a link that ends mails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsubscribeToken {
    /// Whose mails.
    pub user: Uuid,
    /// Of which kind, a word.
    pub category: String,
}

/// `vault.read_unsubscribe`: what is such a token for? The answer is nothing when it was not made here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unsubscribing {
    /// From the link.
    pub token: Secret,
}

/// `vault.permit`: under which address may whoever has it watch a video, until then?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Permit {
    /// The video.
    pub video: Uuid,
    /// Its end.
    pub expires_at: DateTime<Utc>,
}

/// Answer to [`Permit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Permitted {
    /// The query of the address.
    pub query: Secret,
}

/// Answer to `vault.jwks`: a JWK set (RFC 7517), to be published as it is.
pub type Jwks = serde_json::Value;

/// `vault.keys`: the keys of persons, at most 1000 at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keys {
    /// Whose.
    pub persons: Vec<Uuid>,
}

/// Answer to [`Keys`]: 32 bytes in base64 (standard alphabet, padded), or nothing for the erased and the unknown.
pub type PersonKeys = BTreeMap<Uuid, Option<Secret>>;

/// `vault.make_key`: makes a key for something that a person without an account says, before it is said: what they wrote is
/// sealed with it, and forgotten with it. Asked again it makes no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeKey {
    /// The id of what they say.
    pub about: Uuid,
}

/// Answer to [`MakeKey`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum KeyMaking {
    /// The key is there.
    Made,
    /// It was destroyed, and there will be no other.
    Erased,
}

/// Answer to `vault.claim_key`: the key under which unique names are hashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClaimKey {
    /// 32 bytes in base64.
    pub key: Secret,
}

/// Answer to `vault.edge_keys`: what gateways share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeKeys {
    /// Hashes what was asked under an `Idempotency-Key`; 32 bytes in base64.
    pub fingerprint: Secret,
    /// Signs consistency tokens; 32 bytes in base64.
    pub consistency: Secret,
}

/// Answer to `vault.push_key`: what notification signs with, so that push services know who sends (VAPID).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushKey {
    /// The scalar of a P-256 key: 32 bytes in base64.
    pub key: Secret,
}

/// Answer to `vault.push_public_key`: what browsers subscribe with. It changes only with the master key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PushPublicKey {
    /// The uncompressed point in base64url without padding, as `applicationServerKey` takes it.
    pub public_key: String,
}

/// `vault.bootstrap`: is this the one-time secret with which the first admin registers?
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bootstrap {
    /// What was shown.
    pub secret: Secret,
}

/// Answer to [`Bootstrap`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bootstrapping {
    /// It is; the registration carries this id, which can be taken once.
    Good {
        /// The same for the same secret, and tells nothing about it.
        id: Uuid,
    },
    /// It is not.
    Bad,
}

/// How every answer travels: a failure is told at once instead of left to a timeout, and says nothing about its cause.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wire<A> {
    /// The answer.
    Answer(A),
    /// There is none: `malformed`, `unknown_verb`, `unavailable`.
    Failure(String),
}
