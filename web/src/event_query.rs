//! What a reader writes to find events: words, and `name:value` for a tag, the host, the source or the
//! type.

use api_types::AlertType;

/// Splits at spaces outside of quotes; the quotes go.
fn terms(query: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let (mut term, mut is_quoted) = (String::new(), false);
    for c in query.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            c if c.is_whitespace() && !is_quoted => terms.push(std::mem::take(&mut term)),
            c => term.push(c),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}

/// Name and value of a term; an address such as `http://host` is a word.
fn assignment(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once(':')?;
    (!name.is_empty() && !value.is_empty() && !value.starts_with("//")).then_some((name, value))
}

/// The parameters of `/api/app/events` for a query.
pub(crate) fn parameters(query: &str) -> Vec<(&'static str, String)> {
    let parameter = |term: String| match assignment(&term) {
        Some(("host", host)) => ("host", host.to_owned()),
        Some(("source", source)) => ("source", source.to_owned()),
        Some(("type", word)) if AlertType::parse(word).is_some() => ("alert_type", word.to_owned()),
        Some(_) => ("tag", term),
        None => ("q", term),
    };
    terms(query).into_iter().map(parameter).collect()
}

/// A term as it is written.
fn written(name: &str, value: &str) -> String {
    let value = value.replace('"', "");
    if value.contains(char::is_whitespace) {
        format!("{name}:\"{value}\"")
    } else {
        format!("{name}:{value}")
    }
}

/// Whether a query asks for `name:value`.
pub(crate) fn has_term(query: &str, name: &str, value: &str) -> bool {
    terms(query).iter().any(|term| assignment(term) == Some((name, value)))
}

/// The query with the term added, or without it when it was there.
pub(crate) fn toggled(query: &str, name: &str, value: &str) -> String {
    let has_it = has_term(query, name, value);
    let mut kept: Vec<String> = terms(query)
        .iter()
        .filter(|term| assignment(term) != Some((name, value)))
        .map(|term| match assignment(term) {
            Some((name, value)) => written(name, value),
            None if term.contains(char::is_whitespace) => format!("\"{term}\""),
            None => term.clone(),
        })
        .collect();
    if !has_it {
        kept.push(written(name, value));
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_assignments_become_parameters() {
        for (query, expected) in [
            ("  new   version ", vec![("q", "new"), ("q", "version")]),
            ("service:shop", vec![("tag", "service:shop")]),
            ("host:web-1 source:ci", vec![("host", "web-1"), ("source", "ci")]),
            ("type:error type:loud", vec![("alert_type", "error"), ("tag", "type:loud")]),
            ("team:\"web shop\"", vec![("tag", "team:web shop")]),
            ("http://a:80 12: :b", vec![("q", "http://a:80"), ("q", "12:"), ("q", ":b")]),
            ("\"open", vec![("q", "open")]),
            ("", vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
            assert_eq!(parameters(query), expected, "{query}");
        }
    }

    #[test]
    fn a_term_is_added_and_taken_away() {
        for (query, name, value, expected) in [
            ("", "service", "shop", "service:shop"),
            ("new", "team", "web shop", "new team:\"web shop\""),
            ("a service:shop b", "service", "shop", "a b"),
            ("team:\"web shop\"", "team", "web shop", ""),
            ("service:cart", "service", "shop", "service:cart service:shop"),
        ] {
            let after = toggled(query, name, value);
            assert_eq!(after, expected, "{query}");
            let is_there = has_term(&after, name, value);
            assert_ne!(is_there, has_term(query, name, value), "{query}");
        }
    }
}
