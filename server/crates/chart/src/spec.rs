//! What to draw and on what.

use crate::{Rgb, Theme, Unit};

/// How much a series stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Emphasis {
    /// As usual.
    #[default]
    Normal,
    /// Pushed back because another series is looked at.
    Dimmed,
}

/// One line of a chart.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// The color of the line.
    pub color: Rgb,
    /// Value `i` belongs to `start_ms + i * step_ms` of the chart; NaN is a gap.
    pub values: &'a [f64],
    /// How much the line stands out.
    pub emphasis: Emphasis,
}

/// The visible stretch of time, in milliseconds since the Unix epoch; both ends are drawn.
///
/// The ends are floats because zooming by pixels lands between milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Left edge.
    pub from_ms: f64,
    /// Right edge, greater than `from_ms`.
    pub to_ms: f64,
}

impl Window {
    /// A window from `from_ms` to `to_ms`, at least one millisecond wide.
    pub fn new(from_ms: f64, to_ms: f64) -> Self {
        Self { from_ms, to_ms: to_ms.max(from_ms + 1.0) }
    }

    /// The length in milliseconds.
    pub fn span_ms(self) -> f64 {
        self.to_ms - self.from_ms
    }
}

/// A stretch of time shaded in the critical color, such as the time an alert fired.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Its start, milliseconds since the Unix epoch.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
}

/// One chart: data, window and looks.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    /// The lines, drawn in this order.
    pub series: &'a [Series<'a>],
    /// Time of the first value of every series, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Distance of two values in milliseconds, positive.
    pub step_ms: i64,
    /// What is visible.
    pub window: Window,
    /// How values are written.
    pub unit: Unit,
    /// Levels drawn as dashed lines in the critical color.
    pub thresholds: &'a [f64],
    /// Stretches of time that are shaded.
    pub bands: &'a [Band],
    /// Colors.
    pub theme: &'a Theme,
    /// Seconds east of UTC of the zone in which times are written.
    pub utc_offset_seconds: i32,
}

/// The text face of a surface.
#[derive(Debug, Clone, Copy)]
pub struct Font {
    /// The family as the backend knows it.
    pub family: &'static str,
    /// What the backend wants to be told for a font of one pixel: backends disagree on whether a font
    /// size is the em or the height of a line.
    pub size_factor: f64,
    /// How far the backend has to be told to draw lower than meant, in ems: not all of them center a
    /// text on its digits.
    pub drop_em: f64,
}

/// What is drawn on.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    /// Backend units per CSS pixel. Coordinates of plotters are integers: a backend that reports a
    /// size `k` times that of its surface, and divides when drawing, gets positions between pixels.
    pub units_per_pixel: f64,
    /// The text face.
    pub font: Font,
    /// Whether to paint the background first. A canvas is transparent, a picture is not.
    pub is_opaque: bool,
}
