//! What somebody probably meant to write, for the remedy in an error.

/// The known word that differs least, in at most two letters; of several the first by alphabet.
pub fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be changed, added or removed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_slip_is_recognized() {
        for (name, expected) in [
            ("exp", Some("expr")),
            ("exrp", Some("expr")),
            ("expression", None),
            ("Expr", Some("expr")),
            ("form", Some("for")),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(closest(name, ["expr", "for", "labels"]), expected, "{name}");
        }
    }
}
