//! Whole systems made of files.

use super::*;

/// A directory that stands for `/`, removed when it is dropped.
struct Root(PathBuf);

impl Root {
    fn new(name: &str, files: &[(&str, &str)]) -> Root {
        let root = Root(std::env::temp_dir().join(format!("muster-host-{name}-{}", std::process::id())));
        let _ = std::fs::remove_dir_all(&root.0);
        root.write(files);
        root
    }

    fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().expect("a file in a directory")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const MACHINE: [(&str, &str); 3] = [
    ("proc/self/status", "Cpus_allowed_list:\t0-3\n"),
    ("proc/stat", "cpu  0 0 0 1000 0 0 0 0 0 0\n"),
    ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 900 kB\n"),
];

#[test]
fn a_container_of_version_2_within_a_slice() {
    let root = Root::new("v2", &MACHINE);
    let group = "sys/fs/cgroup/kube.slice";
    let file = |name: &str| format!("{group}/{name}");
    root.write(&[
        ("proc/self/cgroup", "0::/kube.slice/pod\n"),
        ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
        (&file("cpu.max"), "50000 100000\n"),
        (&file("cpu.stat"), "nr_periods 9\nnr_throttled 1\nthrottled_usec 5\n"),
        (&file("memory.max"), "max\n"),
        (&file("pod/cpu.max"), "max 100000\n"),
        (&file("pod/cpu.stat"), "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
        (&file("pod/memory.max"), "65536\n"),
        (&file("pod/memory.current"), "60000\n"),
        (&file("pod/memory.stat"), "inactive_file 10000\n"),
    ]);
    let mut host = Host::at(&root.0);
    root.write(&[
        ("proc/stat", "cpu  0 0 0 1900 0 0 0 100 0 0\n"),
        (&file("cpu.stat"), "nr_periods 19\nnr_throttled 4\nthrottled_usec 120005\n"),
    ]);
    let use_ = host.measure();
    assert_eq!(use_.cpu_limit_permille, Some(500), "the slice's quota, not the machine's four processors");
    assert_eq!(use_.steal_permille, Some(100));
    assert_eq!((use_.throttled, use_.throttled_periods), (Some(Duration::from_millis(120)), Some(3)));
    assert_eq!((use_.memory_used_bytes, use_.memory_limit_bytes), (Some(50_000), Some(65_536)));
    let again = host.measure();
    assert_eq!((again.throttled, again.steal_permille), (Some(Duration::ZERO), None), "no time has passed");
}

#[test]
fn groups_of_version_1() {
    let root = Root::new("v1", &MACHINE);
    root.write(&[
        ("proc/self/cgroup", "4:memory:/m\n1:cpu:/c\n0::/\n"),
        (
            "proc/self/mountinfo",
            "32 31 0:29 / /g/cpu rw - cgroup cgroup rw,cpu\n35 31 0:32 / /g/memory rw - cgroup cgroup rw,memory\n",
        ),
        ("g/cpu/cpu.cfs_quota_us", "-1\n"),
        ("g/cpu/cpu.cfs_period_us", "100000\n"),
        ("g/cpu/c/cpu.cfs_quota_us", "10000\n"),
        ("g/cpu/c/cpu.cfs_period_us", "100000\n"),
        ("g/cpu/c/cpu.stat", "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n"),
        ("g/memory/m/memory.limit_in_bytes", "9223372036854771712\n"),
        ("g/memory/m/memory.usage_in_bytes", "5\n"),
    ]);
    let mut host = Host::at(&root.0);
    root.write(&[("g/cpu/c/cpu.stat", "nr_periods 9\nnr_throttled 7\nthrottled_time 600000000\n")]);
    let use_ = host.measure();
    assert_eq!(use_.cpu_limit_permille, Some(100));
    assert_eq!((use_.throttled, use_.throttled_periods), (Some(Duration::from_millis(600)), Some(7)));
    assert_eq!(use_.memory_limit_bytes, Some(1_024_000), "the machine's: the group has no limit");
}

#[test]
fn a_system_without_these_files_tells_nothing() {
    let root = Root::new("none", &[]);
    let mut host = Host::at(&root.0);
    let use_ = host.measure();
    assert_eq!(use_, HostUse { descriptors_limit: use_.descriptors_limit, ..HostUse::default() });
    let root =
        Root::new("garbage", &[("proc/stat", "\u{0}"), ("proc/meminfo", "x"), ("proc/self/cgroup", "::")]);
    assert_eq!(Host::at(&root.0).measure().steal_permille, None);
}

#[test]
#[cfg(target_os = "linux")]
fn this_process_has_descriptors_and_processors() {
    let mut host = Host::of_this_process();
    let use_ = host.since_last();
    let open = use_.descriptors.expect("Linux tells");
    assert!(use_.memory_used_bytes < use_.memory_limit_bytes);
    assert!(use_.cpu_limit_permille.is_some_and(|limit| limit > 0));
    let more: Vec<_> = (0..20).map(|_| std::fs::File::open("/dev/null").expect("a file")).collect();
    let now = host.measure().descriptors.expect("Linux tells");
    // Other tests open and close files meanwhile.
    assert!(now + 10 >= open + more.len() as u64, "{open}, then {now}");
}
