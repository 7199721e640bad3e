//! The compression of requests: snappy's block format.

use snap::raw::{Decoder, Encoder};

/// Why a body could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The body says that it is larger than allowed; nothing was allocated.
    #[error("the message has {size} bytes unpacked, which is more than the {limit} allowed")]
    TooLarge {
        /// What the body says.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The body is not snappy's block format.
    #[error("the body is not in snappy's block format")]
    Damaged(#[source] snap::Error),
}

/// Unpacks a body of at most `limit` bytes when unpacked.
///
/// # Errors
/// When it is larger or damaged.
pub fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    let mut message = Vec::new();
    let size = unpack_into(body, limit, &mut message)?.len();
    message.truncate(size);
    Ok(message)
}

/// As [`unpack`], into memory that is used again: what lies in `buffer` behind the message returned is
/// left from before.
///
/// # Errors
/// When it is larger or damaged.
pub fn unpack_into<'a>(
    body: &[u8],
    limit: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8], UnpackError> {
    let size = snap::raw::decompress_len(body).map_err(UnpackError::Damaged)?;
    if size > limit {
        return Err(UnpackError::TooLarge { size, limit });
    }
    if buffer.is_empty() {
        // Zeros from the system cost less than zeros written.
        *buffer = vec![0; size];
    } else if buffer.len() < size {
        buffer.resize(size, 0);
    }
    let message = &mut buffer[..size];
    let written = Decoder::new().decompress(body, message).map_err(UnpackError::Damaged)?;
    Ok(&message[..written])
}

/// Packs a message; `None` when it has 4 GiB or more.
pub fn pack(message: &[u8]) -> Option<Vec<u8>> {
    Encoder::new().compress_vec(message).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_size_is_judged_before_anything_is_unpacked() {
        // A header that claims 4 GiB, and nothing else.
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let error = unpack(&bomb, 1000).unwrap_err();
        assert!(matches!(error, UnpackError::TooLarge { size: 0xffff_ffff, limit: 1000 }));
        let packed = pack(&[7; 1001]).unwrap();
        assert!(matches!(unpack(&packed, 1000), Err(UnpackError::TooLarge { size: 1001, .. })));
        assert_eq!(unpack(&packed, 1001).unwrap(), [7; 1001]);
    }

    proptest! {
        #[test]
        fn property_unpacking_takes_any_bytes(bytes: Vec<u8>) {
            if let Ok(message) = unpack(&bytes, 10_000) {
                prop_assert!(message.len() <= 10_000);
            }
            let packed = pack(&bytes).unwrap();
            for before in [0, 5, 5_000] {
                let mut buffer = vec![7; before];
                let unpacked = unpack_into(&packed, bytes.len(), &mut buffer).unwrap();
                prop_assert_eq!(unpacked, &bytes);
            }
            prop_assert_eq!(unpack(&packed, bytes.len()).unwrap(), bytes);
        }
    }
}
