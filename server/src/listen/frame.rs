//! From a stream of bytes to whole payloads, with a bound on what is kept.
//!
//! However the stream is split into reads, the lines are the same.

use std::ops::Range;

/// The longest line, its end not counted, and the longest framed payload.
pub(crate) const MAX_PAYLOAD: usize = 65_536;
/// Four bytes, little end first, in front of each payload (`DogStatsD`'s stream protocol).
const HEADER: usize = 4;
/// What an idle connection keeps.
const MIN_BUFFER: usize = 16_384;

/// What separates payloads in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Framing {
    /// Told from the first four bytes: as a length, text would be far above the bound.
    #[default]
    Auto,
    /// Lines that end in a newline.
    Newline,
    /// Payloads after their length in four bytes, little end first.
    Length,
}

impl Framing {
    /// One payload and what marks its end or its start. Not a byte more: in a buffer of lines only the
    /// first can then be too long.
    fn max_buffer(self) -> usize {
        match self {
            Self::Auto | Self::Newline => MAX_PAYLOAD + 1,
            Self::Length => MAX_PAYLOAD + HEADER,
        }
    }
}

/// Why a stream cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// A line without an end in [`MAX_PAYLOAD`] bytes.
    LineTooLong,
    /// A length above [`MAX_PAYLOAD`].
    FrameTooLong,
}

/// The unread part of a stream.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    /// Always fully initialized; `held` is what was read and not handed out.
    buffer: Vec<u8>,
    held: Range<usize>,
    /// Up to where there is no newline, so that slow senders do not make us look twice.
    searched: usize,
}

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, buffer: vec![0; MIN_BUFFER], held: 0..0, searched: 0 }
    }

    /// Room for the next read; never empty after [`Self::next`] returned `Ok(None)`.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.held.start > 0 {
            self.buffer.copy_within(self.held.clone(), 0);
            self.searched = self.searched.saturating_sub(self.held.start);
            self.held = 0..self.held.len();
        }
        let wanted = if self.held.end == self.buffer.len() { self.buffer.len() * 2 } else { 0 };
        if wanted > 0 {
            self.buffer.resize(wanted.min(self.framing.max_buffer()), 0);
        } else if self.held.is_empty() && self.buffer.len() > MIN_BUFFER {
            self.buffer.truncate(MIN_BUFFER);
            self.buffer.shrink_to_fit();
        }
        &mut self.buffer[self.held.end..]
    }

    /// Takes note of bytes that were read into [`Self::space`].
    pub(crate) fn filled(&mut self, count: usize) {
        self.held.end = (self.held.end + count).min(self.buffer.len());
    }

    /// The next payload, one or more whole lines; `None` when more must be read first.
    ///
    /// # Errors
    /// When the stream cannot be read further; payloads before the bad one were handed out.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if self.framing == Framing::Auto {
            let Some(length) = self.length() else { return Ok(None) };
            self.framing = if length > MAX_PAYLOAD { Framing::Newline } else { Framing::Length };
        }
        let found = match self.framing {
            Framing::Length => self.next_frame()?,
            Framing::Newline | Framing::Auto => self.next_lines()?,
        };
        Ok(found.map(|range| &self.buffer[range]))
    }

    fn next_lines(&mut self) -> Result<Option<Range<usize>>, FrameError> {
        let held = &self.buffer[self.held.clone()];
        let from = self.searched.saturating_sub(self.held.start);
        let first = memchr::memchr(b'\n', &held[from..]).map(|at| from + at);
        if first.unwrap_or(held.len()) > MAX_PAYLOAD {
            return Err(FrameError::LineTooLong);
        }
        if first.is_none() {
            self.searched = self.held.end;
            return Ok(None);
        }
        let end = memchr::memrchr(b'\n', held).map_or(0, |at| at + 1);
        let range = self.held.start..self.held.start + end;
        self.held.start = range.end;
        self.searched = range.end;
        Ok(Some(range))
    }

    fn next_frame(&mut self) -> Result<Option<Range<usize>>, FrameError> {
        let Some(length) = self.length() else { return Ok(None) };
        if length > MAX_PAYLOAD {
            return Err(FrameError::FrameTooLong);
        }
        let start = self.held.start + HEADER;
        if self.held.end < start + length {
            return Ok(None);
        }
        self.held.start = start + length;
        Ok(Some(start..start + length))
    }

    /// The first four bytes as a length.
    fn length(&self) -> Option<usize> {
        let header = self.buffer[self.held.clone()].first_chunk::<HEADER>()?;
        usize::try_from(u32::from_le_bytes(*header)).ok()
    }

    /// What is left at the end of the stream: a line without an end, or a part of a payload.
    pub(crate) fn rest(&self) -> Rest<'_> {
        let held = &self.buffer[self.held.clone()];
        match self.framing {
            Framing::Length => {
                Rest { bytes: held.get(HEADER..).unwrap_or_default(), is_cut: !held.is_empty() }
            }
            Framing::Newline | Framing::Auto => Rest { bytes: held, is_cut: false },
        }
    }
}

/// The end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest<'a> {
    /// Bytes that were not handed out.
    pub(crate) bytes: &'a [u8],
    /// Whether more was announced than came.
    pub(crate) is_cut: bool,
}

#[cfg(test)]
mod tests;
