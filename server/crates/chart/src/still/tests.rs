use super::*;
use crate::palette;

fn still() -> Still {
    let start_ms = 1_795_244_400_000;
    let series = ["checkout", "cart"].map(|name| StillSeries {
        name: name.to_owned(),
        key: palette::key([("service", name)]),
        values: (0..120)
            .map(|i| {
                let spike = if i == 90 { 4.0 } else { 0.0 };
                name.len() as f64 + (f64::from(i) / 9.0).sin() + spike
            })
            .collect(),
    });
    Still {
        title: "Error rate of checkout".to_owned(),
        subtitle: "12.9/s > 9/s".to_owned(),
        unit: Unit::PerSecond,
        thresholds: vec![9.0],
        bands: vec![Band { from_ms: (start_ms + 2_600_000) as f64, to_ms: 2e12 }],
        series: series.into(),
        start_ms,
        step_ms: 30_000,
        window: Window::new(start_ms as f64, (start_ms + 119 * 30_000) as f64),
        ..Still::default()
    }
}

/// The pixels of a PNG with their width.
fn decode(file: &[u8]) -> (Vec<u8>, usize) {
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (pixels, info.width as usize)
}

fn shows(pixels: &[u8], color: crate::Rgb) -> bool {
    pixels.chunks_exact(3).any(|pixel| pixel == [color.red, color.green, color.blue])
}

#[test]
fn a_png_shows_lines_and_threshold_at_twice_the_size() {
    let still = still();
    let file = png(&still).unwrap();
    let (pixels, width) = decode(&file);
    assert_eq!((width, pixels.len()), (1_280, 1_280 * 520 * 3));
    let keys: Vec<&str> = still.series.iter().map(|series| series.key.as_str()).collect();
    for index in palette::assign(&keys) {
        assert!(shows(&pixels, Theme::LIGHT.series[index]), "color {index} is missing");
    }
    assert!(shows(&pixels, Theme::LIGHT.critical), "the threshold is missing");
    assert!(file.len() < 60_000, "{} bytes", file.len());
}

#[test]
fn an_svg_holds_the_texts_in_the_embedded_face() {
    let document = svg(&still()).unwrap();
    assert!(document.starts_with("<svg width=\"640\" height=\"260\" viewBox=\"0 0 6400 2600\""));
    for text in ["Error rate of checkout", "12.9/s &gt; 9/s", "cart", "07:30", "5/s"] {
        assert!(document.contains(text), "{text} is missing");
    }
    assert_eq!(document.matches("</svg>").count(), 1);
    assert!(document.contains("font-family=\"Inter, system-ui, sans-serif\""));
}

#[test]
fn hostile_names_do_not_become_markup() {
    let mut still = still();
    still.title = "<script>alert(1)</script>".to_owned();
    still.series[0].name = "\"/><b>".to_owned();
    let document = svg(&still).unwrap();
    assert!(!document.contains("<script>") && !document.contains("<b>"));
}

#[test]
fn a_picture_without_data_is_made() {
    let empty = Still::default();
    assert!(!png(&empty).unwrap().is_empty());
    let gaps = Still {
        series: vec![StillSeries { values: vec![f64::NAN; 4], ..StillSeries::default() }],
        ..Still::default()
    };
    assert!(!png(&gaps).unwrap().is_empty());
}

#[test]
fn a_size_out_of_bounds_is_refused_with_the_bounds() {
    let still = Still { width: 10_000, ..Still::default() };
    let error = png(&still).unwrap_err().to_string();
    assert_eq!(
        error,
        "picture of 10000x260 refused: width must be 160 to 2000, height 100 to 1200"
    );
}

#[test]
fn many_series_are_counted_at_the_end_of_the_legend() {
    let mut still = still();
    still.series = (0..200)
        .map(|i| StillSeries {
            name: format!("instance-{i}"),
            key: format!("{i}"),
            values: vec![f64::from(i); 120],
        })
        .collect();
    let document = svg(&still).unwrap();
    assert!(document.contains(" more"), "the legend is not cut");
    assert!(!document.contains("instance-199"));
}

#[test]
fn marks_are_named_where_there_is_room() {
    let mut still = still();
    let at = |minutes: i64| (still.start_ms + minutes * 60_000) as f64;
    let mark = |minutes, name: &str| StillMark { at_ms: at(minutes), name: name.to_owned() };
    still.marks =
        vec![mark(40, "Deployed 2.4.1"), mark(39, "Crowded"), mark(5, "Early"), mark(-5, "Before")];
    let document = svg(&still).unwrap();
    for (name, is_there) in
        [("Deployed 2.4.1", true), ("Early", true), ("Crowded", false), ("Before", false)]
    {
        assert_eq!(document.contains(name), is_there, "{name}");
    }
    let (pixels, _) = decode(&png(&still).unwrap());
    still.marks.clear();
    assert_ne!(pixels, decode(&png(&still).unwrap()).0);
}
