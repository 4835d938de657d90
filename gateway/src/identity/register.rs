//! `POST /api/auth/register`: opens an account and signs its person in. The password goes to the vault, the command
//! names the credential that the vault made of it, and everything is derived from the command's id: a repetition under
//! the same `Idempotency-Key` finds the same account and gets the same tokens.

use super::{hashing, names, same, slow, weak};
use crate::answer::Answer;
use crate::app::{Accepted, App, Who};
use crate::asked::Asked;
use crate::extract::{Body, MaybeActor};
use crate::openapi::{DONE, Doc, doc as describe};
use crate::problem::Problem;
use crate::shapes::{AuthUser, Registration, SignedIn, given, personal};
use axum::extract::State;
use axum::http::HeaderMap;
use events::identity::user::{Command, Role};
use serde_json::json;
use uuid::Uuid;
use vault::api::{Bootstrap, Bootstrapping, Register, Registering, SigningIn, StartSession};

pub(super) fn doc() -> Doc {
    let text = "With a username, an e-mail address, or both. The profile follows at once, with a handle from the username or \
        the part of the address before the `@`; a mail with which the address can be proven follows too.";
    let example = json!({ "username": "ada", "email": "ada@example.org", "password": "correct horse battery staple", "name": "Ada" });
    describe("register", "identity", "Open an account")
        .text(text)
        .body("Registration", example)
        .command()
        .refuses(&[401])
        .answers_with(201, "SignedIn", "The account is open and its person signed in", &[DONE, &["Location"]].concat())
}

pub(super) fn admin_doc() -> Doc {
    let example = json!({ "username": "root-ada", "password": "correct horse battery staple", "bootstrap_secret": "printed by the first start" });
    let mut doc = doc();
    doc.id = "register_admin";
    doc.summary = "Open the account of an admin";
    doc.text = "An admin asks, or whoever shows the one-time secret that the platform printed when it started first, in the body or \
        as `X-Bootstrap-Secret`. The secret makes one admin.";
    doc.access = crate::openapi::Access::Optional;
    doc.body("AdminRegistration", example)
}

/// `POST /api/auth/register`
pub(super) async fn person(
    State(app): State<App>,
    asked: Asked,
    Body(input): Body<Registration>,
) -> Result<Answer, Problem> {
    if input.bootstrap_secret.is_some() {
        let detail = "an admin registers at /api/auth/register-admin";
        return Err(Problem::field("field_invalid", "/bootstrap_secret", detail));
    }
    open(&app, &asked, Who::Unknown, input, vec![], None).await
}

/// `POST /api/auth/register-admin`
pub(super) async fn admin(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    asked: Asked,
    headers: HeaderMap,
    Body(input): Body<Registration>,
) -> Result<Answer, Problem> {
    let header = headers.get("x-bootstrap-secret").and_then(|value| value.to_str().ok());
    let secret = input.bootstrap_secret.clone().or(header.map(Into::into));
    let refused =
        || Problem::forbidden("bootstrap_refused", "only an admin, or the one-time secret, opens an admin's account");
    let (who, bootstrap) = match (actor.filter(|actor| actor.is_admin()), secret) {
        (Some(admin), _) => (Who::Person(admin), None),
        (None, None) => return Err(refused()),
        (None, Some(secret)) => match app.vault().bootstrap(&Bootstrap { secret }).await? {
            Bootstrapping::Good { id } => (Who::Unknown, Some(id)),
            Bootstrapping::Bad => return Err(refused()),
        },
    };
    open(&app, &asked, who, input, vec![Role::Admin], bootstrap).await
}

async fn open(
    app: &App,
    asked: &Asked,
    who: Who,
    input: Registration,
    roles: Vec<Role>,
    bootstrap: Option<Uuid>,
) -> Result<Answer, Problem> {
    same(&input.password, input.confirm_password.as_ref(), "/confirm_password")?;
    let Registration { username, email, name, locale, password, .. } = input;
    let (username, email, name) = (given(username), given(email), given(name));
    if username.is_none() && email.is_none() {
        let detail = "give a username, an e-mail address, or both";
        return Err(Problem::field("name_required", "/username", detail));
    }
    names::check(username.as_deref(), email.as_deref(), name.as_deref())?;
    let (id, new) = (app.first_command(&who, asked)?, app.new_id(asked)?);
    let credential = Uuid::new_v5(&id, b"credential");
    let logins = [&username, &email].into_iter().flatten().map(|name| name.as_str().into()).collect();
    admit(app, Register { command: id, user: new, credential, password, logins }).await?;
    let command = Command::Register {
        username: personal(&username),
        email: personal(&email),
        name: personal(&name),
        credential,
        roles: roles.clone(),
        bootstrap,
        locale,
    };
    match app.send(who, asked, new, command).await? {
        Accepted::Later(operation) => Ok(Answer::later(operation)),
        Accepted::Done(outcome) => {
            let user = AuthUser { id: outcome.subject, username, email, name, roles };
            let signed_in = sign_in(app, asked, id, credential, user).await?;
            Ok(Answer::created(&format!("/api/users/{}", outcome.subject), &signed_in).etag(outcome.version))
        }
    }
}

/// The vault takes the password, or says why not.
async fn admit(app: &App, question: Register) -> Result<(), Problem> {
    match hashing(app).register(&question).await? {
        Registering::Registered => Ok(()),
        Registering::Weak { reasons } => Err(weak("/password", &reasons)),
        Registering::Mismatch => {
            Err(Problem::invalid("idempotency_key_reused", "this Idempotency-Key was used for another request"))
        }
        Registering::Slow { retry_after } => Err(slow(retry_after)),
    }
}

async fn sign_in(
    app: &App,
    asked: &Asked,
    command: Uuid,
    credential: Uuid,
    user: AuthUser,
) -> Result<SignedIn, Problem> {
    let question = StartSession {
        user: user.id,
        credential,
        roles: user.roles.clone(),
        agent: asked.agent().map(Into::into),
        address: Some(asked.address().to_string().into()),
        command,
    };
    match app.vault().start_session(&question).await? {
        SigningIn::SignedIn { tokens, .. } => Ok(SignedIn::new(user, &tokens)),
        SigningIn::Slow { retry_after } => Err(slow(retry_after)),
        SigningIn::Refused => Err(Problem::unauthenticated("the account is open, sign in with its password")),
    }
}
