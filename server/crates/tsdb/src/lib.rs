//! The time-series store: head, chunk codec, pages, index, retention and querier.
