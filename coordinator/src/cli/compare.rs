//! `coordinator compare` and `coordinator history` as they were typed.

use clap::Args;
use std::path::PathBuf;

/// Which runs to compare.
#[derive(Clone, Debug, Default, Args)]
pub struct CompareArgs {
    /// The earlier run: a `report.json`, a run's directory, a run's name in --report-dir, `last`, or `last~1` for the one before it
    pub base: String,
    /// The run to judge, named likewise
    pub current: String,
    /// `text`, `json` or `markdown` [default: text] [env: LOAD_TEST_COMPARE_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// The file to write [default: standard output] [env: LOAD_TEST_COMPARE_OUT]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Where runs are looked for [default: reports] [env: LOAD_TEST_REPORT_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub report_dir: Option<PathBuf>,
    /// The smallest shift of p50 or p95 that counts, of the base's [default: 5%] [env: LOAD_TEST_COMPARE_MIN_SHIFT]
    #[arg(long, value_name = "PERCENT")]
    pub min_shift: Option<String>,
    /// The smallest change of the share of failed requests that counts, in percentage points [default: 0.1%]
    /// [env: LOAD_TEST_COMPARE_MIN_FAILURE_CHANGE]
    #[arg(long, value_name = "PERCENT")]
    pub min_failure_change: Option<String>,
    /// How often the comparison of two equal runs may find a change [default: 1%] [env: LOAD_TEST_COMPARE_FALSE_ALARM]
    #[arg(long, value_name = "PERCENT")]
    pub false_alarm: Option<String>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, Args)]
pub struct HistoryArgs {
    /// Most runs to show [default: 20] [env: LOAD_TEST_HISTORY_LIMIT]
    #[arg(long, value_name = "N")]
    pub limit: Option<String>,
    /// Only runs of the plan of this name [env: LOAD_TEST_HISTORY_PLAN]
    #[arg(long, value_name = "NAME")]
    pub plan: Option<String>,
    /// `text` or `json` [default: text] [env: LOAD_TEST_HISTORY_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// Where the runs are [default: reports] [env: LOAD_TEST_REPORT_DIR]
    #[arg(long, value_name = "DIRECTORY")]
    pub report_dir: Option<PathBuf>,
}
