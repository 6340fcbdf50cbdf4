//! What the next request of an endpoint meets.

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::law::Law;
use crate::quantity::Share;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An endpoint's law and failures, with its own generators: what one endpoint draws depends on the seed and
/// on how many requests it has seen, and on nothing that happens elsewhere.
pub(crate) struct Behaviour {
    latency: Law,
    failures: Share,
    generators: Mutex<Generators>,
}

/// Two, so that failures do not shift the sequence of delays.
struct Generators {
    delays: Xoshiro256PlusPlus,
    failures: Xoshiro256PlusPlus,
}

/// What one request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// From its arrival to its answer.
    pub(crate) delay: Duration,
    /// Whether it is one of those that fail.
    pub(crate) fails: bool,
}

impl Behaviour {
    pub(crate) fn new(endpoint: &Endpoint, config: &Config) -> Behaviour {
        let mut delays = Xoshiro256PlusPlus::seed_from_u64(config.seed ^ fnv1a(endpoint.name));
        let failures = delays.clone();
        delays.jump();
        Behaviour {
            latency: config.latency_of(endpoint),
            failures: config.failure_of(endpoint),
            generators: Mutex::new(Generators { delays, failures }),
        }
    }

    /// The fate of the next request.
    pub(crate) fn draw(&self) -> Fate {
        let mut generators = self.generators.lock().unwrap_or_else(PoisonError::into_inner);
        let delay = self.latency.draw(&mut generators.delays);
        Fate { delay, fails: self.failures.contains(generators.failures.random()) }
    }
}

/// FNV-1a, 64 bit (Fowler, Noll, Vo): a fixed number for a name, whatever else there is.
fn fnv1a(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint;

    fn fates(config: &Config, name: &str) -> Vec<Fate> {
        let endpoint = endpoint::all().find(|e| e.name == name).unwrap();
        let behaviour = Behaviour::new(endpoint, config);
        (0..1000).map(|_| behaviour.draw()).collect()
    }

    #[test]
    fn the_seed_fixes_every_delay() {
        let config = Config::default();
        let delays = |config: &Config, name| -> Vec<_> {
            fates(config, name).into_iter().map(|fate| fate.delay).collect()
        };
        let login = delays(&config, "auth/login");
        assert_eq!(login, delays(&config, "auth/login"));
        assert_ne!(login, delays(&config.clone().seed(1), "auth/login"));
        assert_ne!(login[0], delays(&config, "auth/register")[0]);
        let failing = config.fail("*", "50%".parse().unwrap()).unwrap();
        assert_eq!(login, delays(&failing, "auth/login"));
    }

    #[test]
    fn the_share_that_fails_is_kept() {
        let check = |share: &str, expected: std::ops::RangeInclusive<usize>| {
            let config = Config::default().fail("payments/create", share.parse().unwrap()).unwrap();
            let failed = fates(&config, "payments/create").iter().filter(|fate| fate.fails).count();
            assert!(expected.contains(&failed), "{share}: {failed} of 1000");
            assert!(fates(&config, "payments/list").iter().all(|fate| !fate.fails));
        };
        check("0%", 0..=0);
        check("10%", 70..=130);
        check("100%", 1000..=1000);
    }
}
