//! Moments that are marked in a picture: a dotted line with a name at its top.

use plotters::backend::DrawingBackend;
use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::frame::shorten;
use super::{Still, StillMark};
use crate::Geometry;
use crate::draw::{DrawError, Pen, solid};

/// Length of a dot and of the gap after it.
const DOT: f64 = 1.5;
/// Between a line and its name.
const GAP: f64 = 4.0;
/// The widest name.
const MAX_NAME: f64 = 140.0;
/// A name with less room than this is left out; its line stays.
const MIN_NAME: f64 = 24.0;

/// Draws the marks that lie in the window over a chart.
pub(super) fn draw_marks<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    still: &Still,
    geometry: &Geometry,
    style: &TextStyle<'_>,
) -> Result<(), DrawError<DB>> {
    let mut marks: Vec<(f64, &StillMark)> = still
        .marks
        .iter()
        .map(|mark| (geometry.x_of(mark.at_ms), mark))
        .filter(|(x, _)| (geometry.left..=geometry.right).contains(x))
        .collect();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let anchored = style.pos(Pos::new(HPos::Left, VPos::Center));
    let stroke = pen.stroke(solid(still.theme.muted), 1.0);
    for (index, (x, mark)) in marks.iter().enumerate() {
        let mut y = geometry.top;
        while y < geometry.bottom {
            pen.line((*x, y), (*x, (y + DOT).min(geometry.bottom)), stroke)?;
            y += 2.0 * DOT;
        }
        let next = marks.get(index + 1).map_or(geometry.right, |next| next.0);
        let room = (next - x - 2.0 * GAP).min(MAX_NAME);
        if room >= MIN_NAME {
            let name = shorten(pen, &mark.name, style, room)?;
            pen.text(&name, (x + GAP, geometry.top + 6.0), &anchored)?;
        }
    }
    Ok(())
}
