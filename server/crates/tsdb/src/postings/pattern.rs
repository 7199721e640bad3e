//! What can be said of a regular expression without running it.

use regex_syntax::{
    ParserBuilder,
    hir::literal::{ExtractKind, Extractor, Seq},
};

/// A pattern with more alternatives than this is run.
const MAX_LITERALS: usize = 64;

/// The shape of a pattern that is anchored at both ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    /// All texts it matches, ascending, when they are few and none is empty.
    literals: Option<Box<[Box<str>]>>,
    prefix: Box<str>,
    suffix: Box<str>,
}

impl Pattern {
    /// Looks at a pattern. Of one that cannot be read nothing is said.
    pub(super) fn new(pattern: &str) -> Self {
        let mut parser = ParserBuilder::new().dot_matches_new_line(true).build();
        let Ok(hir) = parser.parse(pattern) else { return Self::default() };
        let prefixes = Extractor::new().extract(&hir);
        let suffixes = Extractor::new().kind(ExtractKind::Suffix).extract(&hir);
        // What looks at the edges of words or lines may refuse a text that is a literal otherwise.
        let is_plain = hir.properties().look_set().is_empty();
        Self {
            literals: if is_plain { literals_of(&prefixes) } else { None },
            prefix: text(prefixes.longest_common_prefix()),
            suffix: text(suffixes.longest_common_suffix()),
        }
    }

    pub(super) fn literals(&self) -> Option<&[Box<str>]> {
        self.literals.as_deref()
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a text has the parts that every match has.
    pub(super) fn may_match(&self, value: &str) -> bool {
        value.ends_with(&*self.suffix) && value.starts_with(&*self.prefix)
    }
}

fn literals_of(texts: &Seq) -> Option<Box<[Box<str>]>> {
    let literals = texts.literals().filter(|l| texts.is_exact() && l.len() <= MAX_LITERALS)?;
    let mut all: Vec<Box<str>> = Vec::with_capacity(literals.len());
    for literal in literals {
        // An empty alternative accepts series without the label, which have no postings to add up.
        let text = std::str::from_utf8(literal.as_bytes()).ok().filter(|text| !text.is_empty())?;
        all.push(text.into());
    }
    all.sort_unstable();
    all.dedup();
    Some(all.into())
}

/// A part shared by all matches; one that was cut within a character says nothing.
fn text(bytes: Option<&[u8]>) -> Box<str> {
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{MatchOp, Matcher};
    use proptest::prelude::*;

    #[test]
    fn shortcuts_of_patterns_keep_to_what_is_certain() {
        for (pattern, literals, prefix, suffix) in [
            ("get|put", Some(vec!["get", "put"]), "", "t"),
            ("get", Some(vec!["get"]), "get", "get"),
            ("app_(a|b)_total", Some(vec!["app_a_total", "app_b_total"]), "app_", "_total"),
            ("5[0-2]", Some(vec!["50", "51", "52"]), "5", ""),
            ("(?i)a", Some(vec!["A", "a"]), "", ""),
            ("a\\.b", Some(vec!["a.b"]), "a.b", "a.b"),
            ("api-.*", None, "api-", ""),
            (".*_total", None, "", "_total"),
            ("api-.*_total", None, "api-", "_total"),
            ("ab*", None, "a", ""),
            ("é?", None, "", ""),
            ("é.*ü", None, "é", "ü"),
            ("[éè].*", None, "", ""),
            ("ab{0}", Some(vec!["a"]), "a", "a"),
            ("ab+", None, "ab", "b"),
            ("a|b.*", None, "", ""),
            ("a|", None, "", ""),
            ("a$|b", None, "", ""),
            ("a\\b.*", None, "a", ""),
            ("5..", None, "5", ""),
            ("", None, "", ""),
            ("(x", None, "", ""),
        ] {
            let found = Pattern::new(pattern);
            let texts = found.literals().map(|l| l.iter().map(|text| &**text).collect::<Vec<_>>());
            let found = (texts, &*found.prefix, &*found.suffix);
            assert_eq!(found, (literals, prefix, suffix), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn property_shortcuts_agree_with_the_pattern(
            pattern in "([ab.|?*+()]|\\(\\?i\\)|\\^|\\$|\\\\b|\\{0,2\\}|[éè]|\\[aé\\]){0,8}",
            values in proptest::collection::vec("[abABéè]{0,5}", 1..20),
        ) {
            let Ok(matcher) = Matcher::try_new("x", MatchOp::Regex, &*pattern) else {
                return Ok(());
            };
            let shape = Pattern::new(&pattern);
            for value in &values {
                let is_match = matcher.matches(value);
                prop_assert!(!is_match || shape.may_match(value), "{} {}", pattern, value);
                if let Some(literals) = shape.literals() {
                    let is_literal = literals.iter().any(|literal| **literal == **value);
                    prop_assert_eq!(is_literal, is_match, "{} {}", pattern, value);
                }
            }
        }
    }
}
