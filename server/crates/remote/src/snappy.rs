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
    let size = snap::raw::decompress_len(body).map_err(UnpackError::Damaged)?;
    if size > limit {
        return Err(UnpackError::TooLarge { size, limit });
    }
    let mut message = vec![0; size];
    let written = Decoder::new().decompress(body, &mut message).map_err(UnpackError::Damaged)?;
    message.truncate(written);
    Ok(message)
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
            prop_assert_eq!(unpack(&pack(&bytes).unwrap(), bytes.len()).unwrap(), bytes);
        }
    }
}
