//! Alertmanager's notation of matchers: `team="x"`, `severity=~"page|ticket"`, `{a=b, c!=d}`.

use model::{MatchOp, Matcher};

/// Why a text is not a list of matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatchersError {
    /// No operator was found, or the name is missing.
    #[error("`{0}` is not a matcher, expected something like team=\"x\" or severity=~\"a|b\"")]
    Malformed(String),
    /// A quoted text has no end, or something follows its end.
    #[error("bad quotes in `{0}`")]
    BadQuotes(String),
    /// The regular expression does not compile.
    #[error("{0}")]
    BadPattern(String),
}

/// Reads one or more matchers, separated by commas, with or without braces around them. Names and
/// values may be in double quotes; a value without quotes ends at the comma and is trimmed.
///
/// # Errors
/// Names the matcher that is wrong.
pub fn parse(text: &str) -> Result<Vec<Matcher>, MatchersError> {
    let trimmed = text.trim();
    let inner = match (trimmed.strip_prefix('{'), trimmed.strip_suffix('}')) {
        (Some(rest), Some(_)) => rest.strip_suffix('}').unwrap_or(rest),
        (None, None) => trimmed,
        // `a=~"x{2}` and the like: a brace inside a value is not ours.
        (None, Some(_)) => trimmed,
        (Some(_), None) => return Err(MatchersError::Malformed(trimmed.to_owned())),
    };
    split_outside_quotes(inner)?
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(parse_one)
        .collect()
}

/// Builds the matcher of a legacy `match` or `match_re` entry or of an API call.
///
/// # Errors
/// When the pattern does not compile.
pub fn build(name: &str, op: MatchOp, value: &str) -> Result<Matcher, MatchersError> {
    Matcher::try_new(name, op, value).map_err(|error| MatchersError::BadPattern(error.to_string()))
}

fn split_outside_quotes(text: &str) -> Result<Vec<&str>, MatchersError> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(MatchersError::BadQuotes(text.to_owned()));
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn parse_one(text: &str) -> Result<Matcher, MatchersError> {
    let malformed = || MatchersError::Malformed(text.to_owned());
    let bad_quotes = || MatchersError::BadQuotes(text.to_owned());
    let (name, rest) = if text.starts_with('"') {
        let (name, rest) = take_quoted(text).ok_or_else(bad_quotes)?;
        (name, rest.trim_start())
    } else {
        let end = text.find(['=', '!', '~']).ok_or_else(malformed)?;
        let name = text[..end].trim();
        if name.contains(char::is_whitespace) || name.contains('"') {
            return Err(malformed());
        }
        (name.to_owned(), &text[end..])
    };
    let (op, value) = [
        ("=~", MatchOp::Regex),
        ("!~", MatchOp::NotRegex),
        ("!=", MatchOp::NotEqual),
        ("=", MatchOp::Equal),
    ]
    .into_iter()
    .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?.trim())))
    .ok_or_else(malformed)?;
    if name.is_empty() {
        return Err(malformed());
    }
    let value = if value.starts_with('"') {
        match take_quoted(value) {
            Some((value, "")) => value,
            _ => return Err(bad_quotes()),
        }
    } else if value.contains('"') {
        return Err(bad_quotes());
    } else {
        value.to_owned()
    };
    build(&name, op, &value)
}

/// The text within leading quotes, with `\"`, `\\` and `\n` resolved, and what follows. Other escapes
/// stay as they are, so that patterns need not double their backslashes.
fn take_quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                c @ ('"' | '\\') => out.push(c),
                c => {
                    out.push('\\');
                    out.push(c);
                }
            },
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matchers_are_read_as_alertmanager_does() {
        for (text, expected) in [
            (r#"team="x""#, r#"team="x""#),
            ("team=x", r#"team="x""#),
            (" team = x y ", r#"team="x y""#),
            (r#"severity=~"a|b""#, r#"severity=~"a|b""#),
            (r#"{a!="b",c!~"d,e"}"#, r#"a!="b" c!~"d,e""#),
            (r#"a="",b=~"#, r#"a="" b=~"""#),
            (r#""my label"="x""#, r#""my label"="x""#),
            (r#"a="say \"hi\"\n""#, r#"a="say \"hi\"\n""#),
            (r#"a=~"\d{2}""#, r#"a=~"\\d{2}""#),
            ("{}", ""),
            (r#"a="b","#, r#"a="b""#),
        ] {
            let matchers = parse(text).unwrap();
            let shown: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_bad_matcher_is_named() {
        for (text, reason) in [
            ("team", "not a matcher"),
            ("=x", "not a matcher"),
            ("a b=c", "not a matcher"),
            (r#"{a="b""#, "not a matcher"),
            (r#"a="b"#, "bad quotes"),
            (r#"a="b"c"#, "bad quotes"),
            (r#"a=b"c""#, "bad quotes"),
            ("a=~(", "unclosed group"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn property_matchers_never_panic(text in r#"[a{}"\\=~!, é]{0,20}"#) {
            let _result = parse(&text);
        }

        #[test]
        fn property_a_shown_matcher_reads_back(name in "[a-z_]{1,8}", value in r#"[a-zA-Z0-9 "\\,{}\n=é]{0,16}"#) {
            let matcher = Matcher::equal(name, value);
            prop_assert_eq!(parse(&matcher.to_string()).unwrap(), vec![matcher]);
        }
    }
}
