//! The standard HdrHistogram V2 encoding with varint counts, uncompressed.
//!
//! A header of 40 bytes, big-endian: cookie (`0x1c849303` with the word size `0x10` in its second nibble), length
//! of the payload, normalizing index offset, significant digits (32 bits each), lowest and highest trackable value
//! (64 bits each), ratio of integers to floating point (an IEEE double). Then for each slot its count, or for a run
//! of `n` empty slots `-n`, each a ZigZag LEB128 of at most 9 bytes whose ninth byte carries 8 bits.
//!
//! The decoder is our own: the `hdrhistogram` crate's allocates what the header asks for, up to gigabytes for 40
//! bytes, and panics on some run lengths. Ours allocates nothing, reads each byte once, and is total.

use crate::slot::{DIGITS, HIGH, LAST, LOW};

/// Why bytes were refused as a histogram of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the header.
    #[error("the histogram has {length} bytes, its header alone has {HEADER_BYTES}")]
    HeaderTruncated {
        /// Bytes received.
        length: usize,
    },
    /// Not an uncompressed V2 histogram.
    #[error("the histogram begins with {found:#010x}, not with {COOKIE:#010x} (V2, uncompressed)")]
    Cookie {
        /// The first four bytes.
        found: u32,
    },
    /// The header does not announce the bytes that follow it.
    #[error("the histogram announces {announced} bytes of counts, {actual} follow its header")]
    PayloadLength {
        /// As the header has it.
        announced: u32,
        /// Bytes after the header.
        actual: usize,
    },
    /// Indices are shifted, which no histogram of ours is.
    #[error("the histogram has the normalizing index offset {found}, it must be 0")]
    IndexOffset {
        /// As the header has it.
        found: u32,
    },
    /// Another precision than ours.
    #[error("the histogram has {found} significant digits, it must have {DIGITS}")]
    Digits {
        /// As the header has it.
        found: u32,
    },
    /// Another lowest value than ours.
    #[error("the histogram begins at {found} µs, it must begin at {LOW} µs")]
    Lowest {
        /// As the header has it.
        found: u64,
    },
    /// Another highest value than ours.
    #[error("the histogram ends at {found} µs, it must end at {HIGH} µs")]
    Highest {
        /// As the header has it.
        found: u64,
    },
    /// Values are scaled, which no histogram of ours is.
    #[error("the histogram has the value ratio {}, it must be 1", f64::from_bits(*.bits))]
    Ratio {
        /// The bits of the double in the header.
        bits: u64,
    },
    /// The last number is not complete.
    #[error("the count that begins at byte {offset} of the counts is cut off")]
    CountTruncated {
        /// Where the number begins, after the header.
        offset: usize,
    },
    /// A run of empty slots goes past the last slot.
    #[error("{run} empty slots from slot {slot} on go past the last slot, {LAST}")]
    RunTooLong {
        /// The first of the empty slots.
        slot: usize,
        /// How many.
        run: u64,
    },
    /// A sample below 1 µs or above 1 h.
    #[error("slot {slot} has a count, only slots 1 to {LAST} may (1 µs to 1 h)")]
    SlotOutOfRange {
        /// The slot.
        slot: usize,
    },
    /// More samples than any window or run has.
    #[error("the histogram has more than {MAX_SAMPLES} samples")]
    TooManySamples,
    /// The totals would have more samples than are counted exactly everywhere.
    #[error("{added} samples on top of {held} are more than {MAX_TOTAL}")]
    TotalsFull {
        /// Samples in the totals.
        held: u64,
        /// Samples in the refused histogram.
        added: u64,
    },
}

/// V2 in 64-bit words.
const COOKIE: u32 = 0x1c84_9313;
const HEADER_BYTES: usize = 40;
/// Most samples accepted in one encoded histogram: 2^40.
const MAX_SAMPLES: u64 = 1 << 40;
/// Most samples in totals that encoded histograms are added to: 2^53. Sums over thousands of series still fit in 64
/// bits, and floating point counts them exactly. A peer would need 8192 windows of 2^40 samples to get there.
pub(crate) const MAX_TOTAL: u64 = 1 << 53;
/// 8 bytes of 7 bits and one of 8.
const VARINT_BYTES: usize = 9;

/// Appends the encoding of `slots`, filled slots in rising order with their counts. The bytes are those that the
/// `hdrhistogram` crate's `V2Serializer` writes.
pub(crate) fn encode(slots: impl Iterator<Item = (usize, u64)>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(COOKIE.to_be_bytes());
    out.extend([0; 4]); // the payload's length, known at the end
    out.extend(0_u32.to_be_bytes());
    out.extend(u32::from(DIGITS).to_be_bytes());
    out.extend(LOW.to_be_bytes());
    out.extend(HIGH.to_be_bytes());
    out.extend(1_f64.to_be_bytes());
    let mut next = 0;
    for (slot, count) in slots {
        match slot - next {
            0 => {}
            1 => write_varint(0, out),
            run => write_varint(-i64::try_from(run).expect("there are 23 552 slots"), out),
        }
        write_varint(i64::try_from(count).unwrap_or(i64::MAX), out);
        next = slot + 1;
    }
    if next == 0 {
        write_varint(0, out);
    }
    let length = u32::try_from(out.len() - start - HEADER_BYTES).expect("9 bytes for each slot at most");
    out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
}

