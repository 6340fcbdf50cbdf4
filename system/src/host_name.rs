//! The name of this machine.

/// As it calls itself in its network; `None` where it does not say, or in no text.
pub fn host_name() -> Option<String> {
    side::host_name().filter(|name| !name.is_empty())
}

#[cfg(unix)]
mod side {
    #[expect(clippy::unnecessary_wraps, reason = "others may not say")]
    pub(super) fn host_name() -> Option<String> {
        Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
    }
}

#[cfg(windows)]
mod side {
    use winapi_util::sysinfo::{ComputerNameKind, get_computer_name};

    pub(super) fn host_name() -> Option<String> {
        get_computer_name(ComputerNameKind::PhysicalDnsHostname).ok()?.into_string().ok()
    }
}
