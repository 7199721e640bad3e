//! Writes a picture in both themes and formats into a folder: `cargo run -p chart --features still
//! --example still -- FOLDER`.

use chart::still::{Still, StillSeries, png, svg};
use chart::{Band, Theme, Unit, Window, palette};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: still FOLDER")?;
    let start_ms = 1_795_244_400_000;
    let series = ["checkout", "cart", "search", "payments"].iter().enumerate().map(|(n, name)| {
        let value = |i: i32| {
            let t = f64::from(i);
            let noise = ((t * 12.98 + n as f64).sin() * 43_758.5).fract() * 3.0;
            let gap = n == 2 && (150..180).contains(&i);
            if gap { f64::NAN } else { 30.0 + n as f64 * 9.0 + 8.0 * (t / 40.0).sin() + noise }
        };
        StillSeries {
            name: (*name).to_owned(),
            key: palette::key([("service", *name)]),
            values: (0..360).map(value).collect(),
        }
    });
    let mut still = Still {
        title: "Requests per second".to_owned(),
        subtitle: "66.2/s > 60/s".to_owned(),
        unit: Unit::PerSecond,
        thresholds: vec![60.0],
        bands: vec![Band { from_ms: (start_ms + 2_600_000) as f64, to_ms: 2e12 }],
        series: series.collect(),
        start_ms,
        step_ms: 10_000,
        window: Window::new(start_ms as f64, (start_ms + 3_600_000) as f64),
        ..Still::default()
    };
    for (name, theme) in [("light", Theme::LIGHT), ("dark", Theme::DARK)] {
        still.theme = theme;
        std::fs::write(format!("{folder}/chart-{name}.png"), png(&still)?)?;
        std::fs::write(format!("{folder}/chart-{name}.svg"), svg(&still)?)?;
    }
    Ok(())
}
