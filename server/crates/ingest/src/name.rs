//! Names as Prometheus wants them, made the way `statsd_exporter` makes them.

use std::borrow::Cow;

/// Cleans the name of a metric: every character outside `[a-zA-Z0-9_:]` becomes `_`, and a digit in
/// front gets a `_` before it. Source: `pkg/mapper/escape.go` of `statsd_exporter`.
pub fn clean_metric_name(name: &str) -> Cow<'_, str> {
    clean(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// Cleans the key of a tag for use as a label: like a metric's name, but `:` is replaced too, and a
/// key that would begin with `__`, which is reserved for the server, gets `tag` in front.
pub fn clean_label_name(key: &str) -> Cow<'_, str> {
    let cleaned = clean(key, |c| c.is_ascii_alphanumeric() || c == '_');
    if cleaned.starts_with("__") { format!("tag{cleaned}").into() } else { cleaned }
}

fn clean(text: &str, is_allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if !starts_with_digit && text.chars().all(&is_allowed) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 1);
    if starts_with_digit {
        cleaned.push('_');
    }
    cleaned.extend(text.chars().map(|c| if is_allowed(c) { c } else { '_' }));
    Cow::Owned(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::labels::{is_label_name, is_metric_name};
    use proptest::prelude::*;

    #[test]
    fn metric_names_are_cleaned_as_statsd_exporter_does() {
        for (name, cleaned) in [
            ("clean:this_NAME9", "clean:this_NAME9"),
            ("go.response.api-v1.time", "go_response_api_v1_time"),
            ("9lives", "_9lives"),
            ("with space/and%", "with_space_and_"),
            ("naïve", "na_ve"),
        ] {
            assert_eq!(clean_metric_name(name), cleaned);
        }
    }

    #[test]
    fn label_names_lose_colons_and_never_take_reserved_names() {
        for (key, cleaned) in [
            ("env", "env"),
            ("kube.pod-name", "kube_pod_name"),
            ("a:b", "a_b"),
            ("1st", "_1st"),
            ("__name__", "tag__name__"),
            ("@@x", "tag__x"),
        ] {
            assert_eq!(clean_label_name(key), cleaned);
        }
    }

    proptest! {
        #[test]
        fn property_cleaned_names_are_valid(name in ".{1,40}") {
            let cleaned = clean_metric_name(&name);
            prop_assert!(is_metric_name(&cleaned), "{}", cleaned);
            prop_assert!(is_label_name(&clean_label_name(&name)));
            prop_assert_eq!(clean_metric_name(&cleaned), cleaned.clone());
        }
    }
}
