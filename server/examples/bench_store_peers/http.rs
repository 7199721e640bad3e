//! Just enough HTTP to write and to ask.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, ensure};
use remote::Protocol;

/// Sends remote write requests one after the other over one connection.
pub(crate) fn write(
    address: SocketAddr,
    protocol: Protocol,
    requests: &[Vec<u8>],
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    for body in requests {
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: bench\r\nContent-Type: {}\r\n\
             Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: {}\r\n\
             Content-Length: {}\r\n\r\n",
            protocol.content_type(),
            protocol.version_header(),
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        expect_success(&mut answers)?;
    }
    Ok(())
}

fn expect_success(answers: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let mut status = String::new();
    answers.read_line(&mut status)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    answers.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    ensure!(status.starts_with("HTTP/1.1 20"), "{}: {body}", status.trim());
    Ok(())
}

/// Sends a request without a body and returns the body of a successful answer.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    // Version 1.0 asks for an answer in one piece and for the end of the connection.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: bench\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{path}: {status}: {body}");
    Ok(body.to_owned())
}

/// The value of an instant query with at most one series, 0 when there is none. `at` in ms.
pub(crate) fn query(address: SocketAddr, expression: &str, at: i64) -> anyhow::Result<f64> {
    let escaped: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
    let path = format!("/api/v1/query?query={escaped}&time={}", at as f64 / 1e3);
    let answer: serde_json::Value = serde_json::from_str(&ask(address, "GET", &path)?)?;
    let value = &answer["data"]["result"][0]["value"][1];
    value.as_str().map_or(Ok(0.0), |text| Ok(text.parse()?))
}
