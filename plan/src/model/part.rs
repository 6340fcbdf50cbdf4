//! Parts of a multipart form.

use crate::template::Template;
use std::fmt;
use std::sync::Arc;

/// One part of a `multipart` body as a template.
#[derive(Debug)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// What the file is called.
    pub file_name: Option<Template>,
    /// Its media type.
    pub media_type: Option<Template>,
    /// What it holds.
    pub content: PartContent,
}

/// What a part holds.
pub enum PartContent {
    /// Text, filled in for every request.
    Text(Template),
    /// A file that came with the plan.
    File {
        /// As the plan calls it.
        path: String,
        /// All of it; one copy for every user.
        bytes: Arc<[u8]>,
    },
}

impl Part {
    /// All its templates.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let content = match &self.content {
            PartContent::Text(template) => Some(template),
            PartContent::File { .. } => None,
        };
        self.file_name.iter().chain(&self.media_type).chain(content)
    }
}

impl fmt::Debug for PartContent {
    /// Of a file the size only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartContent::Text(template) => f.debug_tuple("Text").field(template).finish(),
            PartContent::File { path, bytes } => {
                f.debug_struct("File").field("path", path).field("size", &bytes.len()).finish()
            }
        }
    }
}
