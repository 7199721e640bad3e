//! Finding things by a few letters.

/// How well `text` answers `query`; the smaller the better, `None` when it does not.
///
/// Every word of the query must occur, in any order and case. A match at the start counts most, then
/// one at the start of a word, then one anywhere.
pub(crate) fn rank(query: &str, text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    query.to_lowercase().split_whitespace().try_fold(0, |sum, word| {
        let at = text.find(word)?;
        let before = text[..at].chars().next_back();
        let cost = match before {
            None => 0,
            Some(before) if !before.is_alphanumeric() => 1,
            Some(_) => 2,
        };
        Some(sum + cost)
    })
}

/// Whether any of `texts` answers `query`, or together all of its words do.
pub(crate) fn matches(query: &str, texts: &[&str]) -> bool {
    rank(query, &texts.join("\n")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_matches_come_first() {
        let start = rank("check", "checkout");
        let word = rank("check", "api checkout");
        let inside = rank("heck", "checkout");
        assert!(start < word && word < inside, "{start:?} {word:?} {inside:?}");
    }

    #[test]
    fn every_word_must_occur() {
        assert!(matches("ERR check", &["checkout", "HighErrorRate"]));
        assert!(!matches("check disk", &["checkout", "HighErrorRate"]));
        assert!(matches("", &["anything"]));
    }
}
