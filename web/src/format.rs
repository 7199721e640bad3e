//! Numbers and times as people read them.

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// An availability from 0 to 1 as percent, rounded down: what is not 100 % never reads so.
pub(crate) fn availability(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent >= 100.0 {
        return "100%".to_owned();
    }
    let decimals = if percent >= 99.9 { 3 } else { 2 };
    let scale = 10_f64.powi(decimals);
    // Binary fractions may lie a hair below the decimal number they stand for.
    let rounded = ((percent * scale + 1e-6).floor() / scale).max(0.0);
    let text = format!("{rounded:.*}", decimals as usize);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A change in percentage points with its sign, such as `+0.12` or `−0.3`; `±0` for none.
pub(crate) fn points(change: f64) -> String {
    let decimals = if change.abs() < 0.1 { 3 } else { 2 };
    let text = format!("{:.decimals$}", change.abs());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match (text, change < 0.0) {
        ("0" | "", _) => "±0".to_owned(),
        (text, true) => format!("−{text}"),
        (text, false) => format!("+{text}"),
    }
}

/// A length of time in its two largest units: `45 s`, `12 min`, `3 h 20 min`, `5 d 3 h`.
pub(crate) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let two = |large: i64, name: &str, small: i64, small_name: &str| {
        let (whole, rest) = (ms / large, ms % large / small);
        if rest == 0 {
            format!("{whole} {name}")
        } else {
            format!("{whole} {name} {rest} {small_name}")
        }
    };
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => format!("{} s", ms / SECOND),
        // Seconds stop to matter after ten minutes.
        MINUTE..600_000 => two(MINUTE, "min", SECOND, "s"),
        600_000..HOUR => format!("{} min", ms / MINUTE),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    }
}

/// How long ago something was: `just now`, `12 s ago`, `3 h ago`.
pub(crate) fn ago(ms: i64) -> String {
    match ms {
        ..3_000 => "just now".to_owned(),
        3_000..MINUTE => format!("{} s ago", ms / SECOND),
        MINUTE..HOUR => format!("{} min ago", ms / MINUTE),
        HOUR..172_800_000 => format!("{} h ago", ms / HOUR),
        _ => format!("{} d ago", ms / DAY),
    }
}

/// A whole number with separators: `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 alert`, `2 alerts`.
pub(crate) fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_is_never_rounded_up() {
        let cases = [
            ("all", 1.0, "100%"),
            ("a hair less", 0.999_999_9, "99.999%"),
            ("three decimals near the top", 0.999_96, "99.996%"),
            ("two below", 0.987_66, "98.76%"),
            ("decimal in binary", 0.29, "29%"),
            ("none", 0.0, "0%"),
        ];
        for (name, ratio, expected) in cases {
            assert_eq!(availability(ratio), expected, "{name}");
        }
    }

    #[test]
    fn a_change_carries_its_sign() {
        let cases = [
            ("up", 0.12, "+0.12"),
            ("down", -1.5, "−1.5"),
            ("small", 0.004, "+0.004"),
            ("none", 0.0, "±0"),
            ("too small to show", -0.0001, "±0"),
        ];
        for (name, change, expected) in cases {
            assert_eq!(points(change), expected, "{name}");
        }
    }

    #[test]
    fn lengths_use_two_units() {
        let cases = [
            ("milliseconds", 250, "250 ms"),
            ("seconds", 45_900, "45 s"),
            ("minutes and seconds", 125_000, "2 min 5 s"),
            ("minutes", 12 * MINUTE + 30_000, "12 min"),
            ("hours and minutes", 3 * HOUR + 20 * MINUTE, "3 h 20 min"),
            ("whole hours", 3 * HOUR, "3 h"),
            ("days and hours", 5 * DAY + 3 * HOUR, "5 d 3 h"),
            ("a clock that went back", -5, "0 ms"),
        ];
        for (name, ms, expected) in cases {
            assert_eq!(duration(ms), expected, "{name}");
        }
    }

    #[test]
    fn the_past_is_told_roughly() {
        assert_eq!(ago(1_200), "just now");
        assert_eq!(ago(12_400), "12 s ago");
        assert_eq!(ago(26 * HOUR), "26 h ago");
        assert_eq!(ago(3 * DAY), "3 d ago");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(plural(1, "alert", "alerts"), "1 alert");
    }
}
