//! Whose account it is, as far as the pages know. A page may be a moment behind, so what is surely there soon is waited
//! for, briefly.

use crate::app::App;
use crate::problem::Problem;
use crate::shapes::AuthUser;
use events::identity::user::Role;
use projections::{profile_page, user_page};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// How often a page is asked again for a row that is on its way.
const AGAIN: Duration = Duration::from_millis(20);

/// What `look` finds, or what it finds within `patience`.
pub(crate) async fn soon<T, F>(app: &App, patience: Duration, look: impl Fn() -> F) -> Result<Option<T>, Problem>
where
    F: Future<Output = Result<Option<T>, Problem>>,
{
    let end = Instant::now() + patience;
    loop {
        let found = look().await?;
        if found.is_some() || Instant::now() >= end {
            return Ok(found);
        }
        app.reads().hurry();
        sleep(AGAIN).await;
    }
}

/// The address behind its sealed form; nothing when there is none or its person is erased.
pub(crate) async fn opened(app: &App, sealed: Option<String>) -> Result<Option<String>, Problem> {
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(app.bus().keyring().open_text(&[sealed]).await?.pop().flatten())
}

/// The account for an answer that signs its person in. `typed` is what they signed in with: it stands in for a row that
/// is late, because whoever knows the password shall not wait for a page.
pub(super) async fn of(app: &App, id: Uuid, roles: Vec<Role>, typed: Option<&str>) -> Result<AuthUser, Problem> {
    let row = soon(app, Duration::from_millis(500), async || Ok(user_page::get(app.reads(), id).await?)).await?;
    let Some(row) = row else {
        let typed = typed.map(str::to_owned);
        let (email, username) = typed.into_iter().partition::<Vec<_>, _>(|typed| typed.contains('@'));
        return Ok(AuthUser {
            id,
            username: username.into_iter().next(),
            email: email.into_iter().next(),
            name: None,
            roles,
        });
    };
    let name = profile_page::get(app.reads(), id).await?.and_then(|profile| profile.display_name);
    Ok(AuthUser { id, username: row.username, email: opened(app, row.email_sealed).await?, name, roles })
}
