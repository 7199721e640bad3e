//! HTTP: is the answer what it should be?

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::rustls::ClientConfig;
use url::{Host, Url};

use super::{Progress, Stage, address, spend, tls};
use crate::uptime::monitor::HttpTarget;

/// How much of a body is searched.
const BODY_LIMIT: usize = 1 << 20;
const USER_AGENT_TEXT: &str = concat!("Bellwether/", env!("CARGO_PKG_VERSION"));

/// What the next request looks like; redirects change it.
#[derive(Debug)]
struct Next {
    url: Url,
    method: Method,
    body: Bytes,
    headers: HeaderMap,
}

/// Sends the request, follows redirects and judges the last answer.
///
/// # Errors
/// Why the answer is not good, in words.
pub(super) async fn probe(
    target: &HttpTarget,
    config: &Arc<ClientConfig>,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(), String> {
    let mut next = Next {
        url: target.url.clone(),
        method: target.method.clone(),
        body: Bytes::from(target.body.clone()),
        headers: headers(target),
    };
    for left in (0..=target.redirects).rev() {
        let host = match next.url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("the address has no host".to_owned()),
        };
        let port = next.url.port_or_known_default().unwrap_or(80);
        let stream = address::connect(&host, port, deadline, progress).await?;
        let redirect = if next.url.scheme() == "https" {
            let stream = tls::handshake(stream, &host, config, progress).await?;
            exchange(stream, target, &next, progress).await?
        } else {
            exchange(stream, target, &next, progress).await?
        };
        match redirect {
            Answer::Good => return Ok(()),
            Answer::Redirect { .. } if left == 0 => {
                return Err(format!("more than {} redirects", target.redirects));
            }
            Answer::Redirect { status, location } => next.follow(status, &location)?,
        }
    }
    Ok(())
}

fn headers(target: &HttpTarget) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_TEXT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    for header in &target.headers {
        headers.insert(&header.name, header.value.clone());
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
}

enum Answer {
    Good,
    Redirect { status: StatusCode, location: String },
}

/// One request over one connection.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    target: &HttpTarget,
    next: &Next,
    progress: &mut Progress,
) -> Result<Answer, String> {
    progress.stage = Stage::Request;
    let start = Instant::now();
    let broken =
        |error: hyper::Error| format!("the connection broke: {}", model::text::causes(&error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = next.request()?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        spend(&mut progress.phases.first_byte, start);
        if let Some(answer) = redirect(target, &response) {
            return Ok(answer);
        }
        progress.stage = Stage::Body;
        judge(target, response).await.map(|()| Answer::Good)
    };
    // The connection's own end is not the answer: what it received is still being read.
    let drive = async {
        // An error reaches the request as well, and is reported there.
        let _ended: Result<(), hyper::Error> = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = answer => answer,
        never = drive => never,
    }
}

fn redirect(target: &HttpTarget, response: &Response<Incoming>) -> Option<Answer> {
    let status = response.status();
    if target.redirects == 0 || !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?.to_owned();
    Some(Answer::Redirect { status, location })
}

async fn judge(target: &HttpTarget, response: Response<Incoming>) -> Result<(), String> {
    let status = response.status();
    if !target.status.iter().any(|range| range.contains(&status.as_u16())) {
        let expected: Vec<_> = target
            .status
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (first, last) if first == last => first.to_string(),
                (first, last) => format!("{first}-{last}"),
            })
            .collect();
        return Err(format!("status {status}, expected {}", expected.join(",")));
    }
    let Some(wanted) = &target.body_contains else { return Ok(()) };
    let mut body = response.into_body();
    let mut text = Vec::new();
    while text.len() < BODY_LIMIT
        && let Some(frame) = body.frame().await
    {
        let frame = frame
            .map_err(|error| format!("the answer broke off: {}", model::text::causes(&error)))?;
        if let Some(data) = frame.data_ref() {
            text.extend_from_slice(&data[..data.len().min(BODY_LIMIT - text.len())]);
        }
    }
    if String::from_utf8_lossy(&text).contains(wanted.as_str()) {
        Ok(())
    } else {
        Err(format!("`{wanted}` is not in the {} bytes of the answer", text.len()))
    }
}

impl Next {
    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let path = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let invalid = |_| "the address cannot be sent as a request".to_owned();
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(path)
            .body(Full::new(self.body.clone()))
            .map_err(invalid)?;
        *request.headers_mut() = self.headers.clone();
        if !request.headers().contains_key(HOST) {
            let host = self.url.host_str().unwrap_or_default();
            let host = match self.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            };
            let host =
                HeaderValue::from_str(&host).map_err(|_| "the host is not valid".to_owned())?;
            request.headers_mut().insert(HOST, host);
        }
        Ok(request)
    }

    /// Turns to where a redirect points. What the user set for one site is not sent to another.
    fn follow(&mut self, status: StatusCode, location: &str) -> Result<(), String> {
        let url = self
            .url
            .join(location)
            .map_err(|error| format!("redirected to an address that is not valid: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("redirected to scheme `{}`", url.scheme()));
        }
        if url.origin() != self.url.origin() {
            self.headers.retain_only(&[USER_AGENT, ACCEPT, CONNECTION]);
        }
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
        }
        self.url = url;
        Ok(())
    }
}

trait RetainOnly {
    fn retain_only(&mut self, names: &[hyper::header::HeaderName]);
}

impl RetainOnly for HeaderMap {
    fn retain_only(&mut self, names: &[hyper::header::HeaderName]) {
        let kept: Vec<_> =
            names.iter().filter_map(|n| Some((n.clone(), self.get(n)?.clone()))).collect();
        *self = kept.into_iter().collect();
    }
}
