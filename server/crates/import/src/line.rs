//! Text line by line.

use std::io::{self, BufRead};

/// The longest line that is read; VictoriaMetrics writes a whole series in one.
const MAX_LINE_BYTES: usize = 64 << 20;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It is in the buffer, without its end.
    Whole,
    /// It was too long and was passed over.
    TooLong,
    End,
}

/// Reads the next line into `buffer`.
pub(crate) fn next_line(reader: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let mut is_too_long = false;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            return Ok(match (is_too_long, buffer.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Whole,
            });
        }
        let end = memchr::memchr(b'\n', available);
        let part = &available[..end.unwrap_or(available.len())];
        is_too_long |= buffer.len() + part.len() > MAX_LINE_BYTES;
        if !is_too_long {
            buffer.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if is_too_long {
                return Ok(Line::TooLong);
            }
            if buffer.last() == Some(&b'\r') {
                buffer.pop();
            }
            return Ok(Line::Whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_end_as_on_any_system_and_with_the_text() {
        let mut reader = BufReader::with_capacity(3, &b"one\r\n\nthree\nlast"[..]);
        let mut buffer = Vec::new();
        for expected in ["one", "", "three", "last"] {
            assert_eq!(next_line(&mut reader, &mut buffer).unwrap(), Line::Whole);
            assert_eq!(buffer, expected.as_bytes());
        }
        assert_eq!(next_line(&mut reader, &mut buffer).unwrap(), Line::End);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_in_bounded_memory() {
        let mut text = vec![b'x'; MAX_LINE_BYTES + 1];
        text.extend(b"\nnext");
        let (mut reader, mut buffer) = (BufReader::new(&text[..]), Vec::new());
        assert_eq!(next_line(&mut reader, &mut buffer).unwrap(), Line::TooLong);
        assert!(buffer.len() <= MAX_LINE_BYTES);
        assert_eq!(next_line(&mut reader, &mut buffer).unwrap(), Line::Whole);
        assert_eq!(buffer, b"next");
    }
}
