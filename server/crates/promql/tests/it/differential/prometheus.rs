//! A Prometheus of our own: started in an empty folder, fed by remote write, asked over HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use model::{Labels, Timestamp};

use super::{Answer, Query, Samples};

pub(super) struct Prometheus {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Prometheus {
    /// Starts the program on a free port and waits until it says that it is ready.
    pub(super) fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "global: {}\n").unwrap();
        let mut child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .arg("--web.enable-remote-write-receiver")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut address, mut is_ready, mut said) = (None, false, String::new());
        while address.is_none() || !is_ready {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended:\n{said}");
            if line.contains("msg=\"Listening on\"") {
                let rest = line.split("address=").nth(1).unwrap_or_default();
                address = rest.split_whitespace().next().map(str::to_owned);
            }
            is_ready |= line.contains("Server is ready to receive web requests");
            said += &line;
        }
        // Whoever does not read what it says stops it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address: address.unwrap(), _folder: folder }
    }

    /// Writes all series, minute by minute: what is much older than the newest sample is refused.
    pub(super) fn write(&self, series: &[Samples]) {
        let times = series.iter().flat_map(|samples| samples.values.iter().map(|(time, _)| *time));
        let (first, last) = times.fold((i64::MAX, i64::MIN), |(a, b), t| (a.min(t), b.max(t)));
        let mut start = first;
        while start <= last {
            let end = start + 600_000;
            let mut request = Vec::new();
            for samples in series {
                let is_inside = |(time, _): &&(Timestamp, f64)| *time >= start && *time < end;
                let part: Vec<_> = samples.values.iter().filter(is_inside).copied().collect();
                if !part.is_empty() {
                    message(&mut request, 1, &time_series(&samples.labels, &part));
                }
            }
            let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n\
                           X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
            let (status, body) = self.post("/api/v1/write", headers, &snappy(&request));
            assert!((200..300).contains(&status), "{status} {body}");
            start = end;
        }
    }

    /// The answer to a range query.
    pub(super) fn query(&self, query: &Query) -> Result<Answer, String> {
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let form = format!(
            "query={}&start={}&end={}&step={}",
            escaped(&query.text),
            seconds(query.range.start),
            seconds(query.range.end),
            seconds(query.range.step_ms)
        );
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (_, body) = self.post("/api/v1/query_range", headers, form.as_bytes());
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let result = answer["data"]["result"].as_array().unwrap();
        Ok(result
            .iter()
            .map(|series| (labels(&series["metric"]), values(&series["values"])))
            .collect())
    }

    fn post(&self, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nHost: {}\r\n{headers}Content-Length: {length}\r\n\r\n",
            self.address
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

fn labels(metric: &serde_json::Value) -> Labels {
    let pairs = metric.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn values(values: &serde_json::Value) -> std::collections::BTreeMap<Timestamp, f64> {
    let pairs = values.as_array().unwrap().iter();
    pairs
        .map(|pair| {
            let time = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
            (time, pair[1].as_str().unwrap().parse().unwrap())
        })
        .collect()
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// Remote write's `TimeSeries`: labels and samples.
fn time_series(labels: &Labels, samples: &[(Timestamp, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        message(&mut label, 1, name.as_bytes());
        message(&mut label, 2, value.as_bytes());
        message(&mut out, 1, &label);
    }
    for (time, value) in samples {
        let mut sample = vec![1 << 3 | 1];
        sample.extend(value.to_bits().to_le_bytes());
        sample.push(2 << 3);
        varint(&mut sample, *time as u64);
        message(&mut out, 2, &sample);
    }
    out
}

fn message(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Snappy's block format without any compression: literals of up to 64 KiB.
fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, bytes.len() as u64);
    for chunk in bytes.chunks(1 << 16) {
        out.push(61 << 2);
        out.extend(&(chunk.len() as u32 - 1).to_le_bytes()[..2]);
        out.extend(chunk);
    }
    out
}
