//! A backend of plotters for a canvas: device pixels, crisp lines, the page's font.
//!
//! Coordinates of plotters are integers. This backend reports a surface [`UNITS`] times the size of
//! the canvas and divides when drawing, so lines may lie between pixels; straight lines of the grid
//! are moved onto device pixels.

use ::chart::{Chart, Font, Geometry, Surface, draw};
use plotters::drawing::IntoDrawingArea;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Units of plotters per CSS pixel.
const UNITS: f64 = 16.0;

const FONT: &str = "Inter, system-ui, sans-serif";

const SURFACE: Surface = Surface {
    units_per_pixel: UNITS,
    font: Font { family: FONT, size_factor: 1.0, drop_em: 0.0 },
    is_opaque: false,
};

/// Draws a chart over a canvas of the given size in CSS pixels; `None` when the browser gives no
/// context to draw with.
pub(crate) fn draw_chart(
    canvas: &HtmlCanvasElement,
    (width, height): (f64, f64),
    chart: &Chart<'_>,
) -> Option<Geometry> {
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio()).max(1.0);
    let context = prepare(canvas, (width, height), ratio)?;
    let root = Canvas { context, width, height, ratio }.into_drawing_area();
    draw(&root, chart, SURFACE).ok()
}

/// Sizes the canvas for the device's pixels, clears it and lets it be drawn on in CSS pixels.
fn prepare(
    canvas: &HtmlCanvasElement,
    (width, height): (f64, f64),
    ratio: f64,
) -> Option<CanvasRenderingContext2d> {
    let pixels = ((width * ratio).round() as u32, (height * ratio).round() as u32);
    if (canvas.width(), canvas.height()) != pixels {
        canvas.set_width(pixels.0);
        canvas.set_height(pixels.1);
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
    context.clear_rect(0.0, 0.0, width, height);
    context.set_line_join("round");
    Some(context)
}

struct Canvas {
    context: CanvasRenderingContext2d,
    width: f64,
    height: f64,
    ratio: f64,
}

/// Drawing on a canvas does not fail; what the browser refuses is not drawn.
type Drawn = Result<(), DrawingErrorKind<std::fmt::Error>>;

impl Canvas {
    /// The place nearest to `at` where a line of this width covers whole device pixels.
    fn snapped(&self, at: f64, width: f64) -> f64 {
        let pixels = at * self.ratio;
        let is_odd = ((width * self.ratio).round() as i64) % 2 == 1;
        (if is_odd { pixels.floor() + 0.5 } else { pixels.round() }) / self.ratio
    }

    /// Returns the width in CSS pixels.
    fn set_stroke<S: BackendStyle>(&self, style: &S) -> f64 {
        let width = f64::from(style.stroke_width()) / UNITS;
        self.context.set_stroke_style_str(&css(style.color()));
        self.context.set_line_width(width);
        width
    }

    fn set_fill<S: BackendStyle>(&self, style: &S) {
        self.context.set_fill_style_str(&css(style.color()));
    }

    fn trace(&self, points: &[(f64, f64)]) {
        self.context.begin_path();
        for (index, (x, y)) in points.iter().enumerate() {
            if index == 0 {
                self.context.move_to(*x, *y);
            } else {
                self.context.line_to(*x, *y);
            }
        }
    }

    fn set_font<S: BackendTextStyle>(&self, style: &S) {
        let size = style.size() / UNITS;
        self.context.set_font(&format!("{} {size}px {FONT}", style.style().as_str()));
    }
}

fn css(color: BackendColor) -> String {
    let (red, green, blue) = color.rgb;
    format!("rgba({red},{green},{blue},{})", color.alpha)
}

fn pixels(point: BackendCoord) -> (f64, f64) {
    (f64::from(point.0) / UNITS, f64::from(point.1) / UNITS)
}

impl DrawingBackend for Canvas {
    type ErrorType = std::fmt::Error;

    fn get_size(&self) -> (u32, u32) {
        ((self.width * UNITS) as u32, (self.height * UNITS) as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        let (x, y) = pixels(point);
        self.context.set_fill_style_str(&css(color));
        self.context.fill_rect(x, y, 1.0, 1.0);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let width = self.set_stroke(style);
        let mut points: Vec<(f64, f64)> = path.into_iter().map(pixels).collect();
        if let [from, to] = points.as_mut_slice() {
            if from.0 == to.0 {
                from.0 = self.snapped(from.0, width);
                to.0 = from.0;
            } else if from.1 == to.1 {
                from.1 = self.snapped(from.1, width);
                to.1 = from.1;
            }
        }
        self.trace(&points);
        self.context.stroke();
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let ((left, top), (right, bottom)) = (pixels(upper_left), pixels(bottom_right));
        if fill {
            self.set_fill(style);
            self.context.fill_rect(left, top, right - left, bottom - top);
        } else {
            self.set_stroke(style);
            self.context.stroke_rect(left, top, right - left, bottom - top);
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let points: Vec<(f64, f64)> = path.into_iter().map(pixels).collect();
        self.set_fill(style);
        self.trace(&points);
        self.context.fill();
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y) = pixels(center);
        self.context.begin_path();
        if self.context.arc(x, y, f64::from(radius) / UNITS, 0.0, std::f64::consts::TAU).is_err() {
            return Ok(());
        }
        if fill {
            self.set_fill(style);
            self.context.fill();
        } else {
            self.set_stroke(style);
            self.context.stroke();
        }
        Ok(())
    }

    /// Charts have no turned texts, so the transform of the style is not looked at.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let (x, y) = pixels(at);
        self.set_font(style);
        self.context.set_fill_style_str(&css(style.color()));
        self.context.set_text_baseline(match style.anchor().v_pos {
            VPos::Top => "top",
            VPos::Center => "middle",
            VPos::Bottom => "bottom",
        });
        self.context.set_text_align(match style.anchor().h_pos {
            HPos::Left => "left",
            HPos::Right => "right",
            HPos::Center => "center",
        });
        // Fails only for a canvas without size, on which nothing can be seen anyway.
        drop(self.context.fill_text(text, x, y));
        Ok(())
    }

    /// Measured by the canvas, which does not lay out the document.
    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<std::fmt::Error>> {
        self.set_font(style);
        let width = self.context.measure_text(text).map_or(0.0, |metrics| metrics.width());
        Ok(((width * UNITS) as u32, (style.size() * 1.2) as u32))
    }
}
