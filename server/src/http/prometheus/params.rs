//! Parameters from the query string and from a form, in Prometheus's notations.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{Method, header},
};
use jiff::Timestamp as Instant;
use model::{MatchOp, Matcher, Timestamp};
use promql::parser::ExprKind;

use super::envelope::Failure;

/// The most bytes of a form.
const MAX_FORM_BYTES: usize = 10 << 20;

/// Names and values in order; a name may come several times (`match[]`).
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let mut pairs = decode(request.uri().query().unwrap_or_default().as_bytes())?;
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if request.method() == Method::POST && is_form {
            let body = Bytes::from_request(request, state)
                .await
                .map_err(|error| Failure::bad_data(format!("cannot read the form: {error}")))?;
            if body.len() > MAX_FORM_BYTES {
                return Err(Failure::bad_data("the form is larger than 10 MiB"));
            }
            pairs.extend(decode(&body)?);
        }
        Ok(Self(pairs))
    }
}

fn decode(text: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    serde_urlencoded::from_bytes(text)
        .map_err(|error| Failure::bad_data(format!("cannot read the parameters: {error}")))
}

impl Params {
    /// The last value of a parameter; an empty one counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::parameter(name, "it is missing"))
    }

    /// A time: seconds with a fraction, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_time(text).map(Some).ok_or_else(|| {
            let reason =
                format!("cannot parse {text:?} to a valid timestamp, expected seconds or RFC 3339");
            Failure::parameter(name, reason)
        })
    }

    /// A duration in milliseconds: seconds with a fraction, or Prometheus's notation.
    pub(super) fn duration_ms(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        parse_duration_ms(text).map(Some).ok_or_else(|| {
            let reason =
                format!("cannot parse {text:?} to a valid duration, expected seconds or 5m");
            Failure::parameter(name, reason)
        })
    }

    /// A limit on the number of results; 0 and missing mean none.
    pub(super) fn limit(&self) -> Result<usize, Failure> {
        let Some(text) = self.get("limit") else { return Ok(usize::MAX) };
        match text.parse() {
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(limit),
            Err(_) => Err(Failure::parameter("limit", "it must be a whole number, 0 or more")),
        }
    }

    /// The selectors of `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Failure> {
        self.0
            .iter()
            .filter(|(name, _)| name == "match[]")
            .map(|(_, text)| selector(text))
            .collect()
    }
}

fn selector(text: &str) -> Result<Vec<Matcher>, Failure> {
    let fail = |reason: String| Failure::parameter("match[]", reason);
    let expr = promql::parse(text).map_err(|error| fail(error.to_string()))?;
    let ExprKind::Selector(selector) = expr.kind else {
        return Err(fail(format!("{text:?} is not a selector such as up{{job=\"a\"}}")));
    };
    let matchers = selector.all_matchers();
    if matchers.iter().all(|m| m.matches("") && m.op != MatchOp::NotEqual) {
        return Err(fail("match[] must contain at least one non-empty matcher".to_owned()));
    }
    Ok(matchers)
}

/// A time: seconds with a fraction, or RFC 3339.
pub(in crate::http) fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return (ms.abs() < 9.0e15).then_some(ms as Timestamp);
    }
    text.parse::<Instant>().ok().map(Instant::as_millisecond)
}

fn parse_duration_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = (seconds * 1000.0).round();
        return (ms.abs() < 9.0e15).then_some(ms as i64);
    }
    model::duration::parse(text).ok().map(|duration| duration.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000.781", Some(1_700_000_000_781)),
            ("-1", Some(-1000)),
            ("2023-11-14T22:13:20Z", Some(1_700_000_000_000)),
            ("2023-11-14T23:13:20.5+01:00", Some(1_700_000_000_500)),
            ("yesterday", None),
            ("NaN", None),
            ("1e300", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_seconds_or_units() {
        for (text, expected) in
            [("15", Some(15_000)), ("0.5", Some(500)), ("1m30s", Some(90_000)), ("soon", None)]
        {
            assert_eq!(parse_duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn a_selector_must_select_something() {
        for (text, is_fine) in [
            ("up", true),
            ("{job=\"a\"}", true),
            ("{job=~\".*\"}", false),
            ("{}", false),
            ("1 + 1", false),
        ] {
            assert_eq!(selector(text).is_ok(), is_fine, "{text}");
        }
    }
}
