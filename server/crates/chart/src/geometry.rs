//! Where a chart landed on its surface.

use crate::Window;

/// The plot rectangle in CSS pixels and what its edges stand for: all that a layer on top needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Left edge of the plot in CSS pixels.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
    /// The time at the left and right edge.
    pub window: Window,
    /// The value at the bottom edge.
    pub low: f64,
    /// The value at the top edge.
    pub high: f64,
}

impl Geometry {
    /// The horizontal position of a time, in CSS pixels.
    pub fn x_of(&self, time_ms: f64) -> f64 {
        let share = (time_ms - self.window.from_ms) / self.window.span_ms();
        self.left + share * (self.right - self.left)
    }

    /// The vertical position of a value, in CSS pixels.
    pub fn y_of(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.bottom - share * (self.bottom - self.top)
    }

    /// The time at a horizontal position, the inverse of [`Geometry::x_of`].
    pub fn time_at(&self, x: f64) -> f64 {
        let share = (x - self.left) / (self.right - self.left);
        self.window.from_ms + share * self.window.span_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_position_are_inverse() {
        let geometry = Geometry {
            left: 40.0,
            top: 8.0,
            right: 340.0,
            bottom: 158.0,
            window: Window::new(1_000.0, 4_000.0),
            low: 0.0,
            high: 10.0,
        };
        assert_eq!(geometry.x_of(2_500.0), 190.0);
        assert_eq!(geometry.time_at(190.0), 2_500.0);
        assert_eq!(geometry.y_of(10.0), 8.0);
        assert_eq!(geometry.y_of(0.0), 158.0);
    }
}
