//! Coming in, staying in and going out over HTTP. Secrets go to the vault and nowhere else; what the log is told comes
//! from there or names the vault's credential.

mod account;
mod login;
mod logout;
mod names;
mod password;
mod recovery;
mod refresh;
mod register;
mod sessions;
mod token;
mod verification;

pub(crate) use account::{opened, soon};
pub(crate) use names::is_email;

use crate::app::App;
use crate::problem::Problem;
use crate::table::{Route, delete, get, post, put};
use axum::http::StatusCode;
use std::time::Duration;
use vault::Weakness;

/// What identity answers.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        post(&["/api/auth/register", "/api/register", "/api/auth/signup"], register::person, register::doc()),
        post(&["/api/auth/register-admin"], register::admin, register::admin_doc()),
        post(&["/api/auth/login", "/api/login"], login::login, login::doc()),
        post(&["/api/auth/logout"], logout::logout, logout::doc()),
        post(&["/api/auth/refresh-token", "/api/auth/refresh"], refresh::refresh, refresh::doc()),
        put(&["/api/auth/change-password", "/api/change-password"], password::change, password::doc()),
        post(&["/api/auth/forgot-password"], recovery::forgot, recovery::forgot_doc()),
        post(&["/api/auth/reset-password"], recovery::reset, recovery::reset_doc()),
        post(&["/api/auth/verify-email"], verification::verify, verification::verify_doc()),
        post(&["/api/auth/resend-verification"], verification::resend, verification::resend_doc()),
        get(&["/api/auth/validate-token"], token::validate, token::doc()),
        get(&["/api/auth/sessions"], sessions::list, sessions::list_doc()),
        delete(&["/api/auth/sessions"], sessions::end_others, sessions::end_others_doc()),
        delete(&["/api/auth/sessions/{id}"], sessions::end, sessions::end_doc()),
        get(&["/.well-known/jwks.json"], token::keys, token::keys_doc()),
    ]
}

/// The vault for what needs a password hashed: it takes its turn, and the vault itself says when that would be too long.
/// Shorter than a request may take at the edge.
pub(crate) fn hashing(app: &App) -> vault::Client {
    app.vault().clone().waiting(Duration::from_secs(30))
}

/// The password is not good enough, and why.
pub(crate) fn weak(pointer: &str, reasons: &[Weakness]) -> Problem {
    let words: Vec<String> = reasons.iter().map(Weakness::to_string).collect();
    let new = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "password_weak", words.join("; "));
    words.into_iter().fold(new, |problem, word| problem.and(pointer, word))
}

/// Too many tries, or too many passwords to check at once.
pub(crate) fn slow(retry_after: u32) -> Problem {
    let detail = format!("too many tries, try again in {retry_after} s");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", detail).after(retry_after.into())
}

/// The repetition of a new password, when a form sends it.
fn same(password: &vault::Secret, repetition: Option<&vault::Secret>, pointer: &str) -> Result<(), Problem> {
    match repetition {
        Some(other) if other != password => {
            Err(Problem::field("password_mismatch", pointer, "the password and its repetition differ"))
        }
        _ => Ok(()),
    }
}
