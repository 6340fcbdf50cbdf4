//! What the system says of this process: what it may use, what it was denied, what is left.
//!
//! [`Host`] reads the files of Linux, at most twice a second, and says what happened between two readings. What each
//! file means is in pure functions beside it: control groups (`groups`), the processor (`processor`), memory
//! (`memory`). A file that is missing or says something else gives no value, never zero and never a failure: other
//! systems, old kernels and closed containers have no such files.

mod descriptors;
mod groups;
mod memory;
mod processor;

use groups::{Group, Version, groups};
use memory::Memory;
use processor::{Machine, Throttle};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Shortest stretch over which shares are measured: the kernel counts a machine's time in hundredths of a second. Who
/// asks sooner is told that nothing happened since.
const STRETCH_MIN: Duration = Duration::from_millis(500);

/// What the system said of a stretch of time. `None` is what it does not tell, or a limit that there is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostUse {
    /// The processors that this process may use at most, in thousandths of one: the smallest quota of its control groups,
    /// or those that it may run on.
    pub cpu_limit_permille: Option<u32>,
    /// Share of the machine's processor time that the hypervisor gave to others, in thousandths.
    pub steal_permille: Option<u32>,
    /// How long a quota held this process (or another one in its group) up. Threads that wait side by side count each.
    pub throttled: Option<Duration>,
    /// In how many of the quota's periods that happened.
    pub throttled_periods: Option<u64>,
    /// Open files and sockets at the end.
    pub descriptors: Option<u64>,
    /// How many there may be.
    pub descriptors_limit: Option<u64>,
    /// Memory in use at the end where least is left (in bytes): in a control group with a limit, or on the machine. Caches
    /// that the kernel would give up are not in it.
    pub memory_used_bytes: Option<u64>,
    /// How much there is.
    pub memory_limit_bytes: Option<u64>,
}

/// Reads what the system says of this process.
#[derive(Debug)]
pub struct Host {
    root: PathBuf,
    cpu: Vec<Group>,
    memory: Vec<Group>,
    last: Reading,
    last_at: Instant,
    last_use: HostUse,
}

/// Counters that only rise.
#[derive(Clone, Debug, Default)]
struct Reading {
    machine: Option<Machine>,
    /// Of each group.
    throttles: Vec<Option<Throttle>>,
}

impl Host {
    /// Begins to read, for this process.
    pub fn of_this_process() -> Host {
        Host::at(Path::new("/"))
    }

    /// The same, with the files of the system below `root`.
    fn at(root: &Path) -> Host {
        let text = |path: &str| read(&root.join(path)).unwrap_or_default();
        let (membership, mounts) = (text("proc/self/cgroup"), text("proc/self/mountinfo"));
        let mut host = Host {
            root: root.to_owned(),
            cpu: groups(&membership, &mounts, "cpu"),
            memory: groups(&membership, &mounts, "memory"),
            last: Reading::default(),
            last_at: Instant::now(),
            last_use: HostUse::default(),
        };
        host.last = host.reading();
        let known = host.last.throttles.iter().any(Option::is_some);
        host.last_use = HostUse {
            throttled: known.then_some(Duration::ZERO),
            throttled_periods: known.then_some(0),
            ..host.gauges()
        };
        host
    }

    /// What happened since the last call.
    pub fn since_last(&mut self) -> HostUse {
        let now = Instant::now();
        if now - self.last_at < STRETCH_MIN {
            return HostUse {
                throttled: self.last_use.throttled.map(|_| Duration::ZERO),
                throttled_periods: self.last_use.throttled_periods.map(|_| 0),
                ..self.last_use
            };
        }
        self.last_at = now;
        self.measure()
    }

    fn measure(&mut self) -> HostUse {
        let reading = self.reading();
        // A group's own quota and those above it hold up the same threads; the one that does most counts.
        let rises = reading.throttles.iter().zip(&self.last.throttles);
        let throttle = rises.filter_map(|(now, before)| Some((*now)?.since((*before)?))).max();
        self.last_use = HostUse {
            steal_permille: reading
                .machine
                .zip(self.last.machine)
                .and_then(|(now, before)| now.steal_since(before)),
            throttled: throttle.map(|throttle| throttle.time),
            throttled_periods: throttle.map(|throttle| throttle.periods),
            ..self.gauges()
        };
        self.last = reading;
        self.last_use
    }

    /// What needs no reading before it.
    fn gauges(&self) -> HostUse {
        let memory = self.tightest_memory();
        HostUse {
            cpu_limit_permille: self.cpu_limit_permille(),
            descriptors: descriptors::open(&self.root),
            descriptors_limit: system::descriptors::limit(),
            memory_used_bytes: memory.map(|memory| memory.used),
            memory_limit_bytes: memory.map(|memory| memory.limit),
            ..HostUse::default()
        }
    }

    fn cpu_limit_permille(&self) -> Option<u32> {
        let quota = |group: &Group| match group.version {
            Version::Two => processor::quota(&self.file(group, "cpu.max")?),
            Version::One => {
                let (quota, period) =
                    (self.file(group, "cpu.cfs_quota_us")?, self.file(group, "cpu.cfs_period_us")?);
                processor::quota(&format!("{} {}", quota.trim(), period.trim()))
            }
        };
        let allowed =
            read(&self.root.join("proc/self/status")).and_then(|status| processor::allowed(&status));
        self.cpu.iter().filter_map(quota).chain(allowed.map(|n| n.saturating_mul(1000))).min()
    }

    fn reading(&self) -> Reading {
        let throttle = |group: &Group| self.file(group, "cpu.stat").and_then(|stat| Throttle::of(&stat));
        Reading {
            machine: read(&self.root.join("proc/stat")).and_then(|stat| Machine::of(&stat)),
            throttles: self.cpu.iter().map(throttle).collect(),
        }
    }

    fn tightest_memory(&self) -> Option<Memory> {
        let of_group = |group: &Group| {
            let (limit, used) = match group.version {
                Version::Two => ("memory.max", "memory.current"),
                Version::One => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
            };
            let stat = self.file(group, "memory.stat").unwrap_or_default();
            Memory::of_group(&self.file(group, limit)?, &self.file(group, used)?, &stat)
        };
        let machine = read(&self.root.join("proc/meminfo")).and_then(|text| Memory::of_machine(&text));
        self.memory.iter().filter_map(of_group).chain(machine).max_by_key(|memory| memory.used_permille())
    }

    fn file(&self, group: &Group, name: &str) -> Option<String> {
        read(&self.root.join(group.directory.strip_prefix("/").unwrap_or(&group.directory)).join(name))
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests;
