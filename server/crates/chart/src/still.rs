//! Pictures for mails, chat and exports: the browser's drawing code on plotters' bitmap and SVG
//! backends, with a title above and a legend below.
//!
//! Text is measured and drawn with the embedded Inter, so nothing depends on the fonts of the machine.
//! Its digits all have the same width.

mod frame;
mod marks;
mod png;

use std::sync::OnceLock;

use plotters::backend::{BitMapBackend, SVGBackend};
use plotters::drawing::IntoDrawingArea;
use plotters::style::{FontStyle, register_font};

pub use frame::FrameError;

use crate::{Band, Font, Surface, Theme, Unit, Window};

/// The name the font is registered under. SVG viewers read it as a list of families.
const FAMILY: &str = "Inter, system-ui, sans-serif";

/// Device pixels per CSS pixel of a PNG: sharp on dense screens.
const DENSITY: u32 = 2;

/// How many times larger than its pixels a PNG is drawn, in each direction.
const OVERSAMPLING: u32 = 2;

/// Units per CSS pixel of an SVG, so that plotters' integers do not round lines to pixels.
const SVG_UNITS: f64 = 10.0;

/// Largest width and height in CSS pixels; bounds the memory of a picture to about 115 MB.
pub const MAX_SIZE: (u32, u32) = (2_000, 1_200);

/// Smallest width and height in CSS pixels that hold axes and a legend.
pub const MIN_SIZE: (u32, u32) = (160, 100);

/// A line of a picture.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StillSeries {
    /// Its name in the legend.
    pub name: String,
    /// What its color is derived from, see [`crate::palette::key`]; the same key has the same color in
    /// the browser.
    pub key: String,
    /// Value `i` belongs to `start_ms + i * step_ms`; NaN is a gap.
    pub values: Vec<f64>,
}

/// A moment that is marked, such as a deploy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StillMark {
    /// When, milliseconds since the Unix epoch.
    pub at_ms: f64,
    /// What happened; cut when there is no room.
    pub name: String,
}

/// A picture to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Still {
    /// Width in CSS pixels, within [`MIN_SIZE`] and [`MAX_SIZE`].
    pub width: u32,
    /// Height in CSS pixels, likewise.
    pub height: u32,
    /// Colors.
    pub theme: Theme,
    /// Written above the chart; empty for none.
    pub title: String,
    /// Written beside the title in a quiet color, such as the value and its threshold.
    pub subtitle: String,
    /// How values are written.
    pub unit: Unit,
    /// Levels drawn as dashed lines.
    pub thresholds: Vec<f64>,
    /// Stretches of time that are shaded.
    pub bands: Vec<Band>,
    /// Moments drawn as dotted lines with their names, in any order.
    pub marks: Vec<StillMark>,
    /// The lines.
    pub series: Vec<StillSeries>,
    /// Time of the first value of each series, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Distance of two values in milliseconds, positive.
    pub step_ms: i64,
    /// The stretch of time that is shown.
    pub window: Window,
    /// Seconds east of UTC of the zone in which times are written.
    pub utc_offset_seconds: i32,
}

impl Default for Still {
    /// An empty light picture of 640 × 260, the width of a mail.
    fn default() -> Self {
        Self {
            width: 640,
            height: 260,
            theme: Theme::LIGHT,
            title: String::new(),
            subtitle: String::new(),
            unit: Unit::None,
            thresholds: Vec::new(),
            bands: Vec::new(),
            marks: Vec::new(),
            series: Vec::new(),
            start_ms: 0,
            step_ms: 1_000,
            window: Window::new(0.0, 1_000.0),
            utc_offset_seconds: 0,
        }
    }
}

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StillError {
    /// The picture would be too small to read or too large for memory.
    #[error(
        "picture of {width}x{height} refused: width must be {min_width} to {max_width}, height {min_height} to {max_height}",
        min_width = MIN_SIZE.0, max_width = MAX_SIZE.0, min_height = MIN_SIZE.1, max_height = MAX_SIZE.1
    )]
    Size {
        /// The width that was asked for, in CSS pixels.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// Drawing failed.
    #[error("drawing the picture failed")]
    Draw(#[from] FrameError),
    /// Writing the PNG failed.
    #[error("encoding the picture failed")]
    Encode(#[from] ::png::EncodingError),
}

/// A PNG with two device pixels per CSS pixel.
///
/// Drawn larger and scaled down, which gives better lines and glyphs than the backend's own smoothing.
///
/// # Errors
/// [`StillError::Size`] for a size out of bounds; the others only for defects of plotters or `png`.
pub fn png(still: &Still) -> Result<Vec<u8>, StillError> {
    let (width, height) = checked_size(still)?;
    let k = DENSITY * OVERSAMPLING;
    let large = (width * k, height * k);
    let mut pixels = vec![0; large.0 as usize * large.1 as usize * 3];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, large).into_drawing_area();
        // This backend takes the height of a line for the size of a font: ascent and descent of Inter
        // are 1984 and 494 of 2048 units. It centers the line, not the digits.
        frame::draw(&root, still, surface(f64::from(k), 2_478.0 / 2_048.0, 0.24))?;
    }
    let small = png::scale_down(&pixels, large.0 as usize, OVERSAMPLING as usize);
    Ok(png::encode(&small, width * DENSITY, height * DENSITY)?)
}

/// An SVG document of the given width and height.
///
/// # Errors
/// [`StillError::Size`] for a size out of bounds; the others only for defects of plotters.
pub fn svg(still: &Still) -> Result<String, StillError> {
    let (width, height) = checked_size(still)?;
    let units = (width * SVG_UNITS as u32, height * SVG_UNITS as u32);
    let mut document = String::new();
    {
        let root = SVGBackend::with_string(&mut document, units).into_drawing_area();
        // This backend divides the size of a font by 1.24, and centers lower case letters.
        frame::draw(&root, still, surface(SVG_UNITS, 1.24, 0.08))?;
    }
    let drawn = format!("width=\"{}\" height=\"{}\"", units.0, units.1);
    Ok(document.replacen(&drawn, &format!("width=\"{width}\" height=\"{height}\""), 1))
}

fn checked_size(still: &Still) -> Result<(u32, u32), StillError> {
    let (width, height) = (still.width, still.height);
    let fits =
        (MIN_SIZE.0..=MAX_SIZE.0).contains(&width) && (MIN_SIZE.1..=MAX_SIZE.1).contains(&height);
    if fits { Ok((width, height)) } else { Err(StillError::Size { width, height }) }
}

fn surface(units_per_pixel: f64, size_factor: f64, drop_em: f64) -> Surface {
    static FONTS: OnceLock<()> = OnceLock::new();
    FONTS.get_or_init(|| {
        let faces: [(FontStyle, &'static [u8]); 2] = [
            (FontStyle::Normal, include_bytes!("../fonts/Inter-Regular.ttf")),
            (FontStyle::Bold, include_bytes!("../fonts/Inter-SemiBold.ttf")),
        ];
        for (style, bytes) in faces {
            let registered = register_font(FAMILY, style, bytes);
            debug_assert!(registered.is_ok(), "the embedded fonts are valid");
        }
    });
    let font = Font { family: FAMILY, size_factor, drop_em };
    Surface { units_per_pixel, font, is_opaque: true }
}

#[cfg(test)]
mod tests;
