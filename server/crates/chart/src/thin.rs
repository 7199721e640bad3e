//! From samples to what is worth drawing: gaps, clipping and thinning.

use std::ops::Range;

use crate::Window;

/// A point of a line: time in milliseconds since the Unix epoch and value.
pub type Point = (f64, f64);

/// The grid that the values of a chart lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Time of value 0, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Distance of two values in milliseconds, positive.
    pub step_ms: i64,
}

impl Grid {
    /// The time of value `index`.
    pub fn time_of(self, index: usize) -> f64 {
        self.start_ms as f64 + self.step_ms as f64 * index as f64
    }

    /// Which of `len` values a window touches, with one more on each side so that lines run on to the
    /// edges.
    pub fn visible(self, len: usize, window: Window) -> Range<usize> {
        let index = |time: f64| (time - self.start_ms as f64) / self.step_ms.max(1) as f64;
        let first = (index(window.from_ms).floor() - 1.0).max(0.0) as usize;
        let end = (index(window.to_ms).ceil() + 2.0).max(0.0) as usize;
        first.min(len)..end.min(len)
    }
}

/// The lines of one series in a window: split at gaps, cut at both edges (between two samples the
/// value at the edge is interpolated) and thinned to `columns` pixel columns.
pub fn segments(grid: Grid, values: &[f64], window: Window, columns: usize) -> Vec<Vec<Point>> {
    let visible = grid.visible(values.len(), window);
    let points = visible.map(|index| (grid.time_of(index), values[index]));
    let mut segments = Vec::new();
    let mut current: Vec<Point> = Vec::new();
    let mut previous: Option<Point> = None;
    for point in points {
        if !point.1.is_finite() {
            close(&mut current, &mut segments);
            previous = None;
            continue;
        }
        if let Some(previous) = previous {
            for edge in [window.from_ms, window.to_ms] {
                if previous.0 < edge && edge < point.0 {
                    current.push((edge, between(previous, point, edge)));
                }
            }
        }
        if point.0 >= window.from_ms && point.0 <= window.to_ms {
            current.push(point);
        }
        previous = Some(point);
    }
    close(&mut current, &mut segments);
    for segment in &mut segments {
        if segment.len() > columns * 4 {
            *segment = min_max(segment, window, columns);
        }
    }
    segments
}

fn close(current: &mut Vec<Point>, segments: &mut Vec<Vec<Point>>) {
    if !current.is_empty() {
        segments.push(std::mem::take(current));
    }
}

fn between(a: Point, b: Point, time: f64) -> f64 {
    a.1 + (b.1 - a.1) * (time - a.0) / (b.0 - a.0)
}

/// Keeps the first, lowest, highest and last point of every pixel column, in order of time: at most
/// `4 * columns` points, and every spike survives.
pub fn min_max(points: &[Point], window: Window, columns: usize) -> Vec<Point> {
    let width = window.span_ms() / columns.max(1) as f64;
    let column = |point: &Point| ((point.0 - window.from_ms) / width).floor();
    let mut kept = Vec::with_capacity(columns * 4);
    for run in points.chunk_by(|a, b| column(a) == column(b)) {
        let mut lowest = 0;
        let mut highest = 0;
        for (index, point) in run.iter().enumerate() {
            if point.1 < run[lowest].1 {
                lowest = index;
            }
            if point.1 > run[highest].1 {
                highest = index;
            }
        }
        let mut keep = [0, lowest.min(highest), lowest.max(highest), run.len() - 1].to_vec();
        keep.dedup();
        kept.extend(keep.into_iter().map(|index| run[index]));
    }
    kept
}

/// The lowest and highest finite value that a window shows; low is above high when there is none.
pub fn extent(grid: Grid, values: &[f64], window: Window) -> (f64, f64) {
    values[grid.visible(values.len(), window)]
        .iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GRID: Grid = Grid { start_ms: 0, step_ms: 10 };

    #[test]
    fn thinning_keeps_the_spike() {
        let points: Vec<Point> =
            (0..10_000).map(|i| (f64::from(i), if i == 7_777 { 99.0 } else { 1.0 })).collect();
        let thin = min_max(&points, Window::new(0.0, 10_000.0), 300);
        assert!(thin.len() <= 1_204, "{} points", thin.len());
        assert!(thin.iter().any(|point| point.1 == 99.0));
    }

    #[test]
    fn a_gap_splits_the_line() {
        let values = [1.0, 2.0, f64::NAN, 4.0, 5.0];
        let lines = segments(GRID, &values, Window::new(0.0, 40.0), 100);
        assert_eq!(lines, [vec![(0.0, 1.0), (10.0, 2.0)], vec![(30.0, 4.0), (40.0, 5.0)]]);
    }

    #[test]
    fn lines_run_on_to_both_edges() {
        let values = [0.0, 10.0, 20.0, 30.0];
        let lines = segments(GRID, &values, Window::new(5.0, 25.0), 100);
        assert_eq!(lines, [vec![(5.0, 5.0), (10.0, 10.0), (20.0, 20.0), (25.0, 25.0)]]);
    }

    #[test]
    fn a_window_between_two_samples_shows_their_line() {
        let lines = segments(GRID, &[0.0, 10.0], Window::new(2.0, 4.0), 100);
        assert_eq!(lines, [vec![(2.0, 2.0), (4.0, 4.0)]]);
    }

    proptest! {
        #[test]
        fn property_thinning_keeps_extremes_and_order(
            values in prop::collection::vec(-1e9_f64..1e9, 1..2_000), columns in 1_usize..400,
        ) {
            let points: Vec<Point> = values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
            let window = Window::new(0.0, values.len() as f64);
            let thin = min_max(&points, window, columns);
            let extremes = |points: &[Point]| {
                points.iter().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p.1), h.max(p.1)))
            };
            prop_assert_eq!(extremes(&thin), extremes(&points));
            prop_assert!(thin.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
