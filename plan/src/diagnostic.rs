//! What is wrong with a plan: the place, the value, the limit and the remedy.

/// Everything that is wrong with a plan; never empty.
#[derive(Debug)]
pub struct Diagnostics {}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = f;
        todo!()
    }
}

impl std::error::Error for Diagnostics {}
