//! Bulk jobs: how many commands, how they behave, and how often they are tried.

use serde::Deserialize;
use std::ops::RangeInclusive;

/// What a job is opened with. Times are in milliseconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    /// Jobs of one run are told of together.
    pub(super) run: String,
    /// How many commands it is going to have.
    pub(super) commands: i64,
    #[serde(default)]
    pub(super) mix: Mix,
    /// How long each attempt takes.
    #[serde(default)]
    pub(super) delay_ms: i64,
    /// How often a command is tried at most.
    #[serde(default = "three")]
    pub(super) max_attempts: i64,
    /// From the first failure to the next attempt; twice as long after each further one.
    #[serde(default = "hundred")]
    pub(super) backoff_ms: i64,
    /// How long a worker may have a command before another one takes it.
    #[serde(default = "ten_thousand")]
    pub(super) lease_ms: i64,
}

fn three() -> i64 {
    3
}

fn hundred() -> i64 {
    100
}

fn ten_thousand() -> i64 {
    10_000
}

/// Shares of commands in percent, 100 together.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mix {
    pub(super) success: i64,
    pub(super) transient: i64,
    pub(super) permanent: i64,
}

impl Default for Mix {
    fn default() -> Mix {
        Mix { success: 100, transient: 0, permanent: 0 }
    }
}

/// Most commands of a job.
const COMMANDS: i64 = 100_000;
/// Longest name of a run in bytes.
const NAME: usize = 100;

impl Job {
    /// What cannot be, and what to send instead.
    pub(super) fn check(&self) -> Result<(), String> {
        let Mix { success, transient, permanent } = self.mix;
        let in_range = |name: &str, value: i64, range: RangeInclusive<i64>| {
            let (first, last) = (range.start(), range.end());
            if range.contains(&value) {
                return Ok(());
            }
            Err(format!("{name} is {value}; send a number from {first} to {last}"))
        };
        in_range("commands", self.commands, 1..=COMMANDS)?;
        in_range("mix.success", success, 0..=100)?;
        in_range("mix.transient", transient, 0..=100)?;
        in_range("mix.permanent", permanent, 0..=100)?;
        in_range("delay_ms", self.delay_ms, 0..=60_000)?;
        in_range("max_attempts", self.max_attempts, 1..=20)?;
        in_range("backoff_ms", self.backoff_ms, 0..=60_000)?;
        in_range("lease_ms", self.lease_ms, 100..=600_000)?;
        if success + transient + permanent != 100 {
            return Err(format!(
                "mix is {success} + {transient} + {permanent}; send percentages that are 100 together"
            ));
        }
        if self.lease_ms <= self.delay_ms {
            return Err(format!(
                "lease_ms is {}, and an attempt takes {} ms; send a longer lease, or no command is ever done in time",
                self.lease_ms, self.delay_ms
            ));
        }
        if self.run.is_empty() || self.run.len() > NAME {
            let length = self.run.len();
            return Err(format!("run is {length} bytes long; send a name of 1 to {NAME} bytes"));
        }
        Ok(())
    }
}

/// What becomes of a command's attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// The first attempt succeeds.
    Success,
    /// The first attempt fails, the next one succeeds.
    Transient,
    /// Every attempt fails.
    Permanent,
}

impl Behaviour {
    /// Its name in the database.
    pub(super) fn name(self) -> &'static str {
        match self {
            Behaviour::Success => "success",
            Behaviour::Transient => "transient",
            Behaviour::Permanent => "permanent",
        }
    }

    /// The one of that name.
    pub(super) fn named(name: &str) -> Option<Behaviour> {
        [Behaviour::Success, Behaviour::Transient, Behaviour::Permanent]
            .into_iter()
            .find(|b| b.name() == name)
    }

    /// Why an attempt fails that comes after so many failures; `None` if it succeeds.
    pub(super) fn failure(self, failures: i64) -> Option<&'static str> {
        match self {
            Behaviour::Success => None,
            Behaviour::Transient => (failures == 0).then_some("what it needs is not there for a moment"),
            Behaviour::Permanent => Some("what it asks for can never be done"),
        }
    }
}

impl Mix {
    /// How command `number` of a job behaves, counted from 0. No randomness: of the first n commands so many are of each
    /// kind as their shares say, to the nearest whole number, and they are spread evenly.
    pub(super) fn behaviour(self, number: i64) -> Behaviour {
        let failing_share = self.transient + self.permanent;
        let failing = |commands: i64| (commands * failing_share + 50) / 100;
        if failing(number) == failing(number + 1) {
            return Behaviour::Success;
        }
        let permanent = |failing: i64| (2 * failing * self.permanent + failing_share) / (2 * failing_share);
        let before = failing(number);
        if permanent(before) == permanent(before + 1) { Behaviour::Transient } else { Behaviour::Permanent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_mix_is_kept_by_any_number_of_commands(transient in 0..=100_i64, permanent in 0..=100_i64, commands in 0..=2000_i64) {
            prop_assume!(transient + permanent <= 100);
            let mix = Mix { success: 100 - transient - permanent, transient, permanent };
            let count = |behaviour| -> i64 { (0..commands).map(|n| i64::from(mix.behaviour(n) == behaviour)).sum() };
            for (behaviour, share) in [
                (Behaviour::Success, mix.success),
                (Behaviour::Transient, transient),
                (Behaviour::Permanent, permanent),
            ] {
                // Twice rounded, so at most one off; exact where the shares are whole commands.
                let off = count(behaviour) * 100 - commands * share;
                prop_assert!(off.abs() <= 100, "{behaviour:?}: {off} hundredths off");
                prop_assert!(commands % 100 != 0 || off == 0, "{behaviour:?}: {off} hundredths off");
            }
        }
    }

    #[test]
    fn failing_commands_are_spread() {
        let mix = Mix { success: 80, transient: 10, permanent: 10 };
        let first: Vec<_> = (0..20).filter(|&n| mix.behaviour(n) != Behaviour::Success).collect();
        assert_eq!(first, [2, 7, 12, 17]);
    }

    #[test]
    fn a_transient_failure_is_one_failure() {
        let failing = |behaviour: Behaviour| [0, 1, 2].map(|failures| behaviour.failure(failures).is_some());
        assert_eq!(failing(Behaviour::Success), [false, false, false]);
        assert_eq!(failing(Behaviour::Transient), [true, false, false]);
        assert_eq!(failing(Behaviour::Permanent), [true, true, true]);
    }
}
