//! Which errors mean that it is this machine that has no more.

use std::io;

/// Whether no descriptor is left to this process.
pub fn of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(side::NO_DESCRIPTOR)
}

/// Whether this machine has no descriptor, port or memory left for a connection.
pub fn of_connections(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| code == side::NO_DESCRIPTOR || side::NO_ROOM.contains(&code))
}

#[cfg(unix)]
mod side {
    use rustix::io::Errno;

    pub(super) const NO_DESCRIPTOR: i32 = Errno::MFILE.raw_os_error();
    pub(super) const NO_ROOM: [i32; 4] = [
        Errno::NFILE.raw_os_error(),
        Errno::ADDRNOTAVAIL.raw_os_error(),
        Errno::NOBUFS.raw_os_error(),
        Errno::NOMEM.raw_os_error(),
    ];
}

/// Codes of Winsock and of the system, by their documentation.
#[cfg(windows)]
mod side {
    const WSAEMFILE: i32 = 10_024;
    /// Connecting says this, too, when no port of the dynamic range is left.
    const WSAEADDRINUSE: i32 = 10_048;
    const WSAEADDRNOTAVAIL: i32 = 10_049;
    const WSAENOBUFS: i32 = 10_055;
    const ERROR_TOO_MANY_OPEN_FILES: i32 = 4;
    const ERROR_NOT_ENOUGH_MEMORY: i32 = 8;
    const ERROR_OUTOFMEMORY: i32 = 14;
    const ERROR_NO_SYSTEM_RESOURCES: i32 = 1_450;

    pub(super) const NO_DESCRIPTOR: i32 = WSAEMFILE;
    pub(super) const NO_ROOM: [i32; 7] = [
        WSAEADDRINUSE,
        WSAEADDRNOTAVAIL,
        WSAENOBUFS,
        ERROR_TOO_MANY_OPEN_FILES,
        ERROR_NOT_ENOUGH_MEMORY,
        ERROR_OUTOFMEMORY,
        ERROR_NO_SYSTEM_RESOURCES,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a machine has no more of, and what others do: refuse, have no route, do not answer.
    #[cfg(unix)]
    const CODES: ([i32; 5], [i32; 3]) = {
        use rustix::io::Errno;
        let ours = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
        let theirs = [Errno::CONNREFUSED, Errno::HOSTUNREACH, Errno::TIMEDOUT];
        let [a, b, c, d, e] = ours;
        let [x, y, z] = theirs;
        (
            [a.raw_os_error(), b.raw_os_error(), c.raw_os_error(), d.raw_os_error(), e.raw_os_error()],
            [x.raw_os_error(), y.raw_os_error(), z.raw_os_error()],
        )
    };
    #[cfg(windows)]
    const CODES: ([i32; 5], [i32; 3]) = ([10_024, 10_048, 10_049, 10_055, 8], [10_061, 10_065, 10_060]);

    #[test]
    fn it_is_told_from_what_others_do() {
        let (ours, theirs) = CODES;
        for code in ours {
            assert!(of_connections(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in theirs {
            assert!(!of_connections(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(of_descriptors(&io::Error::from_raw_os_error(ours[0])));
        assert!(!of_descriptors(&io::Error::from_raw_os_error(ours[1])));
        assert!(!of_connections(&io::ErrorKind::TimedOut.into()));
    }
}
