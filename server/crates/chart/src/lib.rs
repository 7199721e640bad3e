//! Time charts, drawn the same everywhere: [`draw()`] is generic over plotters' `DrawingBackend`, so the
//! canvas in the browser, the PNG in a mail and the SVG of an export come from one function.
//!
//! Deliberately absent: I/O, clocks, time zone data (the caller passes the zone's offset), platform
//! code and interaction (crosshair, zoom and tooltip are the caller's; [`Geometry`] tells it where
//! things landed).
//!
//! Invariants:
//! - Values lie on a regular grid of `start_ms + i * step_ms`; NaN is a gap and stays one.
//! - Thinning keeps the extremes of every pixel column: a spike of one sample is always visible.
//! - The color of a series depends on its key and its companions in the chart, never on its position.
//!
//! Entry points: [`draw()`] with a [`Chart`], [`palette::assign`] for colors, and
//! with the feature `still` the pictures of [`mod@still`].

pub mod draw;
pub mod geometry;
pub mod palette;
pub mod spec;
#[cfg(feature = "still")]
pub mod still;
pub mod theme;
pub mod thin;
pub mod time_axis;
pub mod value_axis;

pub use draw::draw;
pub use geometry::Geometry;
pub use quantity::Unit;
pub use spec::{Band, Chart, Emphasis, Font, Series, Surface, Window};
pub use theme::{Rgb, Theme};
pub use time_axis::TimeAxis;
pub use value_axis::ValueAxis;
