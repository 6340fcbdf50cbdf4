//! The standard HdrHistogram V2 encoding (cookie 0x1c849303 with varint counts), uncompressed.

/// Why bytes were refused as a histogram of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Placeholder.
    #[error("truncated")]
    Truncated,
}
