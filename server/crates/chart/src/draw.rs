//! The drawing function.

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBAColor, RGBColor, ShapeStyle, TextStyle};

use crate::thin::{Grid, extent, segments};
use crate::{Chart, Emphasis, Geometry, Rgb, Series, Surface, TimeAxis, ValueAxis};

/// Room above the plot, so that a label at its top is not cut.
const MARGIN_TOP: f64 = 8.0;
/// Room right of the plot.
const MARGIN_RIGHT: f64 = 12.0;
/// Room for the times below the plot.
const TIME_LABELS: f64 = 22.0;
/// Between the values and the plot.
const LABEL_GAP: f64 = 8.0;
const LABEL_SIZE: f64 = 11.0;
/// Height that one step of the value axis should have.
const VALUE_STEP: f64 = 36.0;
/// Width that one step of the time axis should have.
const TIME_STEP: f64 = 68.0;
const LINE_WIDTH: f64 = 1.5;
const DASH: f64 = 5.0;
const DASH_GAP: f64 = 4.0;

/// What drawing can fail with: only what the backend reports.
pub type DrawError<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

/// Draws a chart over the whole area and says where the plot landed. Presenting the area is left to
/// the caller, who may draw more: the SVG backend closes its document then.
///
/// # Errors
/// Fails only when the backend does.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &Chart<'_>,
    surface: Surface,
) -> Result<Geometry, DrawError<DB>> {
    let (width, height) = area.dim_in_pixel();
    let k = surface.units_per_pixel;
    let pen = Pen { area, surface };
    if surface.is_opaque {
        area.fill(&solid(chart.theme.surface))?;
    }
    let style = label_style(chart.theme.muted, surface);
    let size = (f64::from(width) / k, f64::from(height) / k);
    let axis = value_axis(chart, size.1);
    let geometry = layout(&pen, &axis, &style, size, chart)?;

    for band in chart.bands {
        pen.band(band.from_ms, band.to_ms, &geometry, chart.theme.critical)?;
    }
    draw_value_axis(&pen, &axis, &geometry, chart, &style)?;
    draw_time_axis(&pen, &geometry, chart, &style, size.0)?;
    for series in chart.series {
        draw_series(&pen, series, &geometry, chart)?;
    }
    for threshold in chart.thresholds {
        pen.dashed(*threshold, &geometry, chart.theme.critical)?;
    }
    Ok(geometry)
}

fn grid(chart: &Chart<'_>) -> Grid {
    Grid { start_ms: chart.start_ms, step_ms: chart.step_ms.max(1) }
}

/// Fits the values in sight; a threshold counts as a value, so it is always in sight.
fn value_axis(chart: &Chart<'_>, height: f64) -> ValueAxis {
    let extents = chart.series.iter().map(|s| extent(grid(chart), s.values, chart.window));
    let levels = chart.thresholds.iter().map(|level| (*level, *level));
    let (low, high) = extents
        .chain(levels)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |all, one| (all.0.min(one.0), all.1.max(one.1)));
    let count = ((height - MARGIN_TOP - TIME_LABELS) / VALUE_STEP).clamp(2.0, 8.0) as usize;
    ValueAxis::fit(low, high, chart.unit, count)
}

fn layout<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    axis: &ValueAxis,
    style: &TextStyle<'_>,
    (width, height): (f64, f64),
    chart: &Chart<'_>,
) -> Result<Geometry, DrawError<DB>> {
    let mut label_width = 0.0_f64;
    for label in &axis.labels {
        label_width = label_width.max(pen.text_width(label, style)?);
    }
    let left = (label_width + LABEL_GAP).ceil();
    Ok(Geometry {
        left,
        top: MARGIN_TOP,
        right: (width - MARGIN_RIGHT).max(left + 1.0),
        bottom: (height - TIME_LABELS).max(MARGIN_TOP + 1.0),
        window: chart.window,
        low: axis.low,
        high: axis.high,
    })
}

fn draw_value_axis<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    axis: &ValueAxis,
    geometry: &Geometry,
    chart: &Chart<'_>,
    style: &TextStyle<'_>,
) -> Result<(), DrawError<DB>> {
    let anchored = style.pos(Pos::new(HPos::Right, VPos::Center));
    for (index, (tick, label)) in axis.ticks.iter().zip(&axis.labels).enumerate() {
        let y = geometry.y_of(*tick);
        let color = if index == 0 { chart.theme.axis } else { chart.theme.grid };
        pen.line((geometry.left, y), (geometry.right, y), pen.stroke(solid(color), 1.0))?;
        pen.text(label, (geometry.left - LABEL_GAP, y), &anchored)?;
    }
    Ok(())
}

fn draw_time_axis<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    geometry: &Geometry,
    chart: &Chart<'_>,
    style: &TextStyle<'_>,
    width: f64,
) -> Result<(), DrawError<DB>> {
    let max = ((geometry.right - geometry.left) / TIME_STEP).max(2.0) as usize;
    let axis = TimeAxis::fit(chart.window, max, chart.utc_offset_seconds);
    let anchored = style.pos(Pos::new(HPos::Center, VPos::Top));
    let stroke = pen.stroke(solid(chart.theme.axis), 1.0);
    for (tick, label) in axis.ticks.iter().zip(&axis.labels) {
        let x = geometry.x_of(*tick);
        let half = pen.text_width(label, style)? / 2.0;
        // What would run out of the picture is left out.
        if x - half < 0.0 || x + half > width {
            continue;
        }
        pen.line((x, geometry.bottom), (x, geometry.bottom + 4.0), stroke)?;
        pen.text(label, (x, geometry.bottom + 7.0), &anchored)?;
    }
    Ok(())
}

