//! `bellwether render-template`: what an annotation would say.

use std::{collections::BTreeMap, io::Read as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use model::{Clock as _, Labels, Value};

use super::say;
use crate::app::SystemClock;

#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// The alert's labels as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    labels: String,
    /// The alert's value
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    value: f64,
    /// The external labels as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    external_labels: String,
    /// The template, or `-` to read it from standard input
    template: String,
}

pub(super) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let mut text = args.template.clone();
    if text == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text).context("cannot read the template")?;
    }
    let labels = labels(&args.labels).context("--labels")?;
    let external_labels = labels_of_external(args)?;
    let template = rules::Template::parse(&text).map_err(|error| anyhow::anyhow!("{error}"))?;
    let no_query = |_: &str| Err("there is no store to ask".to_owned());
    let context = rules::template::Context {
        name: "template",
        labels: &labels,
        value: &Value::Float(args.value),
        external_labels: &external_labels,
        external_url: "",
        now: SystemClock.now(),
        query: &no_query,
    };
    say(&template.expand(&context));
    Ok(ExitCode::SUCCESS)
}

fn labels_of_external(args: &RenderArgs) -> anyhow::Result<Labels> {
    labels(&args.external_labels).context("--external-labels")
}

fn labels(json: &str) -> anyhow::Result<Labels> {
    let pairs: BTreeMap<String, String> =
        serde_json::from_str(json).context("expected a JSON object of texts")?;
    Ok(Labels::from_pairs(pairs))
}
