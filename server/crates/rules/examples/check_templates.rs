//! Expands many templates and counts those whose text is byte for byte the expected one.
//!
//! `check_templates CASES LABELS`: CASES has a JSON object a line, `{"template", "expect": {value:
//! text}}`; LABELS is a JSON list of label names, each of which gets the value `v_NAME`. The metric
//! is called `m`. Every text that differs is printed.

use std::{collections::BTreeMap, error::Error, fs};

use model::{Labels, Value};
use rules::template::{Context, Template};

#[derive(serde::Deserialize)]
struct Case {
    template: String,
    expect: BTreeMap<String, String>,
}

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(cases), Some(names)) = (paths.next(), paths.next()) else {
        return Err("usage: check_templates CASES LABELS".into());
    };
    let names: Vec<String> = serde_json::from_str(&fs::read_to_string(names)?)?;
    let pairs = names.iter().map(|name| (name.clone(), format!("v_{name}")));
    let labels = Labels::from_pairs(pairs.chain([("__name__".to_owned(), "m".to_owned())]));
    let (mut total, mut equal) = (0, 0);
    for line in fs::read_to_string(cases)?.lines() {
        let case: Case = serde_json::from_str(line)?;
        total += 1;
        let wrong = case.expect.iter().find_map(|(value, expected)| {
            let actual = expand(&case.template, &labels, value);
            (actual != *expected).then(|| (value.clone(), expected.clone(), actual))
        });
        match wrong {
            None => equal += 1,
            Some((value, expected, actual)) => println!(
                "template {:?} with {value}\n  expected {expected:?}\n  actual   {actual:?}",
                case.template
            ),
        }
    }
    println!("{equal} of {total} byte-equal");
    Ok(())
}

fn expand(template: &str, labels: &Labels, value: &str) -> String {
    let value = Value::Float(value.parse().unwrap_or(f64::NAN));
    match Template::parse(template) {
        Ok(template) => template.expand(&Context {
            name: "A",
            labels,
            value: &value,
            external_labels: &Labels::empty(),
            external_url: "",
            now: 0,
            query: &|_| Ok(Vec::new()),
        }),
        Err(error) => format!("<parse error at {}: {error}>", error.offset),
    }
}
