//! `coordinator sweep` as it was typed.

use super::RunArgs;
use clap::Args;
use std::path::PathBuf;

/// How to run a plan with several numbers of users, one after the other.
#[derive(Clone, Debug, Default, Args)]
pub struct SweepArgs {
    /// How to run the plan; its `--users` is a list here.
    #[command(flatten)]
    pub run: RunArgs,
    /// How long the system rests between two runs [default: 5s] [env: LOAD_TEST_REST]
    #[arg(long, value_name = "DURATION")]
    pub rest: Option<String>,
    /// Leave out the sizes after the first that does not pass [env: LOAD_TEST_FAIL_FAST]
    #[arg(long)]
    pub fail_fast: bool,
    /// How the table is written: `text`, `json` or `markdown` [default: text] [env: LOAD_TEST_SWEEP_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The file to write it to [default: standard output] [env: LOAD_TEST_SWEEP_OUT]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What `--users` of a sweep is; that of a run is one number.
pub(super) fn sizes(users: clap::Arg) -> clap::Arg {
    users.value_name("N,N,...").help(
        "Users at the peak of each run, in this order [default: 100,250,500,1000] [env: LOAD_TEST_USERS]",
    )
}
