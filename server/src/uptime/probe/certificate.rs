//! The end of a certificate's validity, read from its DER form.
//!
//! ```text
//! Certificate ::= SEQUENCE { TBSCertificate, … }
//! TBSCertificate ::= SEQUENCE { [0] version?, serial INTEGER, signature SEQUENCE, issuer SEQUENCE,
//!                               validity SEQUENCE { notBefore Time, notAfter Time }, … }
//! Time ::= UTCTime "YYMMDDhhmmssZ" | GeneralizedTime "YYYYMMDDhhmmssZ"
//! ```
//! Source: RFC 5280, section 4.1. Only the definite lengths of DER are read.

use jiff::civil::DateTime;
use model::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// When the certificate ends; `None` when it cannot be read.
pub(super) fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut fields, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, rest)) = expect(fields, VERSION) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = expect(fields, tag)?.1;
    }
    let (validity, _) = expect(fields, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    read_time(tag, std::str::from_utf8(time).ok()?)
}

fn read_time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        // Two digits of the year: from 50 on it is the last century.
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The content of an element with this tag, and what follows.
fn expect(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_notations_of_time_are_read() {
        for (tag, text, expected) in [
            (UTC_TIME, "261231235959Z", Some(1_798_761_599_000)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000_000)),
            (GENERALIZED_TIME, "20991231235959Z", Some(4_102_444_799_000)),
            (GENERALIZED_TIME, "2099", None),
            (UTC_TIME, "", None),
            (INTEGER, "261231235959Z", None),
        ] {
            assert_eq!(read_time(tag, text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn property_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _time: Option<Timestamp> = not_after(&bytes);
        }
    }
}
