//! Files that a plan names: the coordinator reads them, and they travel in the bundle.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The contents of files by the name that the plan calls them, or why one could not be read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Files {
    known: BTreeMap<String, Result<Arc<[u8]>, String>>,
}

impl Files {
    /// Most bytes that all files of a run may have together: every agent holds them in memory.
    pub const MAX_BYTES: usize = 64 << 20;

    /// Adds what was read, or why it could not be (for a person, without the name).
    pub fn insert(&mut self, name: impl Into<String>, content: Result<Vec<u8>, String>) {
        self.known.insert(name.into(), content.map(Arc::from));
    }

    /// What is known about the file `name`; `None` when nobody tried to read it.
    pub fn get(&self, name: &str) -> Option<Result<&[u8], &str>> {
        self.known.get(name).map(|content| content.as_deref().map_err(String::as_str))
    }

    /// Names and contents of those that could be read, by name.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.known.iter().filter_map(|(name, content)| Some((name.as_str(), content.as_deref().ok()?)))
    }

    /// The bytes of all of them together.
    pub fn total_bytes(&self) -> usize {
        self.contents().map(|(_, content)| content.len()).sum()
    }
}

impl fmt::Debug for Files {
    /// Sizes only: the contents are long, and may be passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.known.iter().map(|(name, content)| (name, content.as_deref().map(<[u8]>::len)));
        f.debug_map().entries(sizes).finish()
    }
}