fn draw_series<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    series: &Series<'_>,
    geometry: &Geometry,
    chart: &Chart<'_>,
) -> Result<(), DrawError<DB>> {
    let columns = (geometry.right - geometry.left).max(16.0) as usize;
    let (opacity, width) = match series.emphasis {
        Emphasis::Normal => (1.0, LINE_WIDTH),
        Emphasis::Dimmed => (0.22, 1.0),
    };
    let color = solid(series.color);
    // A shaded area helps to read one line and hides others.
    let is_filled = chart.series.len() == 1;
    for segment in segments(grid(chart), series.values, chart.window, columns) {
        let points: Vec<_> =
            segment.iter().map(|point| (geometry.x_of(point.0), geometry.y_of(point.1))).collect();
        if let [point] = points[..] {
            pen.dot(point, 1.75, color.mix(opacity))?;
            continue;
        }
        if is_filled {
            pen.area_below(&points, geometry, color.mix(0.10))?;
        }
        pen.path(&points, pen.stroke(color.mix(opacity), width))?;
    }
    Ok(())
}

fn label_style(color: Rgb, surface: Surface) -> TextStyle<'static> {
    let size = LABEL_SIZE * surface.units_per_pixel * surface.font.size_factor;
    (surface.font.family, size).into_font().color(&solid(color))
}

pub(crate) fn solid(color: Rgb) -> RGBColor {
    RGBColor(color.red, color.green, color.blue)
}

/// Draws in CSS pixels on a backend whose units are finer.
pub(crate) struct Pen<'a, DB: DrawingBackend> {
    pub(crate) area: &'a DrawingArea<DB, Shift>,
    pub(crate) surface: Surface,
}

impl<DB: DrawingBackend> Pen<'_, DB> {
    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (self.scaled(x).round() as i32, self.scaled(y).round() as i32)
    }

    fn scaled(&self, pixels: f64) -> f64 {
        pixels * self.surface.units_per_pixel
    }

    pub(crate) fn stroke(&self, color: impl Color, width: f64) -> ShapeStyle {
        color.stroke_width((self.scaled(width).round() as u32).max(1))
    }

    pub(crate) fn line(
        &self,
        a: (f64, f64),
        b: (f64, f64),
        style: ShapeStyle,
    ) -> Result<(), DrawError<DB>> {
        self.area.draw(&PathElement::new(vec![self.at(a), self.at(b)], style))
    }

    fn path(&self, points: &[(f64, f64)], style: ShapeStyle) -> Result<(), DrawError<DB>> {
        let points: Vec<_> = points.iter().map(|point| self.at(*point)).collect();
        self.area.draw(&PathElement::new(points, style))
    }

    fn dot(&self, at: (f64, f64), radius: f64, color: RGBAColor) -> Result<(), DrawError<DB>> {
        let radius = self.scaled(radius).round() as i32;
        self.area.draw(&Circle::new(self.at(at), radius, color.filled()))
    }

    fn area_below(
        &self,
        points: &[(f64, f64)],
        geometry: &Geometry,
        color: RGBAColor,
    ) -> Result<(), DrawError<DB>> {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Ok(());
        };
        // Down to zero where zero is in sight, else to the edge that is nearer to it.
        let base = geometry.y_of(0.0).clamp(geometry.top, geometry.bottom);
        let outline = points.iter().copied().chain([(last.0, base), (first.0, base)]);
        let outline: Vec<_> = outline.map(|point| self.at(point)).collect();
        self.area.draw(&Polygon::new(outline, color.filled()))
    }

    fn band(
        &self,
        from_ms: f64,
        to_ms: f64,
        geometry: &Geometry,
        color: Rgb,
    ) -> Result<(), DrawError<DB>> {
        let left = geometry.x_of(from_ms).clamp(geometry.left, geometry.right);
        let right = geometry.x_of(to_ms).clamp(geometry.left, geometry.right);
        if right <= left {
            return Ok(());
        }
        let corners = [self.at((left, geometry.top)), self.at((right, geometry.bottom))];
        self.area.draw(&Rectangle::new(corners, solid(color).mix(0.08).filled()))
    }

    fn dashed(&self, level: f64, geometry: &Geometry, color: Rgb) -> Result<(), DrawError<DB>> {
        if !(geometry.low..=geometry.high).contains(&level) {
            return Ok(());
        }
        let y = geometry.y_of(level);
        let style = self.stroke(solid(color), 1.0);
        let mut x = geometry.left;
        while x < geometry.right {
            self.line((x, y), ((x + DASH).min(geometry.right), y), style)?;
            x += DASH + DASH_GAP;
        }
        Ok(())
    }

    pub(crate) fn text(
        &self,
        text: &str,
        (x, y): (f64, f64),
        style: &TextStyle<'_>,
    ) -> Result<(), DrawError<DB>> {
        let size = style.font.get_size() / self.surface.font.size_factor;
        let drop = self.surface.font.drop_em * size / self.surface.units_per_pixel;
        self.area.draw(&Text::new(text, self.at((x, y + drop)), style))
    }

    /// The width of a text in CSS pixels.
    pub(crate) fn text_width(
        &self,
        text: &str,
        style: &TextStyle<'_>,
    ) -> Result<f64, DrawError<DB>> {
        let (width, _) = self.area.estimate_text_size(text, style)?;
        Ok(f64::from(width) / self.surface.units_per_pixel)
    }
}

#[cfg(test)]
mod tests;
