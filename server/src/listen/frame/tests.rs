use proptest::prelude::*;

use super::*;

/// What came out of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    lines: Vec<Vec<u8>>,
    rest: Vec<u8>,
    is_cut: bool,
    error: Option<FrameError>,
}

/// Feeds a stream in reads of the given sizes, over and over.
fn read(framing: Framing, stream: &[u8], sizes: &[usize]) -> Read {
    let mut frames = Frames::new(framing);
    let mut found = Read::default();
    let mut left = stream;
    let mut sizes = sizes.iter().cycle();
    while !left.is_empty() {
        let space = frames.space();
        assert!(!space.is_empty(), "a full buffer must be an error before it is read again");
        let count = left.len().min(space.len()).min(*sizes.next().unwrap());
        space[..count].copy_from_slice(&left[..count]);
        frames.filled(count);
        left = &left[count..];
        loop {
            match frames.next() {
                Ok(Some(payload)) => found.lines.extend(
                    payload.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec),
                ),
                Ok(None) => break,
                Err(error) => {
                    return Read { error: Some(error), ..found };
                }
            }
        }
        assert!(frames.buffer.len() <= MAX_PAYLOAD + HEADER);
    }
    let rest = frames.rest();
    Read { rest: rest.bytes.to_vec(), is_cut: rest.is_cut, ..found }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&(payload.len() as u32).to_le_bytes()[..], payload].concat()
}

#[test]
fn a_line_of_exactly_the_bound_passes_and_one_byte_more_does_not() {
    for (length, expected) in
        [(MAX_PAYLOAD, None), (MAX_PAYLOAD + 1, Some(FrameError::LineTooLong))]
    {
        let stream = [&vec![b'x'; length][..], b"\nb:1|c\n"].concat();
        for sizes in [&[1_000_000][..], &[7], &[65_537]] {
            let found = read(Framing::Newline, &stream, sizes);
            assert_eq!(found.error, expected, "{length} {sizes:?}");
            assert_eq!(found.lines.len(), if expected.is_none() { 2 } else { 0 });
        }
    }
}

#[test]
fn lines_before_one_that_is_too_long_are_handed_out() {
    let stream = [b"a:1|c\n", &vec![b'x'; MAX_PAYLOAD + 1][..]].concat();
    let found = read(Framing::Newline, &stream, &[4_096]);
    assert_eq!(
        (found.lines, found.error),
        (vec![b"a:1|c".to_vec()], Some(FrameError::LineTooLong))
    );
}

#[test]
fn a_payload_of_exactly_the_bound_passes_and_a_longer_length_does_not() {
    let found = read(Framing::Length, &framed(&vec![b'x'; MAX_PAYLOAD]), &[10_000]);
    assert_eq!((found.lines.len(), found.error), (1, None));
    let found = read(Framing::Length, &framed(&vec![b'x'; MAX_PAYLOAD + 1]), &[10_000]);
    assert_eq!((found.lines.len(), found.error), (0, Some(FrameError::FrameTooLong)));
}

#[test]
fn the_framing_is_told_from_the_first_bytes() {
    for (stream, lines, rest, is_cut) in [
        (b"a:1|c\nb:2|c\n".to_vec(), 2, &b""[..], false),
        (b"a:1|c\nb:2".to_vec(), 1, b"b:2", false),
        (b"a\n".to_vec(), 0, b"a\n", false),
        ([framed(b"a:1|c\nb:1|c"), framed(b""), framed(b"c:1|c\n")].concat(), 3, b"", false),
        (framed(b"a:1|c\nb:1|c")[..12].to_vec(), 0, b"a:1|c\nb:", true),
        (vec![5, 0, 0, 0], 0, b"", true),
        (Vec::new(), 0, b"", false),
    ] {
        for size in [1, 3, 100] {
            let found = read(Framing::Auto, &stream, &[size]);
            assert_eq!(
                (found.lines.len(), &found.rest[..], found.is_cut, found.error),
                (lines, rest, is_cut, None),
                "{stream:?}"
            );
        }
    }
}

#[test]
fn a_connection_gives_memory_back_after_a_long_line() {
    let mut frames = Frames::new(Framing::Newline);
    for _ in 0..6 {
        let space = frames.space();
        let count = space.len().min(10_000);
        space[..count].fill(b'x');
        frames.filled(count);
        assert_eq!(frames.next(), Ok(None));
    }
    assert!(frames.buffer.len() > MIN_BUFFER);
    frames.space()[0] = b'\n';
    frames.filled(1);
    assert!(frames.next().unwrap().is_some());
    assert_eq!(frames.space().len(), MIN_BUFFER);
}

/// Lines of all lengths, more often short.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(prop_oneof![Just(b'a'), Just(b'|'), Just(0), Just(b'\r')], 0..40),
        1 => (20_000_usize..66_000).prop_map(|length| vec![b'x'; length]),
    ]
}

proptest! {
    #[test]
    fn property_any_split_of_lines_gives_the_same_lines(
        lines in prop::collection::vec(line(), 0..12),
        tail in prop::collection::vec(Just(b'z'), 0..10),
        sizes in prop::collection::vec(1_usize..30_000, 1..8),
    ) {
        let mut stream = lines.join(&b'\n');
        stream.push(b'\n');
        stream.extend(&tail);
        let is_long = |line: &&Vec<u8>| line.len() <= MAX_PAYLOAD;
        let good: Vec<Vec<u8>> =
            lines.iter().take_while(is_long).filter(|line| !line.is_empty()).cloned().collect();
        let found = read(Framing::Newline, &stream, &sizes);
        prop_assert_eq!(&found.lines, &good);
        if lines.iter().all(|line| line.len() <= MAX_PAYLOAD) {
            prop_assert_eq!((found.error, &found.rest), (None, &tail));
        } else {
            prop_assert_eq!(found.error, Some(FrameError::LineTooLong));
        }
    }

    #[test]
    fn property_any_split_of_frames_gives_the_same_payloads(
        payloads in prop::collection::vec(line(), 1..12),
        sizes in prop::collection::vec(1_usize..30_000, 1..8),
    ) {
        let stream = payloads.iter().flat_map(|payload| framed(payload)).collect::<Vec<_>>();
        let whole = read(Framing::Length, &stream, &[usize::MAX]);
        prop_assert_eq!(&read(Framing::Length, &stream, &sizes), &whole);
        if payloads.iter().all(|payload| payload.len() <= MAX_PAYLOAD) {
            prop_assert_eq!(&read(Framing::Auto, &stream, &sizes), &whole);
            let count = payloads.iter().filter(|payload| !payload.is_empty()).count();
            prop_assert_eq!((whole.lines.len(), whole.error), (count, None));
        }
    }

    #[test]
    fn property_no_stream_of_bytes_breaks_the_bound(
        stream in prop::collection::vec(any::<u8>(), 0..3_000),
        sizes in prop::collection::vec(1_usize..200, 1..8),
        framing in prop_oneof![Just(Framing::Auto), Just(Framing::Newline), Just(Framing::Length)],
    ) {
        let once = read(framing, &stream, &[usize::MAX]);
        prop_assert_eq!(read(framing, &stream, &sizes), once);
    }
}
