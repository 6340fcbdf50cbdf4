//! Exit codes: what scripts and pipelines get.

use crate::results::{GaveUp, Record, Verdict, WhyGivenUp};

/// Why the process ends. The numbers are a contract; see `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Every threshold was met; also when some only warned.
    Passed = 0,
    /// A fault of Muster or of this machine: a file that cannot be written, a port that is taken.
    Internal = 1,
    /// A flag or an environment variable is wrong.
    Usage = 2,
    /// The plan or its data is wrong.
    Plan = 3,
    /// Agents did not come, or were lost beyond what is allowed.
    Agents = 4,
    /// There is no answer: setup failed, no data, too much lost, or a generator that was itself the bottleneck.
    Inconclusive = 98,
    /// A threshold was missed.
    Failed = 99,
    /// The run was interrupted from outside.
    Interrupted = 130,
}

impl ExitCode {
    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// How a run's record is told to scripts. An interruption comes first, because whoever interrupted knows
    /// that no other answer is worth having. Missing agents come second, unless the thresholds were missed
    /// whatever the lost agents would have measured.
    pub fn of(record: &Record) -> ExitCode {
        let agents = &record.facts.agents;
        let agent_lost = |gave_up: &GaveUp| matches!(gave_up.why, WhyGivenUp::AgentLost(_));
        let nobody_left =
            !agents.is_empty() && agents.iter().all(|agent| agent.lost.is_some() || agent.left.is_some());
        match record.verdict {
            _ if record.facts.interrupted.is_some() => ExitCode::Interrupted,
            _ if record.facts.setup_failed() => ExitCode::Inconclusive,
            _ if record.facts.not_started.is_some() => ExitCode::Agents,
            Verdict::Fail => ExitCode::Failed,
            Verdict::Inconclusive if nobody_left || record.facts.gave_up.as_ref().is_some_and(agent_lost) => {
                ExitCode::Agents
            }
            Verdict::Inconclusive => ExitCode::Inconclusive,
            Verdict::Pass | Verdict::Warn => ExitCode::Passed,
        }
    }
}

impl ExitCode {
    /// The same after a comparison with a baseline, which may make a run that passed fail (or leave it without an answer), and
    /// nothing else: `told` is the exit code of the report.
    #[must_use]
    pub fn after_comparison(self, told: u8) -> ExitCode {
        match self {
            ExitCode::Passed if told == ExitCode::Failed.number() => ExitCode::Failed,
            ExitCode::Passed if told == ExitCode::Inconclusive.number() => ExitCode::Inconclusive,
            other => other,
        }
    }

    /// The same, if all files of the report were written. A run that passed is not told as passed if they were not;
    /// what is worse than that stays.
    #[must_use]
    pub fn with_report(self, complete: bool) -> ExitCode {
        if self == ExitCode::Passed && !complete { ExitCode::Internal } else { self }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.number())
    }
}
