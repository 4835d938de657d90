//! Rebuilding both pages from the log, personal fields opened, against `COPY` of the rows that come of it.

use anyhow::{Context, Result, bail};

use crate::platform::Platform;
use crate::run::Bench;

/// Fills.
pub async fn fill(_bench: &Bench, _platform: &Platform) -> Result<()> {
    bail!("not yet")
}

/// Measures.
pub async fn measure(_bench: &mut Bench, _platform: &Platform) -> Result<()> {
    None.context("not yet")
}
