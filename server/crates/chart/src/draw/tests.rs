use plotters::drawing::IntoDrawingArea;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::*;
use crate::{Band, Font, Theme, Unit, Window};

/// Writes down what is drawn, in CSS pixels; a glyph is six pixels wide.
#[derive(Default)]
struct Recorder {
    texts: Vec<String>,
    paths: Vec<usize>,
    dots: usize,
    polygons: usize,
    rectangles: usize,
}

const K: f64 = 10.0;

type Drawn = Result<(), DrawingErrorKind<std::io::Error>>;

impl DrawingBackend for &mut Recorder {
    type ErrorType = std::io::Error;

    fn get_size(&self) -> (u32, u32) {
        (4_000, 2_000)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Drawn {
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        _: &S,
    ) -> Drawn {
        self.paths.push(path.into_iter().count());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        _: I,
        _: &S,
    ) -> Drawn {
        self.polygons += 1;
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        _: BackendCoord,
        _: BackendCoord,
        _: &S,
        _: bool,
    ) -> Drawn {
        self.rectangles += 1;
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, _: BackendCoord, _: u32, _: &S, _: bool) -> Drawn {
        self.dots += 1;
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, _: &S, _: BackendCoord) -> Drawn {
        self.texts.push(text.to_owned());
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<std::io::Error>> {
        Ok(((text.chars().count() as f64 * 6.0 * K) as u32, (12.0 * K) as u32))
    }
}

fn record(values: &[&[f64]], thresholds: &[f64], bands: &[Band]) -> (Recorder, Geometry) {
    let series: Vec<Series<'_>> = values
        .iter()
        .map(|values| Series { color: Rgb::hex(0x0012_3456), values, emphasis: Emphasis::Normal })
        .collect();
    let chart = Chart {
        series: &series,
        start_ms: 0,
        step_ms: 60_000,
        window: Window::new(0.0, 3_600_000.0),
        unit: Unit::PerSecond,
        thresholds,
        bands,
        theme: &Theme::DARK,
        utc_offset_seconds: 0,
    };
    let surface = Surface {
        units_per_pixel: K,
        font: Font { family: "sans-serif", size_factor: 1.0, drop_em: 0.0 },
        is_opaque: false,
    };
    let mut recorder = Recorder::default();
    let geometry = {
        let area = (&mut recorder).into_drawing_area();
        draw(&area, &chart, surface).unwrap()
    };
    (recorder, geometry)
}

#[test]
fn the_plot_leaves_room_for_its_labels() {
    let (recorder, geometry) = record(&[&[3.0, 92.0]], &[], &[]);
    // "100/s" is five glyphs.
    assert_eq!((geometry.left, geometry.right), (38.0, 388.0));
    assert_eq!((geometry.top, geometry.bottom), (8.0, 178.0));
    assert_eq!((geometry.low, geometry.high), (0.0, 100.0));
    for label in ["0", "100/s", "00:30", "00:45"] {
        assert!(recorder.texts.iter().any(|text| text == label), "{label}: {:?}", recorder.texts);
    }
}

#[test]
fn a_threshold_beyond_the_values_is_in_sight() {
    let (_, geometry) = record(&[&[3.0, 20.0]], &[71.0], &[]);
    assert!(geometry.high >= 71.0);
}

#[test]
fn a_lone_value_between_gaps_is_a_dot() {
    let (recorder, _) = record(&[&[f64::NAN, 5.0, f64::NAN, 1.0, 2.0]], &[], &[]);
    assert_eq!(recorder.dots, 1);
}

#[test]
fn only_a_single_series_is_shaded() {
    let (one, _) = record(&[&[1.0, 2.0]], &[], &[]);
    let (two, _) = record(&[&[1.0, 2.0], &[3.0, 4.0]], &[], &[]);
    assert_eq!((one.polygons, two.polygons), (1, 0));
}

#[test]
fn a_band_outside_of_the_window_is_not_drawn() {
    let inside = Band { from_ms: 600_000.0, to_ms: 1e12 };
    let outside = Band { from_ms: 1e12, to_ms: 2e12 };
    let (recorder, _) = record(&[&[1.0]], &[], &[inside, outside]);
    assert_eq!(recorder.rectangles, 1);
}

#[test]
fn a_long_series_is_thinned_to_its_pixels() {
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    let (short, _) = record(&[&values], &[], &[]);
    assert!(short.paths.contains(&60));
    let long: Vec<f64> = (0..50_000).map(|i| f64::from(i % 7)).collect();
    let series = [Series { color: Rgb::hex(0), values: &long, emphasis: Emphasis::Normal }];
    let chart = Chart {
        series: &series,
        start_ms: 0,
        step_ms: 1_000,
        window: Window::new(0.0, 50_000_000.0),
        unit: Unit::None,
        thresholds: &[],
        bands: &[],
        theme: &Theme::LIGHT,
        utc_offset_seconds: 0,
    };
    let surface = Surface {
        units_per_pixel: K,
        font: Font { family: "sans-serif", size_factor: 1.0, drop_em: 0.0 },
        is_opaque: true,
    };
    let mut recorder = Recorder::default();
    draw(&(&mut recorder).into_drawing_area(), &chart, surface).unwrap();
    let longest = recorder.paths.iter().max().unwrap();
    assert!(*longest <= 4 * 400, "{longest} points");
}
