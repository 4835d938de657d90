//! A signed-in session: state is the vault's, these are the facts for audit and for revocation at every gateway.

use crate::Personal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the vault reports of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Someone signed in.
    #[serde(rename = "identity.session.start.v1")]
    Start {
        /// Who.
        user: Uuid,
        /// How: `registration`, `password`.
        method: Method,
        /// The browser or program, as it calls itself.
        agent: Option<Personal<String>>,
        /// The network they came from: an IPv4 /24 or IPv6 /48, never the whole address.
        network: Option<Personal<String>>,
    },
    /// The session is over.
    #[serde(rename = "identity.session.end.v1")]
    End {
        /// Whose it was.
        user: Uuid,
        /// Why.
        reason: EndReason,
    },
    /// A refresh token that had been replaced was shown again: the family is stolen, the session is over.
    #[serde(rename = "identity.session.report_reuse.v1")]
    ReportReuse {
        /// Whose it was.
        user: Uuid,
    },
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// Someone signed in.
    #[serde(rename = "identity.session.started.v1")]
    Started {
        /// Who.
        user: Uuid,
        /// How.
        method: Method,
        /// The browser or program, as it calls itself.
        #[serde(default)]
        agent: Option<Personal<String>>,
        /// The network they came from.
        #[serde(default)]
        network: Option<Personal<String>>,
    },
    /// The session is over: no gateway takes its tokens any more.
    #[serde(rename = "identity.session.ended.v1")]
    Ended {
        /// Whose it was.
        user: Uuid,
        /// Why.
        reason: EndReason,
    },
    /// A replaced refresh token was shown again; an `Ended` follows.
    #[serde(rename = "identity.session.reuse_detected.v1")]
    ReuseDetected {
        /// Whose it was.
        user: Uuid,
    },
}

/// How a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// With the account itself.
    Registration,
    /// With a password.
    Password,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The person signed out.
    LoggedOut,
    /// The person, or an admin, ended it from elsewhere.
    Revoked,
    /// The password was replaced.
    PasswordChanged,
    /// A refresh token was used twice.
    ReuseDetected,
    /// The account was suspended.
    Suspended,
    /// The account was erased.
    Erased,
}
