//! The text of a data file, and what is wrong with it.

/// What is wrong with a data file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileProblem {
    /// The line and the column in characters, both counted from 1; `None` for the file as a whole.
    pub(crate) place: Option<(usize, usize)>,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl FileProblem {
    pub(crate) fn at(place: (usize, usize), what: impl Into<String>, remedy: impl Into<String>) -> Self {
        FileProblem { place: Some(place), what: what.into(), remedy: remedy.into() }
    }

    pub(crate) fn whole(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        FileProblem { place: None, what: what.into(), remedy: remedy.into() }
    }
}

/// What is wrong with one file, the first few of it.
#[derive(Debug, Default)]
pub(crate) struct FileProblems {
    found: Vec<FileProblem>,
    more: usize,
}

impl FileProblems {
    /// More of one file is the same mistake again, most likely.
    const SHOWN: usize = 5;

    /// Adds a problem; it is looked at, which takes a walk through the file, only if it is one of the first.
    pub(crate) fn push(&mut self, problem: impl FnOnce() -> FileProblem) {
        if self.found.len() < FileProblems::SHOWN {
            self.found.push(problem());
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems, and how many more there are.
    pub(crate) fn into_parts(self) -> (Vec<FileProblem>, usize) {
        (self.found, self.more)
    }
}

/// `bytes` as text, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, FileProblem> {
    let remedy = "save the file as UTF-8";
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(_) if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
            Err(FileProblem::at((1, 1), "the file is UTF-16, not UTF-8", remedy))
        }
        Err(error) => {
            let at = error.valid_up_to();
            // Only what is valid is looked at.
            let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let what = format!("the byte 0x{byte:02x} is not UTF-8");
            Err(FileProblem::at(place(before, at), what, remedy))
        }
    }
}

/// The line and column of offset `at`, which is a character's boundary.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text).trim_start_matches('\u{feff}');
    let mut lines = 1;
    let mut line_start = 0;
    let bytes = before.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        // A line ends with CR LF, LF or CR.
        if byte == b'\n' || (byte == b'\r' && bytes.get(i + 1) != Some(&b'\n')) {
            lines += 1;
            line_start = i + 1;
        }
    }
    (lines, before[line_start..].chars().count() + 1)
}
