//! What a run was started with: all that a coordinator needs to go on with it.

use crate::clock::Origin;
use crate::compare::{Baseline, Limits, OnRegression};
use crate::fleet::{OnAgentJoin, OnAgentLoss};
use crate::history::RunName;
use crate::run::absolute;
use crate::settings::BaselineConfig;
use plan::sha256_hex;
use plan::{Bundle, Files, Secrets};
use proto::message::PlanDigests;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What a run was started with. What may be secret is left out: values of secrets and of environment variables, and what
/// stands in data files. These have to be the same again when the run goes on, which the plan's digest tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The run.
    pub run: String,
    /// Version of the program.
    pub build: String,
    /// Where its clock began.
    pub origin: Origin,
    /// What every agent made of the plan: of the whole bundle.
    pub digests: Digests,
    /// The folder from which the plan's files were read.
    pub folder: PathBuf,
    /// Names of the environment variables that the plan reads and that were set.
    pub env: Vec<String>,
    /// Names of its secrets.
    pub secrets: Vec<String>,
    /// Its files.
    pub files: Vec<FileMark>,
    /// Agents that were waited for; 0 embedded one.
    pub expect_agents: u32,
    /// How long.
    pub agents_timeout: Duration,
    /// What to do when one of them is lost.
    pub on_agent_loss: OnAgentLoss,
    /// What to do with those that come when the run has begun.
    pub on_agent_join: OnAgentJoin,
    /// Where agents attach; the port is the one that was bound.
    pub listen: SocketAddr,
    /// What protects that port.
    pub door: DoorFlags,
    /// What the run is compared with at its end.
    #[serde(default)]
    pub baseline: Option<BaselineMark>,
    /// Plan and settings in their canonical encoding, without what is left out.
    #[serde(skip)]
    pub bundle: Vec<u8>,
}

/// As [`PlanDigests`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// SHA-256 of the whole bundle.
    pub bundle_sha256: String,
    /// Of what it means.
    pub meaning_sha256: String,
}

/// By what a file is known again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// As the plan calls it.
    pub name: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// The flags that protect the port for agents, as far as they hold no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorFlags {
    /// `--tls`, or what asks for it.
    pub tls: bool,
    /// `--insecure`
    pub insecure: bool,
    /// `--tls-cert`
    pub tls_cert: Option<PathBuf>,
    /// `--tls-key`
    pub tls_key: Option<PathBuf>,
    /// `--tls-ca`
    pub tls_ca: Option<PathBuf>,
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--join-file`
    pub join_file: Option<PathBuf>,
}

/// What a run is compared with at its end: where it was found, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineMark {
    /// The report.
    pub path: PathBuf,
    /// `--fail-on-regression`
    pub fails: bool,
    /// False alarms, smallest shift, smallest change of failures, as [`Limits`] has them.
    pub limits: [f64; 3],
}

impl BaselineMark {
    /// Of a baseline that was read.
    pub fn new(baseline: &Baseline) -> BaselineMark {
        let Limits { false_alarm, min_shift, min_failure_change } = baseline.limits;
        BaselineMark {
            path: absolute(&baseline.path),
            fails: baseline.on_regression == OnRegression::Fail,
            limits: [false_alarm, min_shift, min_failure_change],
        }
    }

    /// What was asked for.
    pub fn config(&self) -> BaselineConfig {
        let [false_alarm, min_shift, min_failure_change] = self.limits;
        BaselineConfig {
            source_name: "--baseline",
            name: RunName::Named(self.path.clone()),
            on_regression: if self.fails { OnRegression::Fail } else { OnRegression::Warn },
            limits: Limits { false_alarm, min_shift, min_failure_change },
        }
    }
}

impl Head {
    /// As JSON, without the bundle.
    ///
    /// # Errors
    /// When a path in it is not text.
    pub fn to_json(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    /// Reads what [`to_json`](Head::to_json) made.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(json: &[u8], bundle: Vec<u8>) -> Result<Head, String> {
        let head: Head = serde_json::from_slice(json)
            .map_err(|error| format!("what the run was started with: {error}"))?;
        Ok(Head { bundle, ..head })
    }

    /// The digests as agents know them.
    pub fn plan_digests(&self) -> PlanDigests {
        PlanDigests {
            bundle_sha256: self.digests.bundle_sha256.clone(),
            meaning_sha256: self.digests.meaning_sha256.clone(),
        }
    }
}

/// `bundle` without what may be secret, in its canonical encoding, and what is known of what was left out: names of
/// variables, names of secrets, files.
pub fn without_secrets(bundle: &Bundle) -> (Vec<u8>, Vec<String>, Vec<String>, Vec<FileMark>) {
    let settings = &bundle.settings;
    let env = settings.env.keys().cloned().collect();
    let secrets = settings.secrets.names().map(str::to_owned).collect();
    let mark =
        |(name, content): (&str, &[u8])| FileMark { name: name.to_owned(), sha256: sha256_hex(content) };
    let files = settings.files.contents().map(mark).collect();
    let mut public =
        Bundle { settings: plan::Settings { files: Files::default(), ..settings.clone() }, ..bundle.clone() };
    public.settings.env.clear();
    public.settings.secrets = Secrets::default();
    (public.to_bytes(), env, secrets, files)
}
