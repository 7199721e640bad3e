//! Who helps with large queries. The engine has no threads of its own.

/// A piece of a query.
pub type Task<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Runs pieces of a query beside each other.
pub trait Workers: Sync {
    /// Into how many pieces a large query is best divided; 1 when nobody helps.
    fn count(&self) -> usize;

    /// Runs every task once, in any order, and returns when all are done.
    fn run(&self, tasks: Vec<Task<'_>>);
}
