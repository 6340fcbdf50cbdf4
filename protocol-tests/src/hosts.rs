//! Hosts of our own on one switch: network namespaces, as real as another machine as far as the network goes.
//!
//! Making them takes root, `ip` (iproute2) and a kernel that lets us; where that is missing, [`Lan::new`] says so and tests
//! that need it are skipped. A wire that is pulled loses packets without a word to either end, which no proxy can do.

use crate::process::{Process, program};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the kernel's namespaces have their names.
const NAMES: &str = "/run/netns";

/// A hardware address that nobody has.
const NOBODY: &str = "02:00:00:00:00:fe";

/// A switch and the hosts on it. Dropping it takes them away.
#[derive(Debug)]
pub struct Lan {
    prefix: String,
    hosts: u8,
}

/// A host on it.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
    switch: String,
    port: String,
    /// Its address.
    pub address: String,
}

impl Lan {
    /// A switch without hosts; `None`, and a word about it, where none can be made.
    pub fn new(test: &str) -> Option<Lan> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        forget_the_dead();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let lan = Lan { prefix: format!("muster-{}-{number}", std::process::id()), hosts: 0 };
        let switch = lan.switch();
        let made = ip(&["netns", "add", &switch])
            .and_then(|()| ip(&["-n", &switch, "link", "add", "name", "switch", "type", "bridge"]))
            .and_then(|()| ip(&["-n", &switch, "link", "set", "switch", "up"]))
            // Some kernels know namespaces and not these wires.
            .and_then(|()| {
                ip(&["-n", &switch, "link", "add", "name", "t0", "type", "veth", "peer", "name", "t1"])
            });
        match made {
            Ok(()) => Some(lan),
            Err(why) => {
                eprintln!(
                    "SKIPPED {test}: no network namespaces here ({why}); it takes Linux, root and iproute2"
                );
                None
            }
        }
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.prefix)
    }

    /// Another host on the switch: 10.77.0.1, 10.77.0.2, ...
    pub fn host(&mut self) -> Host {
        self.hosts += 1;
        let (n, switch) = (self.hosts, self.switch());
        let (namespace, port) = (format!("{}-{n}", self.prefix), format!("p{n}"));
        let address = format!("10.77.0.{n}");
        let with_mask = format!("{address}/24");
        let own_address = format!("02:00:00:00:00:{n:02x}");
        let steps: [&[&str]; 7] = [
            &["netns", "add", &namespace],
            &[
                "-n", &switch, "link", "add", "name", &port, "type", "veth", "peer", "name", "eth0", "netns",
                &namespace,
            ],
            &["-n", &switch, "link", "set", &port, "master", "switch", "up"],
            &["-n", &namespace, "link", "set", "eth0", "address", &own_address],
            &["-n", &namespace, "address", "add", &with_mask, "dev", "eth0"],
            &["-n", &namespace, "link", "set", "eth0", "up"],
            &["-n", &namespace, "link", "set", "lo", "up"],
        ];
        for step in steps {
            ip(step).unwrap_or_else(|why| panic!("{why}"));
        }
        Host { namespace, switch, port, address }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        remove(&format!("{}-", self.prefix));
    }
}

impl Host {
    /// Starts a program of the workspace on it, as [`Process::start`] does here.
    pub fn start<A: AsRef<OsStr>>(
        &self,
        name: &str,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Process {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]).arg(program(name)).args(args);
        Process::spawn(name, command, dir, &[])
    }

    /// Pulls its wire: packets in both directions are lost without a word.
    pub fn unplug(&self) {
        self.set_port("down");
    }

    /// Puts it back.
    pub fn plug(&self) {
        self.set_port("up");
    }

    fn set_port(&self, state: &str) {
        ip(&["-n", &self.switch, "link", "set", &self.port, state]).unwrap_or_else(|why| panic!("{why}"));
    }

    /// From now on what it sends to `other` is lost without a word; what `other` sends arrives.
    pub fn lose_what_goes_to(&self, other: &Host) {
        let neighbour =
            ["neighbour", "replace", &other.address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"];
        self.ip(&neighbour);
    }

    /// What it sends to `other` arrives again.
    pub fn reach(&self, other: &Host) {
        self.ip(&["neighbour", "delete", &other.address, "dev", "eth0"]);
    }

    /// Lets no more than `rate` (`64kbit`, say) out of it, and nothing wait longer than two seconds.
    pub fn slow_down(&self, rate: &str) {
        let shape =
            ["qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "8kb", "latency", "2s"];
        run("tc", &["-n", &self.namespace], &shape).unwrap_or_else(|why| panic!("{why}"));
    }

    fn ip(&self, args: &[&str]) {
        run("ip", &["-n", &self.namespace], args).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Does `what` on this host, as far as the network goes.
    pub fn on<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        let there =
            std::fs::File::open(Path::new(NAMES).join(&self.namespace)).expect("the namespace is there");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("whoever made the namespace may enter it");
                what()
            });
            thread.join().expect("what is done there does not panic")
        })
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    run("ip", &[], args)
}

fn run(program: &str, first: &[&str], args: &[&str]) -> Result<(), String> {
    let line = [first, args].concat();
    let output = Command::new(program).args(&line).output().map_err(|error| format!("{program}: {error}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{program} {}: {}", line.join(" "), why.trim()))
    }
}

/// Takes away the namespaces whose names begin with `prefix`.
fn remove(prefix: &str) {
    for name in names().filter(|name| name.starts_with(prefix)) {
        // It may be another test that takes it away.
        let _ = ip(&["netns", "delete", &name]);
    }
}

/// Takes away what tests left that were killed.
fn forget_the_dead() {
    for name in names() {
        let pid = name.strip_prefix("muster-").and_then(|rest| rest.split('-').next());
        if let Some(pid) = pid.filter(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(&format!("muster-{pid}-"));
        }
    }
}

fn names() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(NAMES).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
