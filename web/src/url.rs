//! Addresses: encoding, and links that keep the page's time range.

use std::fmt::Write as _;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate, use_params_map};

/// Percent-encodes a text for use as one part of a path or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    encoded
}

/// A part of this page's path, by the name the route gives it.
pub(crate) fn use_param(name: &'static str) -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get(name).unwrap_or_default()))
}

/// A query string from names and values; empty without any.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&encode(name));
        text.push('=');
        text.push_str(&encode(value));
    }
    text
}

/// The server's list of events for these parameters.
pub(crate) fn events_api(parameters: &[(&'static str, String)]) -> String {
    let pairs: Vec<(&str, &str)> =
        parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    format!("/api/app/events{}", query(&pairs))
}

/// Changes parameters of this page's address: takes away those named first, then adds the others. To
/// be made while a component is made.
pub(crate) fn use_set_parameters() -> impl Fn(&[&str], &[(&str, &str)]) {
    let navigate = use_navigate();
    let location = use_location();
    move |gone, new| {
        let search = location.query.with_untracked(|present| {
            let kept: Vec<(String, String)> = present
                .latest_values()
                .filter(|(name, _)| !gone.contains(&name.as_ref()))
                .map(|(name, value)| (name.clone().into_owned(), value.to_owned()))
                .collect();
            let kept = kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            query(&kept.chain(new.iter().copied()).collect::<Vec<_>>())
        });
        let path = location.pathname.get_untracked();
        let options = NavigateOptions { scroll: false, ..NavigateOptions::default() };
        navigate(&format!("{path}{search}"), options);
    }
}

/// The page of a service.
pub(crate) fn service(name: &str) -> String {
    format!("/services/{}", encode(name))
}

/// The page of a host.
pub(crate) fn host(name: &str) -> String {
    format!("/hosts/{}", encode(name))
}

/// The page of an alert.
pub(crate) fn alert(id: &str) -> String {
    format!("/alerts/{}", encode(id))
}

/// The page of a monitor.
pub(crate) fn monitor(name: &str) -> String {
    format!("/uptime/{}", encode(name))
}

/// The page of a runbook.
pub(crate) fn runbook(name: &str) -> String {
    format!("/runbooks/{}", encode(name))
}

/// The page that explores an expression.
pub(crate) fn explore(expr: &str) -> String {
    format!("/explore{}", query(&[("q", expr)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_an_address_is_encoded() {
        assert_eq!(encode("a b/c?d=é"), "a%20b%2Fc%3Fd%3D%C3%A9");
        assert_eq!(service("web/1"), "/services/web%2F1");
    }

    #[test]
    fn a_query_joins_its_pairs() {
        assert_eq!(query(&[]), "");
        assert_eq!(query(&[("q", "up{}"), ("range", "1h")]), "?q=up%7B%7D&range=1h");
    }
}
