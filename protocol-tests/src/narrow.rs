//! Programs that may use less than the machine has: a processor quota, a limit of open files.

use crate::process::{Process, program};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A control group with a processor quota, of whichever version this machine has. Dropping it takes it away, once nothing
/// runs in it any more.
#[derive(Debug)]
pub struct CpuGroup(PathBuf);

impl CpuGroup {
    /// A group that may use so many thousandths of one processor, in periods of 100 ms; `None`, and a word about it, where
    /// none can be made: it takes Linux, root, and a hierarchy with the processor controller.
    pub fn new(test: &str, permille: u32) -> Option<CpuGroup> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("muster-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let quota = (permille * 100).to_string();
        let made = CpuGroup::make(
            Path::new("/sys/fs/cgroup").join(&name),
            &[("cpu.max", format!("{quota} 100000"))],
        )
        .or_else(|_| {
            let files = [("cpu.cfs_period_us", "100000".to_owned()), ("cpu.cfs_quota_us", quota)];
            CpuGroup::make(Path::new("/sys/fs/cgroup/cpu").join(&name), &files)
        });
        made.map_err(|why| {
            eprintln!("SKIPPED {test}: no control group with a processor quota here ({why}); it takes Linux and root");
        })
        .ok()
    }

    fn make(directory: PathBuf, files: &[(&str, String)]) -> std::io::Result<CpuGroup> {
        std::fs::create_dir(&directory)?;
        let group = CpuGroup(directory);
        for (file, text) in files {
            // A file that the kernel did not make there is no quota.
            if !group.0.join(file).exists() {
                return Err(std::io::Error::other(format!("{} is not there", group.0.join(file).display())));
            }
            std::fs::write(group.0.join(file), text)?;
        }
        Ok(group)
    }

    /// Starts program `name` of this workspace in it, as [`Process::start`] does outside.
    pub fn start<A: AsRef<OsStr>>(
        &self,
        name: &str,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Process {
        start_after(&format!("echo $$ > {}", self.0.join("cgroup.procs").display()), name, dir, args)
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Starts program `name` of this workspace with at most so many open files.
pub fn with_open_files<A: AsRef<OsStr>>(
    most: u32,
    name: &str,
    dir: &Path,
    args: impl IntoIterator<Item = A>,
) -> Process {
    start_after(&format!("ulimit -n {most}"), name, dir, args)
}

/// Starts program `name` in a shell that has run `command` before and becomes it.
fn start_after<A: AsRef<OsStr>>(
    command: &str,
    name: &str,
    dir: &Path,
    args: impl IntoIterator<Item = A>,
) -> Process {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{command} && exec \"$0\" \"$@\"")).arg(program(name)).args(args);
    Process::spawn(name, shell, dir, &[])
}
