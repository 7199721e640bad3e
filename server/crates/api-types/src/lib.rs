//! The shapes that server and browser exchange over our own API.
