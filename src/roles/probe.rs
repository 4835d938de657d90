//! Asks a probe, for health checks in images that have no other HTTP client. The exit code tells.

use anyhow::{Result, ensure};
use std::time::Duration;

/// Asks `url`.
///
/// # Errors
/// No answer, or none that says well.
pub async fn run(url: String) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(&url).send().await?;
    let status = answer.status();
    ensure!(status.is_success(), "{url} answers {status}: {}", answer.text().await.unwrap_or_default());
    Ok(())
}
