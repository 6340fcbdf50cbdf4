//! Where a response's body ends (RFC 9112, sections 6 and 7).

use metrics::{ErrorKind, Failure};

/// Most bytes of chunk extensions, leading zeros and trailers in a body; nobody looks at them.
const MAX_SKIPPED: u32 = 16 << 10;

/// How the rest of a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It is so many bytes.
    Length(u64),
    /// It is in chunks.
    Chunked(Chunks),
    /// It ends with the stream.
    ToEnd,
    /// There is no more.
    Over,
}

/// How far a chunked body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of extensions, leading zeros and trailers so far.
    skipped: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a chunk's size; `None` before its first digit.
    Size(Option<u64>),
    /// After it, before the line's end.
    Extension(u64),
    /// Between the carriage return and the line feed of that line.
    SizeEnd(u64),
    /// So many bytes before the chunk's end.
    Data(u64),
    /// Before the carriage return after a chunk.
    DataEnd,
    /// Before the line feed after that.
    DataLineFeed,
    /// At the beginning of a line after the last chunk.
    Trailer,
    /// Within such a line.
    TrailerLine,
    /// Before the last line feed.
    LastLineFeed,
}

impl Framing {
    /// A chunked body, at its beginning.
    pub(super) fn chunked() -> Framing {
        Framing::Chunked(Chunks { place: Place::Size(None), skipped: 0 })
    }

    /// Whether all of the body was taken.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Framing::Over | Framing::Length(0))
    }

    /// Takes what belongs to the body from the beginning of `bytes` and hands it to `sink`; how many bytes that were,
    /// the framing's own included.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        match self {
            Framing::Over => Ok(0),
            Framing::ToEnd => {
                sink(bytes)?;
                Ok(bytes.len())
            }
            Framing::Length(left) => {
                let taken = of_both(*left, bytes.len());
                *left -= taken as u64;
                sink(&bytes[..taken])?;
                Ok(taken)
            }
            Framing::Chunked(chunks) => {
                let mut at = 0;
                while at < bytes.len() {
                    if let Place::Data(left) = &mut chunks.place {
                        let taken = of_both(*left, bytes.len() - at);
                        *left -= taken as u64;
                        let done = *left == 0;
                        sink(&bytes[at..at + taken])?;
                        at += taken;
                        if done {
                            chunks.place = Place::DataEnd;
                        }
                        continue;
                    }
                    let next = chunks.step(bytes[at])?;
                    at += 1;
                    let Some(place) = next else {
                        *self = Framing::Over;
                        break;
                    };
                    chunks.place = place;
                }
                Ok(at)
            }
        }
    }

    /// The stream has ended.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        match self {
            Framing::ToEnd | Framing::Over => {
                *self = Framing::Over;
                Ok(())
            }
            Framing::Length(_) | Framing::Chunked(_) => Err(cut()),
        }
    }
}

