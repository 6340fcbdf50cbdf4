//! `coordinator report` and `coordinator schema` as they were typed.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which report to make again.
#[derive(Clone, Debug, Default, Args)]
pub struct ReportArgs {
    /// The `report.json` of a run, or the run's directory
    pub file: PathBuf,
    /// Where the files go [default: beside FILE] [env: LOAD_TEST_REPORT_OUT]
    #[arg(long, value_name = "DIRECTORY")]
    pub out: Option<PathBuf>,
    /// What to make, with commas between them: json, html, junit, summary, csv, hlog [default: all; json only where --out
    /// is another directory] [env: LOAD_TEST_REPORT_FORMAT]
    #[arg(long, value_name = "LIST")]
    pub format: Option<String>,
    /// Tell GitHub Actions, as a run does: step summary, annotations, outputs [env: LOAD_TEST_REPORT_GITHUB]
    #[arg(long)]
    pub github: bool,
}

/// Which schema to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Of plans.
    #[default]
    Plan,
    /// Of `report.json`.
    Report,
}