/// Checks the header of `bytes` and returns what follows it.
pub(crate) fn payload(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((header, payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(DecodeError::HeaderTruncated { length: bytes.len() });
    };
    let short = |at: usize| u32::from_be_bytes(array_at(header, at));
    let long = |at: usize| u64::from_be_bytes(array_at(header, at));
    let (cookie, announced, index_offset, digits) = (short(0), short(4), short(8), short(12));
    let (lowest, highest, ratio) = (long(16), long(24), long(32));
    if cookie != COOKIE {
        return Err(DecodeError::Cookie { found: cookie });
    }
    if usize::try_from(announced) != Ok(payload.len()) {
        return Err(DecodeError::PayloadLength { announced, actual: payload.len() });
    }
    if index_offset != 0 {
        return Err(DecodeError::IndexOffset { found: index_offset });
    }
    if digits != u32::from(DIGITS) {
        return Err(DecodeError::Digits { found: digits });
    }
    if lowest != LOW {
        return Err(DecodeError::Lowest { found: lowest });
    }
    if highest != HIGH {
        return Err(DecodeError::Highest { found: highest });
    }
    if ratio != 1_f64.to_bits() {
        return Err(DecodeError::Ratio { bits: ratio });
    }
    Ok(payload)
}

/// Calls `on_count` with every filled slot of `payload` and its count, in rising order, until an error. Returns the
/// sum of the counts. Every number moves on by at least one slot, so it ends after `LAST` of them at the latest.
pub(crate) fn walk(payload: &[u8], mut on_count: impl FnMut(usize, u64)) -> Result<u64, DecodeError> {
    let mut total = 0_u64;
    let mut slot = 0_usize;
    let mut offset = 0;
    while offset < payload.len() {
        let (number, length) = match payload[offset] {
            // Most are of one byte.
            byte @ ..0x80 => (unzigzag(u64::from(byte)), 1),
            _ => read_varint(&payload[offset..]).ok_or(DecodeError::CountTruncated { offset })?,
        };
        offset += length;
        // The slots left, the current one included; `slot` never goes past LAST + 1.
        let left = LAST + 1 - slot;
        if number > 0 {
            if slot == 0 || left == 0 {
                return Err(DecodeError::SlotOutOfRange { slot });
            }
            let count = number.unsigned_abs();
            total = total
                .checked_add(count)
                .filter(|total| *total <= MAX_SAMPLES)
                .ok_or(DecodeError::TooManySamples)?;
            on_count(slot, count);
            slot += 1;
        } else {
            // A lone empty slot is written as the count 0.
            let run = number.unsigned_abs().max(1);
            if run > left as u64 {
                return Err(DecodeError::RunTooLong { slot, run });
            }
            slot += run as usize;
        }
    }
    Ok(total)
}

/// Appends the encoding of both payloads' samples together, without building a histogram: as many steps as there are
/// bytes. Returns how many samples that is.
pub(crate) fn sum(left: &[u8], right: &[u8], out: &mut Vec<u8>) -> Result<u64, DecodeError> {
    let counts = |payload| {
        let mut counts = Vec::new();
        walk(payload, |slot, count| counts.push((slot, count))).map(|total| (counts, total))
    };
    let ((left, left_total), (right, right_total)) = (counts(left)?, counts(right)?);
    let total = left_total + right_total;
    if total > MAX_SAMPLES {
        return Err(DecodeError::TooManySamples);
    }
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    let merged = std::iter::from_fn(|| match (left.peek().copied(), right.peek().copied()) {
        (Some((here, count)), Some((there, more))) if here == there => {
            left.next();
            right.next();
            Some((here, count + more))
        }
        (Some((here, _)), Some((there, _))) if here > there => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    });
    encode(merged, out);
    Ok(total)
}

fn array_at<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("a slice of N bytes is an array of N bytes")
}

/// ZigZag, then 7 bits in each byte, lowest first, the ninth byte whole.
fn write_varint(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    for _ in 1..VARINT_BYTES {
        if rest < 0x80 {
            break;
        }
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// The number at the start of `bytes` and its length; `None` if it is cut off.
fn read_varint(bytes: &[u8]) -> Option<(i64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(VARINT_BYTES).enumerate() {
        let last = index + 1 == VARINT_BYTES;
        let bits = if last { *byte } else { *byte & 0x7f };
        value |= u64::from(bits) << (7 * index);
        if last || *byte < 0x80 {
            return Some((unzigzag(value), index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests;
