//! Pixels to PNG.

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};

/// Averages squares of `factor` by `factor` RGB pixels. `width` is that of the large picture and, like
/// its height, a multiple of `factor`.
pub(super) fn scale_down(pixels: &[u8], width: usize, factor: usize) -> Vec<u8> {
    let row = width * 3;
    let count = (factor * factor) as u32;
    let mut small = Vec::with_capacity(pixels.len() / (factor * factor));
    for rows in pixels.chunks_exact(row * factor) {
        for x in (0..width).step_by(factor) {
            for channel in 0..3 {
                let sum: u32 = (0..factor)
                    .flat_map(|dy| (0..factor).map(move |dx| dy * row + (x + dx) * 3 + channel))
                    .map(|index| u32::from(rows[index]))
                    .sum();
                small.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    small
}

/// RGB pixels as a PNG file.
pub(super) fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Vec<u8>, EncodingError> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_down_averages_each_channel() {
        let large =
            [[0, 0, 0, 100, 0, 4, 8, 8, 8, 8, 8, 8], [0, 0, 0, 100, 0, 0, 8, 8, 8, 8, 8, 8]]
                .concat();
        assert_eq!(scale_down(&large, 4, 2), [50, 0, 1, 8, 8, 8]);
    }
}
