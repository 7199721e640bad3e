use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::*;
use crate::uptime::{file, monitor::Monitor};

/// Reads a monitor as a user would write it.
fn monitor(keys: &str) -> Monitor {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.yml");
    std::fs::write(&path, format!("monitors:\n- {{name: m, {keys}}}\n")).unwrap();
    file::load(&[path]).unwrap().remove(0)
}

async fn probe(monitor: &Monitor, timeout: Duration) -> ProbeResult {
    Prober::open(false).unwrap().probe(monitor, Instant::now() + timeout).await
}

/// Serves fixed answers by path until the future that uses it ends.
async fn with_server<T>(client: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream).await;
        }
    };
    tokio::select! {
        result = client(address) => result,
        never = serve => never,
    }
}

async fn answer<S: AsyncReadExt + AsyncWriteExt + Unpin>(stream: &mut S) {
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("");
    let body = if path == "/long" { "x".repeat(2 << 20) + "needle" } else { request.clone() };
    let (status, extra) = match path {
        "/fail" => ("503 Service Unavailable", String::new()),
        "/once" => ("302 Found", "Location: /ok\r\n".to_owned()),
        "/forever" => ("302 Found", "Location: /forever\r\n".to_owned()),
        "/metadata" => ("302 Found", "Location: http://169.254.169.254/\r\n".to_owned()),
        "/broken" => {
            stream.write_all(b"SSH-2.0\r\n").await.unwrap();
            return;
        }
        "/silent" => return std::future::pending().await,
        _ => ("200 OK", String::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{extra}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The client may have seen enough and be gone.
    drop(stream.write_all(body.as_bytes()).await);
}

#[tokio::test]
async fn answers_are_judged_by_status_redirects_and_body() {
    for (name, path, keys, expected) in [
        ("good", "/ok", "", ""),
        ("status", "/fail", "", "status 503 Service Unavailable, expected 200-399"),
        ("expected status", "/fail", ", status: '200,500-503'", ""),
        ("redirect", "/once", ", body_contains: GET /ok", ""),
        ("redirect is the answer", "/once", ", redirects: 0, status: 302", ""),
        ("redirects end", "/forever", ", redirects: 2", "more than 2 redirects"),
        ("text is there", "/ok", ", body_contains: Bellwether/", ""),
        ("text is missing", "/ok", ", body_contains: needle", "`needle` is not in the "),
        (
            "only the first mebibyte",
            "/long",
            ", body_contains: needle",
            "`needle` is not in the 1048576 bytes of the answer",
        ),
        ("not HTTP", "/broken", "", "the connection broke: invalid HTTP version parsed"),
        (
            "metadata by redirect",
            "/metadata",
            "",
            "169.254.169.254:80: link-local and metadata addresses",
        ),
        ("header", "/ok", ", headers: {X-Test: abc}, body_contains: 'x-test: abc'", ""),
        ("method and body", "/ok", ", method: POST, body: hello, body_contains: hello", ""),
    ] {
        let result = with_server(async |address| {
            let monitor = monitor(&format!("kind: http, url: 'http://{address}{path}'{keys}"));
            probe(&monitor, Duration::from_secs(20)).await
        })
        .await;
        assert_eq!(result.success, expected.is_empty(), "{name}: {}", result.detail);
        assert!(result.detail.starts_with(expected), "{name}: {}", result.detail);
    }
}

#[tokio::test]
async fn phases_are_measured_up_to_where_the_probe_came() {
    let result = with_server(async |address| {
        let monitor = monitor(&format!("kind: http, url: 'http://{address}/ok'"));
        probe(&monitor, Duration::from_secs(20)).await
    })
    .await;
    let phases: Vec<_> = result.phases.named().map(|(name, _)| name).collect();
    assert_eq!(phases, ["dns", "connect", "first_byte"]);
    let sum: Duration = result.phases.named().map(|(_, length)| length).sum();
    assert!(sum <= result.duration, "{sum:?} of {:?}", result.duration);
}

#[tokio::test]
async fn the_deadline_ends_a_probe_and_says_where() {
    let result = with_server(async |address| {
        let monitor = monitor(&format!("kind: http, url: 'http://{address}/silent'"));
        probe(&monitor, Duration::from_millis(50)).await
    })
    .await;
    assert!(!result.success);
    assert!(result.detail.ends_with("while waiting for the answer"), "{}", result.detail);
    assert_eq!(result.phases.first_byte, None);
}

#[tokio::test]
async fn tcp_is_up_when_a_connection_opens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let target = monitor(&format!("kind: tcp, address: '{address}'"));
    let result = probe(&target, Duration::from_secs(20)).await;
    assert!(result.success, "{}", result.detail);
    drop(listener);
    let result = probe(&target, Duration::from_secs(20)).await;
    assert_eq!(result.detail, format!("{address}: connection refused"));
}

#[tokio::test]
async fn a_dead_address_of_a_name_does_not_hide_a_living_one() {
    // `localhost` has both families here or only one; the listener has only IPv4.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = monitor(&format!("kind: tcp, address: 'localhost:{port}'"));
    let result = probe(&target, Duration::from_secs(20)).await;
    assert!(result.success, "{}", result.detail);
}

#[tokio::test]
async fn link_local_addresses_are_refused_unless_allowed() {
    let target = monitor("kind: tcp, address: '169.254.169.254:80'");
    let result = probe(&target, Duration::from_secs(20)).await;
    assert!(result.detail.contains("allow_link_local"), "{}", result.detail);
    assert_eq!(result.phases.connect, None);
}

async fn with_tls_server<T>(client: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let certificate = include_bytes!("testdata/certificate.pem");
    let key = include_bytes!("testdata/key.pem");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate).unwrap()],
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        loop {
            let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                answer(&mut stream).await;
            }
        }
    };
    tokio::select! {
        result = client(address) => result,
        never = serve => never,
    }
}

#[tokio::test]
async fn an_unknown_issuer_fails_unless_verification_is_off() {
    let result = with_tls_server(async |address| {
        let monitor = monitor(&format!("kind: http, url: 'https://{address}/ok'"));
        probe(&monitor, Duration::from_secs(20)).await
    })
    .await;
    assert!(
        result.detail.starts_with("TLS handshake failed: invalid peer certificate"),
        "{}",
        result.detail
    );

    let result = with_tls_server(async |address| {
        let keys = format!("kind: http, url: 'https://{address}/ok', tls_verify: false");
        probe(&monitor(&keys), Duration::from_secs(20)).await
    })
    .await;
    assert!(result.success, "{}", result.detail);
    assert_eq!(result.certificate_expires, Some(4_948_848_677_000), "2126-10-28T08:11:17Z");
    assert!(result.phases.tls.is_some());
}
