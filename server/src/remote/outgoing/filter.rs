//! Which series are sent to an endpoint.

use model::{Labels, Matcher};
use promql::parser::ExprKind;

/// Selectors to keep and to drop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    keep: Vec<Vec<Matcher>>,
    drop: Vec<Vec<Matcher>>,
}

impl Filter {
    /// # Errors
    /// The first text that is no selector, in words.
    pub(crate) fn try_new(keep: &[String], drop: &[String]) -> Result<Self, String> {
        let all = |texts: &[String]| -> Result<Vec<Vec<Matcher>>, String> {
            texts.iter().map(|text| Self::selector(text)).collect()
        };
        Ok(Self { keep: all(keep)?, drop: all(drop)? })
    }

    /// Reads a selector such as `{service="shop"}`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn selector(text: &str) -> Result<Vec<Matcher>, String> {
        let expr = promql::parse(text).map_err(|error| format!("`{text}`: {error}"))?;
        match expr.kind {
            ExprKind::Selector(selector) => Ok(selector.all_matchers()),
            _ => Err(format!("`{text}` is not a selector such as {{service=\"shop\"}}")),
        }
    }

    /// Whether a series is sent: some selector to keep matches, if there are any, and none to drop.
    pub(crate) fn wants(&self, labels: &Labels) -> bool {
        let matches = |selector: &Vec<Matcher>| selector.iter().all(|m| m.matches_labels(labels));
        (self.keep.is_empty() || self.keep.iter().any(matches)) && !self.drop.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_still_be_dropped() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "shop")]);
        for (name, keep, drop, expected) in [
            ("no selector", &[][..], &[][..], true),
            ("kept", &["{job=\"shop\"}"], &[], true),
            ("one of two", &["down", "up"], &[], true),
            ("none of them", &["down"], &[], false),
            ("all matchers must hold", &["up{job=\"x\"}"], &[], false),
            ("dropped", &[], &["{__name__=~\"u.*\"}"], false),
            ("kept and dropped", &["up"], &["{job=~\"sh.*\"}"], false),
        ] {
            let filter = Filter::try_new(&texts(keep), &texts(drop)).unwrap();
            assert_eq!(filter.wants(&labels), expected, "{name}");
        }
    }

    #[test]
    fn only_selectors_are_selectors() {
        for text in ["rate(up[5m])", "up{", "1"] {
            let error = Filter::selector(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
