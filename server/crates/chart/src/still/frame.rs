//! Title, chart and legend of a picture.

use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::Rectangle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, TextStyle};

use super::Still;
use super::marks::draw_marks;
use crate::draw::{DrawError, Pen, solid};
use crate::{Chart, Emphasis, Rgb, Series, Surface, draw as draw_chart, palette};

const PADDING: f64 = 16.0;
const TITLE_SIZE: f64 = 14.0;
const TITLE_HEIGHT: f64 = 28.0;
const LEGEND_SIZE: f64 = 11.5;
const LEGEND_ROW: f64 = 18.0;
/// Swatch and the gaps beside it.
const LEGEND_INDENT: f64 = 16.0;
const LEGEND_GAP: f64 = 18.0;
const LEGEND_ROWS: usize = 3;

/// What a backend reported; its types differ, so it is kept as text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FrameError(String);

/// Draws everything over the whole area.
pub(super) fn draw<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    still: &Still,
    surface: Surface,
) -> Result<(), FrameError> {
    draw_frame(root, still, surface).map_err(|error| FrameError(error.to_string()))
}

fn draw_frame<DB: DrawingBackend>(
    root: &DrawingArea<DB, Shift>,
    still: &Still,
    surface: Surface,
) -> Result<(), DrawError<DB>> {
    root.fill(&solid(still.theme.surface))?;
    let k = surface.units_per_pixel;
    let px = |pixels: f64| (pixels * k).round() as i32;
    let keys: Vec<&str> = still.series.iter().map(|series| series.key.as_str()).collect();
    let colors: Vec<Rgb> =
        palette::assign(&keys).into_iter().map(|index| still.theme.series[index]).collect();

    let inner = root.margin(px(PADDING * 0.75), px(PADDING * 0.75), px(PADDING), px(PADDING));
    let title_height = if still.title.is_empty() { 0.0 } else { TITLE_HEIGHT };
    let legend_style = text_style(still.theme.muted, LEGEND_SIZE, FontStyle::Normal, surface);
    let pen = Pen { area: &inner, surface };
    let width = f64::from(inner.dim_in_pixel().0) / k;
    let legend = legend_rows(&pen, still, &legend_style, width)?;
    let legend_height =
        if legend.is_empty() { 0.0 } else { legend.len() as f64 * LEGEND_ROW + 4.0 };

    let (title, rest) = inner.split_vertically(px(title_height));
    let height = f64::from(rest.dim_in_pixel().1) / k;
    let (plot, below) = rest.split_vertically(px((height - legend_height).max(1.0)));
    if title_height > 0.0 {
        draw_title(&Pen { area: &title, surface }, still)?;
    }
    let series: Vec<Series<'_>> = still
        .series
        .iter()
        .zip(&colors)
        .map(|(series, color)| Series {
            color: *color,
            values: &series.values,
            emphasis: Emphasis::Normal,
        })
        .collect();
    let chart = Chart {
        series: &series,
        start_ms: still.start_ms,
        step_ms: still.step_ms,
        window: still.window,
        unit: still.unit,
        thresholds: &still.thresholds,
        bands: &still.bands,
        theme: &still.theme,
        utc_offset_seconds: still.utc_offset_seconds,
    };
    let geometry = draw_chart(&plot, &chart, Surface { is_opaque: false, ..surface })?;
    draw_marks(&Pen { area: &plot, surface }, still, &geometry, &legend_style)?;
    draw_legend(&Pen { area: &below, surface }, &legend, &colors, &legend_style)?;
    root.present()
}

fn draw_title<DB: DrawingBackend>(pen: &Pen<'_, DB>, still: &Still) -> Result<(), DrawError<DB>> {
    let surface = pen.surface;
    let title = text_style(still.theme.text, TITLE_SIZE, FontStyle::Bold, surface);
    let subtitle = text_style(still.theme.muted, LEGEND_SIZE + 0.5, FontStyle::Normal, surface);
    let width = f64::from(pen.area.dim_in_pixel().0) / surface.units_per_pixel;
    let taken = pen.text_width(&still.subtitle, &subtitle)?;
    let text = shorten(pen, &still.title, &title, width - taken - LEGEND_GAP)?;
    pen.text(&text, (0.0, 8.0), &title.pos(Pos::new(HPos::Left, VPos::Center)))?;
    pen.text(&still.subtitle, (width, 8.0), &subtitle.pos(Pos::new(HPos::Right, VPos::Center)))
}

/// A name of the legend, where it stands in its row, and its series; `None` for "and 3 more".
struct Entry {
    x: f64,
    text: String,
    series: Option<usize>,
}

/// Breaks the names into rows; what does not fit into the last row is counted.
fn legend_rows<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    still: &Still,
    style: &TextStyle<'_>,
    width: f64,
) -> Result<Vec<Vec<Entry>>, DrawError<DB>> {
    let mut rows: Vec<Vec<Entry>> = Vec::new();
    let mut x = 0.0;
    let count = still.series.len();
    for (index, series) in still.series.iter().enumerate() {
        if series.name.is_empty() {
            continue;
        }
        let text = shorten(pen, &series.name, style, width - LEGEND_INDENT)?;
        let needed = LEGEND_INDENT + pen.text_width(&text, style)?;
        let reserved = if rows.len() == LEGEND_ROWS && index + 1 < count { 80.0 } else { 0.0 };
        if rows.is_empty() || x + needed + reserved > width {
            if rows.len() == LEGEND_ROWS {
                let text = format!("and {} more", count - index);
                rows[LEGEND_ROWS - 1].push(Entry { x, text, series: None });
                break;
            }
            rows.push(Vec::new());
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push(Entry { x, text, series: Some(index) });
        }
        x += needed + LEGEND_GAP;
    }
    Ok(rows)
}

fn draw_legend<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    rows: &[Vec<Entry>],
    colors: &[Rgb],
    style: &TextStyle<'_>,
) -> Result<(), DrawError<DB>> {
    let anchored = style.pos(Pos::new(HPos::Left, VPos::Center));
    for (row, entries) in rows.iter().enumerate() {
        let y = 4.0 + (row as f64 + 0.5) * LEGEND_ROW;
        for entry in entries {
            let Some(series) = entry.series else {
                pen.text(&entry.text, (entry.x, y), &anchored)?;
                continue;
            };
            let swatch = [pen.at((entry.x, y - 1.5)), pen.at((entry.x + 10.0, y + 1.5))];
            pen.area.draw(&Rectangle::new(swatch, solid(colors[series]).filled()))?;
            pen.text(&entry.text, (entry.x + LEGEND_INDENT, y), &anchored)?;
        }
    }
    Ok(())
}

/// Cuts a text that is wider than `width` and ends it with an ellipsis.
pub(super) fn shorten<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    text: &str,
    style: &TextStyle<'_>,
    width: f64,
) -> Result<String, DrawError<DB>> {
    if pen.text_width(text, style)? <= width {
        return Ok(text.to_owned());
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let candidate = format!("{}…", kept.trim_end());
        if pen.text_width(&candidate, style)? <= width {
            return Ok(candidate);
        }
    }
    Ok(String::new())
}

fn text_style(color: Rgb, size: f64, style: FontStyle, surface: Surface) -> TextStyle<'static> {
    let size = size * surface.units_per_pixel * surface.font.size_factor;
    (surface.font.family, size, style).into_font().color(&solid(color))
}
