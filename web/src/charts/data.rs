//! What a chart shows.

use ::chart::{Emphasis, Rgb, Series, Theme, Window, palette};

use crate::legend::{self, Source};
use crate::prom::Line;
use crate::state::range::Span;

/// A line with its name and color.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DrawnLine {
    /// Its name in legend and tooltip.
    pub(crate) name: String,
    /// Index into the colors of the theme.
    pub(crate) color: usize,
    /// One value per point; NaN is a gap.
    pub(crate) values: Vec<f64>,
}

/// The lines of a chart on their common grid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartData {
    pub(crate) span: Span,
    pub(crate) lines: Vec<DrawnLine>,
    /// Series that are histograms and cannot be drawn as lines.
    pub(crate) histograms: usize,
    /// What the server remarks about the queries.
    pub(crate) remarks: Vec<String>,
}

/// The lines that one query of a panel brought.
#[derive(Debug, Clone)]
pub(crate) struct QueryLines {
    pub(crate) legend: String,
    pub(crate) expr: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) histograms: usize,
    pub(crate) remarks: Vec<String>,
}

impl ChartData {
    /// Joins the answers to all queries of a panel; names and colors follow from the labels.
    pub(crate) fn new(span: Span, queries: Vec<QueryLines>) -> Self {
        let histograms = queries.iter().map(|query| query.histograms).sum();
        let remarks = queries.iter().flat_map(|query| query.remarks.iter().cloned()).collect();
        let (mut names, mut keys) = (Vec::new(), Vec::new());
        {
            let sources: Vec<Source<'_>> = queries
                .iter()
                .flat_map(|query| {
                    query.lines.iter().map(|line| Source {
                        legend: &query.legend,
                        expr: &query.expr,
                        labels: &line.labels,
                    })
                })
                .collect();
            names.extend(legend::names(&sources));
            keys.extend(sources.iter().map(|source| {
                let labels = source.labels.iter().map(|label| (label.0.as_str(), label.1.as_str()));
                // Percentiles of one series have the same labels; their legends tell them apart.
                format!("{}{}", source.legend, palette::key(labels))
            }));
        }
        let colors = palette::assign(&keys);
        let lines = queries
            .into_iter()
            .flat_map(|query| query.lines)
            .zip(names)
            .zip(colors)
            .map(|((line, name), color)| DrawnLine { name, color, values: line.values })
            .collect();
        Self { span, lines, histograms, remarks }
    }

    /// How many points the grid has.
    pub(crate) fn len(&self) -> usize {
        ((self.span.end_ms - self.span.start_ms) / self.span.step_ms + 1).max(0) as usize
    }

    /// The time of a point.
    pub(crate) fn time_of(&self, index: usize) -> i64 {
        self.span.start_ms + self.span.step_ms * index as i64
    }

    /// The point nearest to a time, when it lies on the grid.
    pub(crate) fn nearest(&self, time_ms: f64) -> Option<usize> {
        let index = ((time_ms - self.span.start_ms as f64) / self.span.step_ms as f64).round();
        (index >= 0.0 && (index as usize) < self.len()).then_some(index as usize)
    }

    /// The window that the grid fills.
    pub(crate) fn window(&self) -> Window {
        Window::new(self.span.start_ms as f64, self.span.end_ms as f64)
    }

    /// The lines as the drawing code takes them; all but `focus` are pushed back when it is set.
    pub(crate) fn series<'a>(&'a self, theme: &Theme, focus: Option<usize>) -> Vec<Series<'a>> {
        let emphasis = |index| {
            if focus.is_none_or(|focus| focus == index) {
                Emphasis::Normal
            } else {
                Emphasis::Dimmed
            }
        };
        let series = |(index, line): (usize, &'a DrawnLine)| Series {
            color: color(theme, line.color),
            values: &line.values,
            emphasis: emphasis(index),
        };
        self.lines.iter().enumerate().map(series).collect()
    }

    /// The lines with a value at a point, the highest first: index and value.
    pub(crate) fn values_at(&self, point: usize) -> Vec<(usize, f64)> {
        let mut values: Vec<(usize, f64)> = self
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| (index, line.values.get(point).copied().unwrap_or(f64::NAN)))
            .filter(|(_, value)| !value.is_nan())
            .collect();
        values.sort_by(|a, b| b.1.total_cmp(&a.1));
        values
    }
}

/// The color of a line.
pub(crate) fn color(theme: &Theme, index: usize) -> Rgb {
    theme.series[index % theme.series.len()]
}

/// The last value of a line that is a number.
pub(crate) fn last_value(line: &DrawnLine) -> f64 {
    line.values.iter().rev().copied().find(|value| !value.is_nan()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start_ms: 0, end_ms: 30_000, step_ms: 10_000 };

    fn data() -> ChartData {
        let line = |host: &str, values: [f64; 4]| Line {
            labels: vec![("host".to_owned(), host.to_owned())],
            values: values.to_vec(),
        };
        let query = QueryLines {
            legend: String::new(),
            expr: "x".to_owned(),
            lines: vec![
                line("a", [1.0, 2.0, f64::NAN, 4.0]),
                line("b", [9.0, f64::NAN, f64::NAN, f64::NAN]),
            ],
            histograms: 0,
            remarks: Vec::new(),
        };
        ChartData::new(SPAN, vec![query])
    }

    #[test]
    fn lines_are_named_and_colored_apart() {
        let data = data();
        assert_eq!(data.lines[0].name, "a");
        assert_eq!(data.lines[1].name, "b");
        assert_ne!(data.lines[0].color, data.lines[1].color);
    }

    #[test]
    fn the_nearest_point_is_found_within_the_grid() {
        let data = data();
        assert_eq!(data.nearest(14_000.0), Some(1));
        assert_eq!(data.nearest(-6_000.0), None);
        assert_eq!(data.nearest(36_000.0), None);
    }

    #[test]
    fn values_at_a_point_come_highest_first_without_gaps() {
        assert_eq!(data().values_at(0), [(1, 9.0), (0, 1.0)]);
        assert_eq!(data().values_at(1), [(0, 2.0)]);
        assert!(data().values_at(2).is_empty());
    }

    #[test]
    fn the_last_value_skips_gaps() {
        assert_eq!(last_value(&data().lines[1]), 9.0);
    }
}
