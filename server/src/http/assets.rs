//! The web UI, embedded in the binary.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};

/// A file of the UI; the build script makes the table.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    content_type: &'static str,
    etag: &'static str,
    /// Its name changes with its content.
    is_immutable: bool,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// Sorted by path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Bellwether</title>\
     <h1>The web UI is not part of this binary</h1>\
     <p>Build it with <code>cargo xtask build</code>; the APIs work without it.</p></html>";

/// Any path that is no API: a file of the UI, or the page that finds its own way from the path.
pub(super) async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let found = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|i| &ASSETS[i]);
    match found {
        Some(asset) => respond(asset, &headers),
        None if path.starts_with("/assets/") || path.starts_with("/api/") => {
            (StatusCode::NOT_FOUND, "not found\n").into_response()
        }
        None => match ASSETS.iter().find(|asset| asset.path == "/index.html") {
            Some(index) => respond(index, &headers),
            None => (StatusCode::NOT_FOUND, Html(NOT_BUILT)).into_response(),
        },
    }
}

fn respond(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", asset.etag);
    let cache = if asset.is_immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (encoding, bytes) = encoded(asset, headers);
        let mut response = bytes.into_response();
        if let Some(encoding) = encoding {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, value);
    }
    response
}

/// The smallest form that the browser takes.
fn encoded(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let accepts = |name: &str| {
        accepted.split(',').any(|part| {
            let mut pieces = part.split(';').map(str::trim);
            pieces.next() == Some(name) && !pieces.any(|piece| matches!(piece, "q=0" | "q=0.0"))
        })
    };
    match (asset.brotli, asset.gzip) {
        (Some(bytes), _) if accepts("br") => (Some("br"), bytes),
        (_, Some(bytes)) if accepts("gzip") => (Some("gzip"), bytes),
        _ => (None, asset.plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ASSET: Asset = Asset {
        path: "/app.css",
        content_type: "text/css",
        etag: "abc",
        is_immutable: true,
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"br"),
    };

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_best_accepted_encoding_is_taken() {
        for (accepted, expected) in [
            ("br, gzip", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("gzip;q=1.0, br;q=0", Some("gzip")),
            ("identity", None),
            ("", None),
        ] {
            let found = encoded(&ASSET, &headers(header::ACCEPT_ENCODING, accepted)).0;
            assert_eq!(found, expected, "{accepted}");
        }
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        for (known, status) in [
            ("\"abc\"", StatusCode::NOT_MODIFIED),
            ("\"old\", W/\"abc\"", StatusCode::NOT_MODIFIED),
            ("\"old\"", StatusCode::OK),
        ] {
            let response = respond(&ASSET, &headers(header::IF_NONE_MATCH, known));
            assert_eq!(response.status(), status, "{known}");
        }
    }
}
