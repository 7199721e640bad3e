//! History from elsewhere, as `import` reads it, into the store.
//!
//! Whatever the form, samples are gathered up to a bound and then written into blocks by
//! [`tsdb::Tsdb::import`], which leaves out what is there already. So an import that was interrupted is
//! simply repeated. What cannot be read is refused by line, counted, and costs nothing else.

mod blocks;
mod gather;

pub(crate) use blocks::{find_blocks, read_block};
pub(crate) use gather::{Importer, Outcome};

/// Why an import ended early.
pub(crate) type ImportError = import::ReadError<tsdb::MaintainError>;
