//! Colors of a chart, dark and light.

/// A color without transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rgb {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

impl Rgb {
    /// A color from its usual notation: `0xRRGGBB`.
    pub const fn hex(value: u32) -> Self {
        Self { red: (value >> 16) as u8, green: (value >> 8) as u8, blue: value as u8 }
    }

    /// `#rrggbb`, as CSS and SVG write it.
    pub fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// The colors of one theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Background.
    pub surface: Rgb,
    /// Titles.
    pub text: Rgb,
    /// Labels of the axes and of the legend.
    pub muted: Rgb,
    /// Horizontal grid lines.
    pub grid: Rgb,
    /// The base line and its ticks.
    pub axis: Rgb,
    /// Thresholds and bands.
    pub critical: Rgb,
    /// Colors of series; never used for states.
    ///
    /// Chosen for distance under normal, protan, deutan and tritan vision: the smallest distance in
    /// `OKLab` is 0.127 in the dark theme and 0.102 in the light one.
    pub series: [Rgb; 8],
}

impl Theme {
    /// For dark surroundings.
    pub const DARK: Self = Self {
        surface: Rgb::hex(0x0012_161c),
        text: Rgb::hex(0x00e6_e9ef),
        muted: Rgb::hex(0x008b_95a5),
        grid: Rgb::hex(0x0023_2a34),
        axis: Rgb::hex(0x0038_414e),
        critical: Rgb::hex(0x00ff_6b6b),
        series: [
            Rgb::hex(0x0070_6cf6),
            Rgb::hex(0x00e1_873f),
            Rgb::hex(0x002c_b8a0),
            Rgb::hex(0x00c2_4d22),
            Rgb::hex(0x00c1_91ff),
            Rgb::hex(0x00ea_c869),
            Rgb::hex(0x009f_d5e6),
            Rgb::hex(0x0087_6581),
        ],
    };

    /// For light surroundings and for mails.
    pub const LIGHT: Self = Self {
        surface: Rgb::hex(0x00ff_ffff),
        text: Rgb::hex(0x0016_1b22),
        muted: Rgb::hex(0x005b_6675),
        grid: Rgb::hex(0x00e9_ecf0),
        axis: Rgb::hex(0x00c3_cad3),
        critical: Rgb::hex(0x00c6_2828),
        series: [
            Rgb::hex(0x004e_509b),
            Rgb::hex(0x00a8_813b),
            Rgb::hex(0x002d_a19b),
            Rgb::hex(0x007f_2d0f),
            Rgb::hex(0x0088_55de),
            Rgb::hex(0x0084_6313),
            Rgb::hex(0x0042_7a9d),
            Rgb::hex(0x005f_3f5a),
        ],
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_color_is_written_as_css() {
        assert_eq!(Rgb::hex(0x000a_ff07).css(), "#0aff07");
    }
}
