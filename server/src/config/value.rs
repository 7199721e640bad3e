//! Values with a unit, `"10s"` and `"8MiB"`, and lists that may be a single value.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

/// A length of time in Prometheus's notation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    /// A span of whole seconds.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The length in milliseconds.
    pub(crate) fn as_ms(self) -> i64 {
        self.0.as_millis() as i64
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        model::duration::Pretty(self.0).fmt(f)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        model::duration::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

/// A number of bytes, such as `"8MiB"` or `"20GB"`; all units count in 1024s, as in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let factor: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "KiB" | "KB" => 1 << 10,
            "MiB" | "MB" => 1 << 20,
            "GiB" | "GB" => 1 << 30,
            "TiB" | "TB" => 1 << 40,
            _ => return None,
        };
        text[..digits].parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is not a size, expected something like 512KiB or 8MiB"
            ))
        })
    }
}

/// Paths: one, or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths(pub(crate) Vec<PathBuf>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Paths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Paths, E> {
                Ok(Paths(vec![path.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(Paths(paths))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_in_1024s() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("8 MiB", Some(8 << 20)),
            ("1GiB", Some(1 << 30)),
            ("8MB", Some(8 << 20)),
            ("8 megabytes", None),
            ("MiB", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(Bytes::parse(text), bytes.map(Bytes), "{text}");
        }
    }

    #[test]
    fn one_path_may_stand_for_a_list() {
        let read = |text: &str| {
            let mut table: toml::Table = text.parse().unwrap();
            Paths::deserialize(table.remove("v").unwrap()).map(|paths| paths.0.len())
        };
        assert_eq!(read("v = \"a\""), Ok(1));
        assert_eq!(read("v = [\"a\", \"b\"]"), Ok(2));
        assert_eq!(read("v = []"), Ok(0));
        let error = read("v = 5").unwrap_err().to_string();
        assert!(error.contains("a path or a list of paths"), "{error}");
    }
}
