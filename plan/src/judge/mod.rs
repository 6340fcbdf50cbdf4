//! What counts as a good response (`expect`), and what to keep of it (`save`).

mod checks;
mod expect;
mod message;
mod multipart;
mod poll;
mod render;
mod response;
mod save;
mod selection;
mod source;
#[cfg(test)]
mod tests;

pub use expect::{Expect, JsonPath, StatusPattern};
pub use message::{Heard, Received};
pub use poll::Progress;
pub use render::RenderedRequest;
pub use response::Response;
pub use save::Save;
pub use selection::Selection;
pub use source::{Pattern, Source};
