//! An account. Its id is the person's id everywhere.

use crate::Personal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What can be asked of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Opens the account. At least one of `username` and `email`.
    #[serde(rename = "identity.user.register.v1")]
    Register {
        /// The name to sign in with, unique.
        username: Option<Personal<String>>,
        /// The address, unique; it can be signed in with too.
        email: Option<Personal<String>>,
        /// What the person is called; the profile starts with it.
        name: Option<Personal<String>>,
        /// The vault's credential that was made for this account.
        credential: Uuid,
        /// `admin` when this is an admin's account; only an admin, or the one-time secret, may ask for it.
        #[serde(default)]
        roles: Vec<Role>,
        /// The vault's confirmation that the one-time secret was shown. It serves once.
        #[serde(default)]
        bootstrap: Option<Uuid>,
        /// BCP 47 tag for mails.
        #[serde(default)]
        locale: Option<String>,
    },
    /// Asks for another mail that proves the address.
    #[serde(rename = "identity.user.request_email_verification.v1")]
    RequestEmailVerification {},
    /// The vault saw the proof.
    #[serde(rename = "identity.user.verify_email.v1")]
    VerifyEmail {},
    /// The vault replaced the password.
    #[serde(rename = "identity.user.record_password_change.v1")]
    RecordPasswordChange {
        /// By what right.
        how: PasswordChange,
    },
    /// Asks for a mail with which to set a new password.
    #[serde(rename = "identity.user.request_password_reset.v1")]
    RequestPasswordReset {},
    /// The vault refused a sign-in.
    #[serde(rename = "identity.user.record_login_failure.v1")]
    RecordLoginFailure {
        /// Why.
        reason: LoginFailure,
    },
    /// Suspends or reactivates: says the status that shall be, so that asking twice is harmless.
    #[serde(rename = "identity.user.set_status.v1")]
    SetStatus {
        /// The status that shall be.
        status: Status,
        /// For the audit; free text.
        #[serde(default)]
        reason: Option<Personal<String>>,
    },
    /// Gives a role.
    #[serde(rename = "identity.user.assign_role.v1")]
    AssignRole {
        /// Which.
        role: Role,
    },
    /// Takes a role away.
    #[serde(rename = "identity.user.revoke_role.v1")]
    RevokeRole {
        /// Which.
        role: Role,
    },
    /// Forgets the person: the key is destroyed, names become free.
    #[serde(rename = "identity.user.erase.v1")]
    Erase {},
}

/// What happened to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The account exists.
    #[serde(rename = "identity.user.registered.v1")]
    Registered {
        /// As the person wrote it.
        #[serde(default)]
        username: Option<Personal<String>>,
        /// As the person wrote it.
        #[serde(default)]
        email: Option<Personal<String>>,
        /// What the person is called.
        #[serde(default)]
        name: Option<Personal<String>>,
        /// The vault's credential.
        credential: Uuid,
        /// Roles beyond that of every user.
        #[serde(default)]
        roles: Vec<Role>,
        /// The one-time secret that this account was made with; it cannot make another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bootstrap: Option<Uuid>,
        /// BCP 47 tag for mails.
        #[serde(default)]
        locale: Option<String>,
    },
    /// A mail that proves the address is due.
    #[serde(rename = "identity.user.email_verification_requested.v1")]
    EmailVerificationRequested {
        /// The proof counts until then.
        expires_at: DateTime<Utc>,
    },
    /// The address is proven to be the person's.
    #[serde(rename = "identity.user.email_verified.v1")]
    EmailVerified {},
    /// Another password counts from now on; sessions other than the one that changed it are over.
    #[serde(rename = "identity.user.password_changed.v1")]
    PasswordChanged {
        /// By what right.
        how: PasswordChange,
    },
    /// A mail with which to set a new password is due.
    #[serde(rename = "identity.user.password_reset_requested.v1")]
    PasswordResetRequested {
        /// It serves until then.
        expires_at: DateTime<Utc>,
    },
    /// Someone tried to sign in and was refused.
    #[serde(rename = "identity.user.login_failed.v1")]
    LoginFailed {
        /// Why.
        reason: LoginFailure,
    },
    /// The account cannot sign in.
    #[serde(rename = "identity.user.suspended.v1")]
    Suspended {
        /// For the audit.
        #[serde(default)]
        reason: Option<Personal<String>>,
    },
    /// The account can sign in again.
    #[serde(rename = "identity.user.reactivated.v1")]
    Reactivated {},
    /// A role was given.
    #[serde(rename = "identity.user.role_assigned.v1")]
    RoleAssigned {
        /// Which.
        role: Role,
    },
    /// A role was taken away.
    #[serde(rename = "identity.user.role_revoked.v1")]
    RoleRevoked {
        /// Which.
        role: Role,
    },
    /// The person is forgotten. Every context follows.
    #[serde(rename = "identity.user.erased.v1")]
    Erased {},
}

/// What a person may do beyond what every user may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the place.
    Admin,
    /// Looks after what others publish.
    Moderator,
}

/// Whether the account may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may.
    #[default]
    Active,
    /// It may not.
    Suspended,
}

/// By what right a password was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordChange {
    /// The old one was known.
    Known,
    /// A reset mail was followed.
    Reset,
}

/// Why a sign-in was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginFailure {
    /// Not the password.
    WrongPassword,
    /// The account is suspended.
    Suspended,
}