impl Chunks {
    /// Where it is after `byte`, which is none of the body's; `None` at the end.
    fn step(&mut self, byte: u8) -> Result<Option<Place>, Failure> {
        Ok(Some(match (self.place, byte) {
            (Place::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // Zeros in front change nothing, so there could be any number of them.
                if size == Some(0) {
                    self.skip()?;
                }
                let digit = char::from(byte).to_digit(16).expect("one of the digits above");
                let shifted = size.unwrap_or(0).checked_mul(16).ok_or_else(|| broken("size too large"))?;
                Place::Size(Some(shifted | u64::from(digit)))
            }
            (Place::Size(None), _) => return Err(broken("missing size digit")),
            (Place::Size(Some(size)) | Place::Extension(size), b'\r') => Place::SizeEnd(size),
            (Place::Size(Some(size)), b';' | b' ' | b'\t') => Place::Extension(size),
            (Place::Size(_), _) => return Err(broken("invalid size digit")),
            (Place::Extension(_), b'\n') => return Err(broken("invalid line end")),
            (Place::Extension(size), _) => {
                self.skip()?;
                Place::Extension(size)
            }
            (Place::SizeEnd(0) | Place::TrailerLine, b'\n') => Place::Trailer,
            (Place::SizeEnd(size), b'\n') => Place::Data(size),
            (Place::DataEnd, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => Place::Size(None),
            (Place::Trailer, b'\r') => Place::LastLineFeed,
            (Place::Trailer | Place::TrailerLine, _) => {
                self.skip()?;
                Place::TrailerLine
            }
            (Place::LastLineFeed, b'\n') => return Ok(None),
            (Place::SizeEnd(_) | Place::DataEnd | Place::DataLineFeed | Place::LastLineFeed, _) => {
                return Err(broken("invalid line end"));
            }
            (Place::Data(_), _) => unreachable!("data is taken as a whole"),
        }))
    }

    fn skip(&mut self) -> Result<(), Failure> {
        self.skipped += 1;
        if self.skipped > MAX_SKIPPED {
            let problem = "the extensions and trailers of the response's chunks are larger than the limit of 16384 bytes";
            return Err(Failure::new(ErrorKind::Protocol, problem));
        }
        Ok(())
    }
}

/// The failure of a response that breaks off.
pub(super) fn cut() -> Failure {
    Failure::new(ErrorKind::Reset, "connection closed before the response was complete")
}

fn broken(why: &str) -> Failure {
    Failure::new(ErrorKind::Protocol, format!("invalid chunk in the response body: {why}"))
}

/// The smaller one.
fn of_both(left: u64, here: usize) -> usize {
    usize::try_from(left).map_or(here, |left| left.min(here))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The body in `bytes`, which come in pieces of `size`, and what follows it; or what is wrong.
    fn read(mut framing: Framing, bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), String> {
        let (mut body, mut rest) = (Vec::new(), Vec::new());
        let mut taken = |framing: &mut Framing, piece: &[u8]| {
            let used = framing.take(piece, |data| {
                body.extend_from_slice(data);
                Ok(())
            })?;
            rest.extend_from_slice(&piece[used..]);
            Ok(())
        };
        let mut whole = || -> Result<(), Failure> {
            for piece in bytes.chunks(size) {
                taken(&mut framing, piece)?;
            }
            if framing.is_over() { Ok(()) } else { framing.end() }
        };
        whole().map_err(|failure| failure.message.into_owned())?;
        Ok((body, rest))
    }

    fn check(framing: Framing, bytes: &[u8], expected: Result<(&str, &str), &str>) {
        for size in [1, 2, 3, bytes.len().max(1)] {
            let got = read(framing, bytes, size);
            let expected = expected.map(|(body, rest)| (body.into(), rest.into())).map_err(str::to_owned);
            assert_eq!(got, expected, "{framing:?} {:?} by {size}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        let cut = Err("connection closed before the response was complete");
        check(Framing::Length(0), b"x", Ok(("", "x")));
        check(Framing::Length(3), b"abcd", Ok(("abc", "d")));
        check(Framing::Length(3), b"ab", cut);
        check(Framing::ToEnd, b"abc", Ok(("abc", "")));
        let chunked = Framing::chunked();
        check(chunked, b"2\r\nab\r\n00A\r\n0123456789\r\n0\r\n\r\nx", Ok(("ab0123456789", "x")));
        check(chunked, b"2;a=b\r\nab\r\n0 \r\na: b\r\nc: d\r\n\r\n", Ok(("ab", "")));
        check(chunked, b"2\r\nab\r\n0\r\n", cut);
        check(chunked, b"2\r\na", cut);
    }

    #[test]
    fn broken_chunks() {
        let check = |bytes: &[u8], why: &str| {
            check(Framing::chunked(), bytes, Err(&format!("invalid chunk in the response body: {why}")));
        };
        check(b"\r\n", "missing size digit");
        check(b"-1\r\n", "missing size digit");
        check(b"1x\r\n", "invalid size digit");
        check(b"1\n", "invalid size digit");
        check(b"1;\n", "invalid line end");
        check(b"1\rx", "invalid line end");
        check(b"1\r\naa", "invalid line end");
        check(b"1\r\na\ra", "invalid line end");
        check(b"0\r\n\ra", "invalid line end");
        check(b"10000000000000000\r\n", "size too large");
    }

    #[test]
    fn what_nobody_looks_at_is_bounded() {
        let size = usize::try_from(MAX_SKIPPED).unwrap();
        let long = |fill: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(fill));
        check(Framing::chunked(), long(size).as_bytes(), Ok(("a", "")));
        let limit =
            "the extensions and trailers of the response's chunks are larger than the limit of 16384 bytes";
        check(Framing::chunked(), long(size + 1).as_bytes(), Err(limit));
        check(Framing::chunked(), "0".repeat(size + 2).as_bytes(), Err(limit));
        check(Framing::chunked(), format!("0\r\n{}", "a: b\r\n".repeat(size)).as_bytes(), Err(limit));
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(bytes in "[0-3a;\r\n]{0,60}", size in 1_usize..9) {
            let whole = read(Framing::chunked(), bytes.as_bytes(), bytes.len().max(1));
            prop_assert_eq!(read(Framing::chunked(), bytes.as_bytes(), size), whole);
        }

        #[test]
        fn chunks_carry_anything(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6)) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(Framing::chunked(), &bytes, 7), Ok((chunks.concat(), Vec::new())));
        }
    }
}
