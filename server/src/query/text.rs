//! The numbers of a series on steps as JSON: `[time,"number"]`, with a comma before each.
//!
//! Writing a number takes longer than computing it, often enough. So the text of an answer that is kept
//! is kept too, as soon as somebody asks for the answer a second time.

use std::{fmt::Write as _, ops::Range, sync::Arc};

use model::{Timestamp, is_stale};
use promql::Series;

/// The texts of the times of steps, which all series of an answer share.
#[derive(Debug, Default)]
pub(crate) struct Times {
    start: Timestamp,
    step_ms: i64,
    text: String,
    ends: Vec<usize>,
}

impl Times {
    /// Appends the numbers of steps, and tells after each where the text ends.
    pub(crate) fn put(
        &mut self,
        (start, step_ms): (Timestamp, i64),
        numbers: &[f64],
        out: &mut Vec<u8>,
        end: &mut dyn FnMut(usize),
    ) {
        self.prepare(start, step_ms, numbers.len());
        let mut from = 0;
        let mut buffer = zmij::Buffer::new();
        for (number, &to) in numbers.iter().zip(&self.ends) {
            if !is_stale(*number) {
                out.extend_from_slice(&self.text.as_bytes()[from..to]);
                put_number(*number, &mut buffer, out);
                out.extend_from_slice(b"\"]");
            }
            from = to;
            end(out.len());
        }
    }

    fn prepare(&mut self, start: Timestamp, step_ms: i64, count: usize) {
        if (start, step_ms, count) == (self.start, self.step_ms, self.ends.len()) {
            return;
        }
        (self.start, self.step_ms) = (start, step_ms);
        self.text.clear();
        self.ends.clear();
        for number in 0..count as i64 {
            let time = start + number * step_ms;
            // Writing to a text does not fail.
            let _written: std::fmt::Result = if time % 1000 == 0 {
                write!(self.text, ",[{},\"", time / 1000)
            } else {
                write!(self.text, ",[{},\"", time as f64 / 1000.0)
            };
            self.ends.push(self.text.len());
        }
    }
}

/// The shortest text that reads back the same, as Prometheus writes points.
fn put_number(number: f64, buffer: &mut zmij::Buffer, out: &mut Vec<u8>) {
    if number.is_finite() {
        let text = buffer.format_finite(number);
        if !text.contains('e') {
            out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
            return;
        }
    }
    out.extend_from_slice(model::number::Shortest::Point(number).to_string().as_bytes());
}

/// The texts of all series of an answer, in the order of the series; nothing for those with histograms.
#[derive(Debug, Default)]
pub(crate) struct Texts(Vec<Option<Text>>);

/// The numbers of a series as text.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Where the text of each step ends.
    ends: Vec<u32>,
}

impl Texts {
    /// Writes all series.
    pub(crate) fn of(series: &[Series]) -> Self {
        let mut times = Times::default();
        Self(series.iter().map(|series| Text::default().with_rest(series, &mut times)).collect())
    }

    /// The texts of an answer of which some steps are in another one, `old`, whose texts these are: in
    /// `all`, by their numbers there, and then every step that follows.
    pub(crate) fn join(&self, old: &[Series], steps: Range<usize>, all: &[Series]) -> Self {
        let mut times = Times::default();
        let joined = all.iter().map(|series| {
            let known = old.binary_search_by(|old| old.labels.cmp(&series.labels)).ok();
            let text = match known {
                Some(place) => self.0[place].as_ref()?.part(steps.clone()),
                None => Text { bytes: Vec::new(), ends: vec![0; steps.len()] },
            };
            text.with_rest(series, &mut times)
        });
        Self(joined.collect())
    }

    /// The numbers of a series, by its place; each has a comma before it.
    pub(crate) fn get(&self, place: usize) -> Option<&[u8]> {
        self.0.get(place)?.as_ref().map(|text| &*text.bytes)
    }

    /// The memory it takes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let of_text = |text: &Text| text.bytes.capacity() + size_of_val(&*text.ends);
        size_of_val(&*self.0) + self.0.iter().flatten().map(of_text).sum::<usize>()
    }
}

impl Text {
    /// The text of some steps.
    fn part(&self, steps: Range<usize>) -> Self {
        let end = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        let start = end(steps.start);
        let bytes = self.bytes[start as usize..end(steps.end) as usize].to_vec();
        Self { bytes, ends: self.ends[steps].iter().map(|end| end - start).collect() }
    }

    /// Adds the steps of a series that it does not have yet; nothing when there is more than numbers, or
    /// more text than any answer has.
    fn with_rest(mut self, series: &Series, times: &mut Times) -> Option<Self> {
        let (start, step_ms, numbers) = series.numbers()?;
        let known = self.ends.len();
        let ends = &mut self.ends;
        let start = start + known as i64 * step_ms;
        times.put((start, step_ms), &numbers[known..], &mut self.bytes, &mut |end| {
            ends.push(end as u32);
        });
        u32::try_from(self.bytes.len()).is_ok().then_some(self)
    }
}

/// Texts of a query, from where it is answered to where the answer is written.
pub(crate) type SharedTexts = Option<Arc<Texts>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_points() {
        let mut buffer = zmij::Buffer::new();
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (-3.0, "-3"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.25e-6, "0.00000125"),
            (1.25e-9, "1.25e-09"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            let mut out = Vec::new();
            put_number(number, &mut buffer, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
            assert_eq!(model::number::Shortest::Point(number).to_string(), expected);
        }
    }
}
