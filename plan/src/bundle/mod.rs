//! A plan as it travels from the coordinator to the agents: the text and every setting that changes what it
//! means.

mod encoding;
mod files;
mod meaning;
#[cfg(test)]
mod tests;

pub use files::Files;

use crate::Plan;
use crate::Secrets;
use crate::diagnostic::Diagnostics;
use crate::tags::TagFilter;
use metrics::unit::Rate;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The plan's text and the settings of this run. Two equal bundles compile to the same plan everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The file's name as the user gave it, for diagnostics.
    pub file: String,
    /// The YAML text.
    pub source: String,
    /// What the command line, the environment and files add.
    pub settings: Settings,
}

/// What the command line, the environment and files add to a plan. `None` leaves the plan's own value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `--profile`
    pub profile: Option<String>,
    /// `--target`
    pub target: Option<String>,
    /// `--users`
    pub users: Option<u32>,
    /// `--spawn-rate`
    pub spawn_rate: Option<Rate>,
    /// `--duration`
    pub duration: Option<Duration>,
    /// `--iterations`
    pub iterations: Option<u32>,
    /// `--warmup`
    pub warmup: Option<Duration>,
    /// `--set NAME=VALUE`: values for the plan's `params`, as they were typed.
    pub params: BTreeMap<String, String>,
    /// `--include-tags` and `--exclude-tags`
    pub tags: TagFilter,
    /// `--seed`, or drawn once by the coordinator.
    pub seed: u64,
    /// Environment variables that the plan may read as `env.NAME`.
    pub env: BTreeMap<String, String>,
    /// What the plan may read as `secret.NAME`.
    pub secrets: Secrets,
    /// The files that the plan names.
    pub files: Files,
}

/// Why bytes were refused as a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a plan bundle: {0}")]
pub struct BundleError(pub String);

/// A setting that names something that the plan does not have, or gives it a value that it does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag}: {problem}; {remedy}")]
pub struct SettingError {
    /// The flag: `--set`, `--profile`, `--include-tags` or `--exclude-tags`.
    pub flag: &'static str,
    /// What is wrong, the name included.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Bundle {
    /// Largest accepted encoding in bytes: text and settings, and the files.
    pub const MAX_BYTES: usize = Bundle::MAX_HEAD_BYTES + 1 + Files::MAX_BYTES;
    /// Largest accepted encoding of text and settings in bytes.
    const MAX_HEAD_BYTES: usize = 4 << 20;

    /// Compiles to the validated plan, or says everything that is wrong.
    pub fn compile(&self) -> Result<Plan, Diagnostics> {
        crate::read::compile(self)
    }

    /// Whether the plan has what the settings name in it: parameters, whose values it takes, the profile and the
    /// tags, of which some task is left. A text that is no plan at all passes: [`compile`](Bundle::compile) says
    /// what is wrong with it.
    pub fn check_settings(&self) -> Result<(), SettingError> {
        crate::read::check_settings(self)
    }

    /// The files that the plan names, as it calls them: what [`Settings::files`] has to hold before it is
    /// compiled.
    pub fn file_names(&self) -> BTreeSet<String> {
        crate::read::file_names(self)
    }

    /// Keeps only the environment variables and the secrets that the plan reads, so that nothing else leaves this machine.
    pub fn retain_env(&mut self, plan: &Plan) {
        self.settings.env.retain(|name, _| plan.env_used.contains(name));
        self.settings.secrets = plan.params.secrets().clone();
    }

    /// The canonical encoding: equal bundles give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::to_bytes(self)
    }

    /// Reads the canonical encoding back. Total: any bytes give a bundle or an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<Bundle, BundleError> {
        encoding::from_bytes(bytes)
    }
}

/// SHA-256 of `bytes` (a bundle's canonical encoding), in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    let digit =
        |nibble: u8| char::from_digit(u32::from(nibble), 16).expect("a nibble is a hexadecimal digit");
    digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Plan {
    /// Digest of what the plan means to this build: classes, weights, series, schedule. Two builds that
    /// understand a bundle differently give different digests.
    pub fn meaning_sha256(&self) -> String {
        sha256_hex(meaning::describe(self).as_bytes())
    }
}
