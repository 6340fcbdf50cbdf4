//! How many files and sockets this process may have open.

/// What a process may have where its limit cannot be read or raised.
const FEW: u64 = 1024;

/// Raises the limit as far as it goes, to `most` if that is less, and says what it is now.
///
/// On Windows no such limit is set: a process has room for 16,711,680 handles.
pub fn raise(most: u64) -> u64 {
    side::raise(most)
}

/// What the limit is; `None` without one.
pub fn limit() -> Option<u64> {
    side::limit()
}

#[cfg(unix)]
mod side {
    pub(super) fn raise(most: u64) -> u64 {
        rlimit::increase_nofile_limit(most).unwrap_or(super::FEW)
    }

    pub(super) fn limit() -> Option<u64> {
        rlimit::Resource::NOFILE.get_soft().ok().filter(|limit| *limit < rlimit::INFINITY)
    }
}

#[cfg(windows)]
mod side {
    /// Handles in the table of one process.
    const HANDLES: u64 = (1 << 24) - (1 << 16);

    pub(super) fn raise(most: u64) -> u64 {
        most.clamp(super::FEW, HANDLES)
    }

    pub(super) fn limit() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_as_far_as_it_goes() {
        let room = raise(u64::MAX);
        assert!(room >= 256, "{room}");
        assert!(limit().is_none_or(|limit| limit == room), "{:?}, not {room}", limit());
        assert_eq!(raise(u64::MAX), room);
    }
}
