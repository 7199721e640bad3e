//! Which version of remote write a request speaks, by its headers.

/// A version of remote write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// `prometheus.WriteRequest`: labels as text with every series.
    V1,
    /// `io.prometheus.write.v2.Request`: a table of symbols, metadata with every series.
    V2,
}

/// The headers of a request are not those of remote write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Another media type.
    #[error(
        "the content type `{0}` is not supported, expected application/x-protobuf or \
         application/x-protobuf;proto=io.prometheus.write.v2.Request"
    )]
    ContentType(String),
    /// Another compression.
    #[error("the content encoding `{0}` is not supported, expected snappy")]
    Encoding(String),
}

impl Protocol {
    /// Both, oldest first.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// `1.0` or `2.0`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }

    /// The header `Content-Type` of its requests.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::V1 => "application/x-protobuf",
            Self::V2 => "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        }
    }

    /// The header `X-Prometheus-Remote-Write-Version` of its requests.
    pub fn version_header(self) -> &'static str {
        match self {
            Self::V1 => "0.1.0",
            Self::V2 => "2.0.0",
        }
    }

    /// The protocol of a request by its headers `Content-Type` and `Content-Encoding`. Senders from
    /// before the specification may lack either; they mean 1.0 and snappy.
    ///
    /// # Errors
    /// When a header names something else.
    pub fn of_headers(
        content_type: Option<&str>,
        content_encoding: Option<&str>,
    ) -> Result<Self, HeaderError> {
        let encoding = content_encoding.unwrap_or("snappy").trim();
        if !encoding.eq_ignore_ascii_case("snappy") {
            return Err(HeaderError::Encoding(encoding.to_owned()));
        }
        let Some(text) = content_type else { return Ok(Self::V1) };
        let unsupported = || HeaderError::ContentType(text.to_owned());
        let mut parts = text.split(';').map(str::trim);
        if !parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-protobuf")) {
            return Err(unsupported());
        }
        let mut protocol = Self::V1;
        for parameter in parts {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("proto") {
                protocol = match value.trim().trim_matches('"') {
                    "prometheus.WriteRequest" => Self::V1,
                    "io.prometheus.write.v2.Request" => Self::V2,
                    _ => return Err(unsupported()),
                };
            }
        }
        Ok(protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_name_the_protocol() {
        let kind = |text: &str| Err(HeaderError::ContentType(text.to_owned()));
        for (content_type, encoding, expected) in [
            (Some("application/x-protobuf"), Some("snappy"), Ok(Protocol::V1)),
            (None, None, Ok(Protocol::V1)),
            (
                Some("application/x-protobuf;proto=prometheus.WriteRequest"),
                Some("snappy"),
                Ok(Protocol::V1),
            ),
            (Some(Protocol::V2.content_type()), Some("Snappy"), Ok(Protocol::V2)),
            (
                Some("Application/X-Protobuf; charset=x; proto=\"io.prometheus.write.v2.Request\""),
                None,
                Ok(Protocol::V2),
            ),
            (Some("application/json"), None, kind("application/json")),
            (
                Some("application/x-protobuf;proto=io.prometheus.write.v3.Request"),
                None,
                kind("application/x-protobuf;proto=io.prometheus.write.v3.Request"),
            ),
            (
                Some("application/x-protobuf"),
                Some("gzip"),
                Err(HeaderError::Encoding("gzip".to_owned())),
            ),
        ] {
            let found = Protocol::of_headers(content_type, encoding);
            assert_eq!(found, expected, "{content_type:?} {encoding:?}");
        }
    }
}
