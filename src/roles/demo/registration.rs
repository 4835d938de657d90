//! The first saga: somebody whom nobody knows registers.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use super::watch::{Row, Watch};

/// Registers somebody, and shows what follows until the profile and the session are there and so are the rows; answers
/// the access token.
///
/// # Errors
/// The platform refuses, or what should follow does not.
pub async fn register(client: &reqwest::Client, url: &str, watch: &mut Watch) -> Result<String> {
    let name = format!("demo-{}", &Uuid::new_v4().simple().to_string()[..8]);
    let password = format!("{}-{}", Uuid::new_v4(), Uuid::new_v4());
    let body = json!({ "username": name, "email": format!("{name}@example.org"), "password": password });
    watch.ask("POST /api/auth/register", &format!("@{name}"));
    let answer = client.post(format!("{url}/api/auth/register")).json(&body).send().await;
    let answer = answer.with_context(|| format!("{url} does not answer"))?;
    let (status, root) = (answer.status(), root_of(&answer)?);
    let text = answer.text().await?;
    ensure!(status.as_u16() == 201, "registering was answered with {status}: {text}");
    watch.answered(root, &status.to_string());
    let answer: Value = serde_json::from_str(&text)?;
    let id = answer["user"]["id"].as_str().context("the answer names no user")?.parse()?;
    let token = answer["access_token"].as_str().context("the answer has no token")?.to_owned();
    let rows = [
        Row {
            page: "user_page",
            sql: "select format('id %s, %s, version %s', id, status, version) from read.user_page where id = $1",
        },
        Row {
            page: "profile_page",
            sql: "select format('/u/%s, %s, version %s', handle, visibility, version) from read.profile_page
                  where user_id = $1",
        },
    ];
    watch.follow(&["profile.profile.created.v1", "identity.session.started.v1"], id, &rows).await?;
    Ok(token)
}

/// The first command of a request.
pub(super) fn root_of(answer: &reqwest::Response) -> Result<Uuid> {
    let id = answer.headers().get("x-correlation-id").and_then(|id| id.to_str().ok());
    Ok(id.context("the answer names no X-Correlation-Id")?.parse()?)
}
