//! One drawing function for time charts, generic over plotters' backends: browser canvas, PNG and SVG.
