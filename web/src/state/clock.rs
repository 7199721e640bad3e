//! The time as the page shows it.

use std::time::Duration;

use leptos::prelude::*;

/// Ages are shown to the second only while they are short; this is often enough.
const REFRESH: Duration = Duration::from_secs(5);

/// The time now, as a context, renewed every few seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    now_ms: RwSignal<i64>,
}

impl Clock {
    /// Starts the clock.
    pub(crate) fn provide() {
        let clock = Self { now_ms: RwSignal::new(now_ms()) };
        let timer = set_interval_with_handle(move || clock.now_ms.set(now_ms()), REFRESH);
        if let Ok(timer) = timer {
            on_cleanup(move || timer.clear());
        }
        provide_context(clock);
    }

    /// Milliseconds since the Unix epoch; whoever reads it is renewed with it.
    pub(crate) fn now_ms(self) -> i64 {
        self.now_ms.get()
    }
}

/// The clock of the application.
pub(crate) fn use_clock() -> Clock {
    expect_context()
}

/// Milliseconds since the Unix epoch by the browser's clock.
pub(crate) fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

/// Seconds that the browser's zone is east of UTC at a moment.
pub(crate) fn utc_offset_seconds(time_ms: i64) -> i32 {
    let date = js_sys::Date::new(&(time_ms as f64).into());
    (-date.get_timezone_offset() * 60.0) as i32
}

/// A moment in full in the browser's zone.
pub(crate) fn moment(time_ms: i64) -> String {
    chart::time_axis::format_moment(time_ms, utc_offset_seconds(time_ms))
}
