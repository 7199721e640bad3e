//! Requests over one connection that stays open.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, ensure};
use remote::Protocol;

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answers: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let answers = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        Ok(Self { stream, answers, body: Vec::new() })
    }

    /// The body of the answer to a GET.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<&[u8]> {
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let status = self.answer()?;
        ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&self.body));
        Ok(&self.body)
    }

    /// A remote write request, packed already.
    pub(crate) fn write(&mut self, protocol: Protocol, request: &[u8]) -> anyhow::Result<()> {
        let head = format!(
            "Content-Type: {}\r\nContent-Encoding: snappy\r\n\
             X-Prometheus-Remote-Write-Version: {}\r\n",
            protocol.content_type(),
            protocol.version_header()
        );
        self.post("/api/v1/write", &head, request)
    }

    /// Sends a body; the answer says only whether it was taken.
    pub(crate) fn post(&mut self, path: &str, head: &str, body: &[u8]) -> anyhow::Result<()> {
        write!(
            self.stream,
            "POST {path} HTTP/1.1\r\nHost: bench\r\n{head}Content-Length: {}\r\n\r\n",
            body.len()
        )?;
        self.stream.write_all(body)?;
        let status = self.answer()?;
        let text = String::from_utf8_lossy(&self.body);
        ensure!((200..300).contains(&status), "{path}: {status} {text}");
        Ok(())
    }

    /// Reads an answer into the body and returns its status.
    fn answer(&mut self) -> anyhow::Result<u16> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let status = line.split(' ').nth(1).context("no status")?.parse()?;
        let mut length = 0;
        let mut is_chunked = false;
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            is_chunked |= header == "transfer-encoding: chunked";
        }
        self.body.clear();
        if is_chunked {
            self.read_chunks()?;
        } else {
            self.read(length)?;
        }
        Ok(status)
    }

    fn read_chunks(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            let length = usize::from_str_radix(line.trim(), 16).context("length of a chunk")?;
            self.read(length)?;
            self.answers.read_line(&mut line)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn read(&mut self, length: usize) -> anyhow::Result<()> {
        let start = self.body.len();
        self.body.resize(start + length, 0);
        self.answers.read_exact(&mut self.body[start..])?;
        Ok(())
    }
}
