//! Memory of this process.

/// What is resident, in bytes; `None` where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    side::resident_bytes()
}

#[cfg(target_os = "linux")]
mod side {
    pub(super) fn resident_bytes() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}

/// The resident size of macOS' `task_info`, and the working set of Windows.
#[cfg(any(windows, target_os = "macos"))]
mod side {
    pub(super) fn resident_bytes() -> Option<u64> {
        memory_stats::memory_stats().map(|stats| stats.physical_mem as u64)
    }
}

#[cfg(not(any(windows, target_os = "linux", target_os = "macos")))]
mod side {
    pub(super) fn resident_bytes() -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_has_some() {
        let memory = super::resident_bytes().expect("these systems tell");
        assert!((1 << 20..1 << 40).contains(&memory), "{memory}");
    }
}
