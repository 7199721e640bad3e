//! Lines of `load` that tell since when samples count: `name{label="value"}@st -1m -1mx3 _ 0s+5sx2`.
//!
//! Each item is the distance from the sample of the following line with the same place, or, without a
//! name, of all lines that have none of their own, again and again.

use super::{SeriesLine, parse_labels};

/// How far before (or after) its time a sample began to count, in milliseconds; nothing where it does
/// not tell.
pub(super) type Distances = Vec<Option<i64>>;

/// The starts of the series of one `load`.
#[derive(Default)]
pub(super) struct StartLines {
    /// For series without a line of their own.
    default: Distances,
    /// For the next series: where it stands, whose it is, and what it says.
    next: Option<(usize, model::Labels, Distances)>,
}

/// Whether a line tells of starts.
pub(super) fn is_start_line(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|word| word.ends_with("@st"))
}

impl StartLines {
    /// Reads a line.
    pub(super) fn read(&mut self, number: usize, line: &str) -> Result<(), (usize, String)> {
        self.finish()?;
        let (word, items) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let distances = sequence(items).map_err(|message| (number, message))?;
        let name = word.trim_end_matches("@st");
        if name.is_empty() {
            self.default = distances;
            return Ok(());
        }
        let labels = parse_labels(name).map_err(|error| (number, error.to_string()))?;
        self.next = Some((number, labels, distances));
        Ok(())
    }

    /// The starts of the series that follows, one per value.
    pub(super) fn take(&mut self, series: &SeriesLine) -> Result<Distances, (usize, String)> {
        let count = series.values.len();
        let Some((number, labels, distances)) = self.next.take() else {
            return Ok(self.default.iter().copied().cycle().take(count).collect());
        };
        if labels != series.labels {
            let message =
                format!("the starts are of {labels}, the next series is {}", series.labels);
            return Err((number, message));
        }
        if distances.len() != count {
            let message = format!("{} starts for {count} values", distances.len());
            return Err((number, message));
        }
        Ok(distances)
    }

    /// Checks that no starts are left over.
    pub(super) fn finish(&self) -> Result<(), (usize, String)> {
        match &self.next {
            Some((number, ..)) => Err((*number, "no series follows these starts".to_owned())),
            None => Ok(()),
        }
    }
}

/// More items than this in one line are refused.
const MAX_ITEMS: usize = 10_000_000;

fn sequence(text: &str) -> Result<Distances, String> {
    let mut all = Distances::new();
    for word in text.split_whitespace() {
        let bad = || format!("bad start {word:?}, expected something like -1m, -1m+5sx3, _ or *");
        let (item, times) = match word.split_once('x') {
            Some((item, times)) => (item, Some(times.parse::<usize>().map_err(|_| bad())?)),
            None => (word, None),
        };
        if all.len() + times.unwrap_or_default() >= MAX_ITEMS {
            return Err("at most ten million starts".to_owned());
        }
        if item == "_" {
            all.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
            continue;
        }
        let repeats = times.unwrap_or_default() as i64;
        let (first, change) = if item == "*" {
            (all.iter().rev().flatten().next().copied().unwrap_or_default(), 0)
        } else {
            distance(item).ok_or_else(bad)?
        };
        all.extend((0..=repeats).map(|i| Some(first.saturating_add(change.saturating_mul(i)))));
    }
    Ok(all)
}

/// A distance and by how much it changes from sample to sample: `-1m`, `-1m+5s`.
fn distance(item: &str) -> Option<(i64, i64)> {
    let sign_at = item.char_indices().skip(1).find(|(_, c)| matches!(c, '+' | '-'));
    let (first, change) = match sign_at {
        Some((at, _)) => (&item[..at], super::command::duration(&item[at..])?),
        None => (item, 0),
    };
    Some((super::command::duration(first)?, change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_starts_are_read() {
        let minute = Some(-60_000);
        for (text, expected) in [
            ("", vec![]),
            ("-1m", vec![minute]),
            ("-1mx2", vec![minute; 3]),
            ("0s _x2 -60s", vec![Some(0), None, None, minute]),
            ("-1m+30sx2", vec![minute, Some(-30_000), Some(0)]),
            ("10s-5sx1", vec![Some(10_000), Some(5_000)]),
            ("-1m _ * *x1", vec![minute, None, minute, minute, minute]),
            ("500ms", vec![Some(500)]),
        ] {
            assert_eq!(sequence(text), Ok(expected), "{text}");
        }
        for text in ["x", "1", "soon", "-1mx", "1m+x2", "1mx99999999999"] {
            assert!(sequence(text).is_err() || text == "1", "{text}");
        }
    }
}
