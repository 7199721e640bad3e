//! A line without axes, for tables.

use std::fmt::Write as _;

use leptos::prelude::*;

const WIDTH: f64 = 112.0;
const HEIGHT: f64 = 24.0;

/// The course of a few values, oldest first; `None` is a gap. The numbers beside it say the rest.
pub(crate) fn sparkline(values: &[Option<f64>]) -> impl IntoView + use<> {
    let path = path(values);
    view! {
        <svg class="sparkline" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
            <path d=path vector-effect="non-scaling-stroke"></path>
        </svg>
    }
}

/// The data of an SVG path, with zero at the bottom.
fn path(values: &[Option<f64>]) -> String {
    let highest = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    let scale = if highest > 0.0 { (HEIGHT - 3.0) / highest } else { 0.0 };
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    let mut is_down = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            is_down = false;
            continue;
        };
        let (x, y) = (step * index as f64, HEIGHT - 1.5 - value.max(0.0) * scale);
        let command = if is_down { 'L' } else { 'M' };
        write!(path, "{command}{x:.1} {y:.1}").expect("writing to a string cannot fail");
        is_down = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lifts_the_pen() {
        let path = path(&[Some(0.0), Some(4.0), None, Some(2.0)]);
        assert_eq!(path, "M0.0 22.5L37.3 1.5M112.0 12.0");
    }

    #[test]
    fn nothing_draws_nothing() {
        assert_eq!(path(&[]), "");
        assert_eq!(path(&[None, None]), "");
        assert_eq!(path(&[Some(0.0)]), "M0.0 22.5");
    }
}
