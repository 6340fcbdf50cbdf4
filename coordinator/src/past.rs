//! `coordinator compare` and `coordinator history`: what was run before, and the baseline of what is about to run.

use crate::compare::{Baseline, compare, exit_code, render_markdown, render_text};
use crate::exit::ExitCode;
use crate::history::{find_baseline, find_run, render_json, scan};
use crate::report::{Report, Style, read_report};
use crate::run::tell;
use crate::settings::{BaselineConfig, CompareConfig, CompareFormat, HistoryConfig, HistoryFormat};
use crate::terminal::say;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Compares two runs, and says how in the exit code.
pub fn compare_runs(config: &CompareConfig, style: Style) -> ExitCode {
    let read = |which: &str, name| {
        let path = find_run(name, &config.report_dir).map_err(|error| format!("{which}: {error}"))?;
        read_report(&path).map_err(|error| format!("{which}: {error}"))
    };
    let compared = read("BASE", &config.base).and_then(|base| {
        let current = read("CURRENT", &config.current)?;
        compare(&base, &current, config.limits).map_err(|error| error.to_string())
    });
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(problem) => {
            say(&format!("error: {problem}"));
            return ExitCode::Plan;
        }
    };
    let style = if config.out.is_some() { Style::Plain } else { style };
    let text = match config.format {
        CompareFormat::Text => render_text(&comparison, style),
        CompareFormat::Markdown => render_markdown(&comparison),
        CompareFormat::Json => {
            let text = serde_json::to_string_pretty(&comparison).expect("plain text and numbers");
            format!("{text}\n")
        }
    };
    match &config.out {
        None => tell(&text),
        Some(path) => {
            if let Err(error) = std::fs::write(path, text) {
                say(&format!("error: --out {}: {error}; choose another file", path.display()));
                return ExitCode::Internal;
            }
        }
    }
    exit_code(&comparison)
}

/// Lists runs; what is damaged is said on standard error, and keeps no other from being listed.
pub fn history(config: &HistoryConfig, style: Style) -> ExitCode {
    let mut history = match scan(&config.report_dir) {
        Ok(history) => history,
        Err(problem) => {
            say(&format!("error: --report-dir: {problem}"));
            return ExitCode::Usage;
        }
    };
    if let Some(plan) = &config.plan {
        history.runs.retain(|entry| entry.name == *plan);
    }
    for damaged in &history.damaged {
        say(&format!("warning: run {} is damaged: {}", damaged.id, damaged.problem));
    }
    if let Some(problem) = &history.index_problem {
        say(&format!("warning: the index of {} is not kept: {problem}", config.report_dir.display()));
    }
    tell(&match config.format {
        HistoryFormat::Text => crate::history::render_text(&history, &config.report_dir, config.limit, style),
        HistoryFormat::Json => render_json(&history, config.limit),
    });
    ExitCode::Passed
}

/// Reads the baseline of a run of `plan` before that begins, so that nobody learns after an hour that it cannot be compared.
/// What should be known about it comes with it, a line each.
///
/// # Errors
/// When there is no such run, its report cannot be read, or it has nothing in common with the plan; in words.
pub fn read_baseline(
    config: &BaselineConfig,
    report_dir: &Path,
    plan: &plan::Plan,
    plan_sha256: &str,
) -> Result<(Baseline, Vec<String>), String> {
    let flag = config.source_name;
    let path =
        find_baseline(&config.name, report_dir, &plan.name).map_err(|error| format!("{flag}: {error}"))?;
    let report = read_report(&path).map_err(|error| format!("{flag}: {error}"))?;
    let remarks = fits(&report, plan, plan_sha256)
        .map_err(|problem| format!("{flag}: {}: {problem}", path.display()))?;
    let line = |remark: String| format!("baseline {}: {remark}", report.run.id);
    let remarks = remarks.into_iter().map(line).collect();
    let baseline = Baseline {
        path,
        report: Arc::new(report),
        on_regression: config.on_regression,
        limits: config.limits,
    };
    Ok((baseline, remarks))
}

/// Whether a run of `plan` can be compared with `report`, and what makes it doubtful.
fn fits(report: &Report, plan: &plan::Plan, plan_sha256: &str) -> Result<Vec<String>, String> {
    let run = &report.run;
    if run.name != plan.name {
        return Err(format!(
            "it is a run of the plan `{}`, and this is `{}`; name a run of this plan (`coordinator history --plan NAME` lists \
             them), or compare afterwards with `coordinator compare`",
            crate::report::escape(&run.name),
            crate::report::escape(&plan.name)
        ));
    }
    let series: BTreeSet<String> = plan
        .series
        .iter()
        .map(|series| {
            let class = &plan.classes[series.class.0 as usize].name;
            format!("{class}/{}/{}", series.task, series.name)
        })
        .collect();
    let measured = || report.requests.iter().filter(|row| row.totals.requests > 0);
    if measured().next().is_none() {
        return Err("no request was measured in it; name a run that has some".to_owned());
    }
    if !measured().any(|row| series.contains(&row.path())) {
        return Err(format!(
            "none of its {} requests is one of the plan's: the plan was changed since; run once without a baseline to get a new \
             one",
            report.requests.len()
        ));
    }
    let mut remarks = Vec::new();
    if run.plan_sha256 != plan_sha256 {
        remarks.push("the plan was changed since: only requests that both have are compared".to_owned());
    }
    if run.profile != plan.profile {
        let name = |profile: &Option<String>| profile.clone().unwrap_or_else(|| "none".to_owned());
        remarks.push(format!(
            "its profile is {}, and this run's is {}",
            name(&run.profile),
            name(&plan.profile)
        ));
    }
    let measured = run.duration_s - run.warmup_s;
    let planned = plan.schedule.end().saturating_sub(plan.warmup).as_secs_f64();
    if plan.iterations.is_none() && (measured > planned * 1.05 || planned > measured * 1.05) {
        remarks.push(format!("it measured {measured:.1} s, and this run is to measure {planned:.1} s"));
    }
    let users = report.timeline.iter().map(|row| row.target_users).max().unwrap_or(0);
    if users != plan.schedule.max_users() {
        remarks.push(format!("it had {users} users, and this run is to have {}", plan.schedule.max_users()));
    }
    if report.verdict == "inconclusive" {
        remarks.push("it is inconclusive".to_owned());
    }
    Ok(remarks)
}
