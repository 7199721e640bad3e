//! `bellwether health`: for container health checks, which have no other HTTP client at hand.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;

use super::{fail, say};

const TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run(url: &str) -> anyhow::Result<ExitCode> {
    super::small_runtime()?.block_on(async {
        notify::net::install_crypto();
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let answer =
            client.get(url).send().await.with_context(|| format!("{url} does not answer"))?;
        let is_ready = answer.status().is_success();
        let text = answer.text().await.unwrap_or_default();
        if is_ready {
            say(text.trim());
            return Ok(ExitCode::SUCCESS);
        }
        fail(text.trim());
        Ok(ExitCode::FAILURE)
    })
}
