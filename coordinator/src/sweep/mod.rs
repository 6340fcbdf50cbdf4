//! `coordinator sweep`: a plan with several numbers of users, one run after the other, and one table of them.

mod table;

pub use table::{GroupFigures, SizeRow, Sweep, render_json, render_markdown, render_text};

use crate::exit::ExitCode;
use crate::report::{Style, Styles};
use crate::results::quantity::count;
use crate::run::{Ended, Job, Teller, run_to_its_end, tell};
use crate::settings::{AfterFailure, SweepFormat};
use crate::terminal::say;
use plan::Plan;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Which runs to make, and what to do with their results.
#[derive(Clone, Debug)]
pub struct Course {
    /// Users at the peak of each run.
    pub sizes: Vec<u32>,
    /// The pause between two runs.
    pub rest: Duration,
    /// What happens after a size that does not pass.
    pub after_failure: AfterFailure,
    /// How the table is written.
    pub format: SweepFormat,
    /// Where to; none is standard output.
    pub out: Option<PathBuf>,
}

/// Runs `job` with each number of users of `course`, and tells the table. Each run has its own directory of reports, as if it
/// had been run alone; where that is, is said on standard error.
///
/// An item of `stop` stops the run that lasts, and then the sweep. So does what the next run would suffer too: agents that do
/// not come, or a fault of this machine; what was run until then is in the table.
///
/// # Errors
/// None; a fault of this machine is said, and in the table.
pub async fn sweep(mut job: Job, course: Course, mut stop: mpsc::Receiver<()>) -> anyhow::Result<ExitCode> {
    let plans = match plans(&job, &course.sizes) {
        Ok(plans) => plans,
        Err((code, problem)) => {
            say(&problem);
            return Ok(code);
        }
    };
    if let Err(problem) = try_out(course.out.as_deref()) {
        say(&problem);
        return Ok(ExitCode::Usage);
    }
    say(&announcement(&plans, &course));
    job.teller = Teller::Caller;
    let mut table = Sweep::new(&plans[0], &course.sizes, job.bundle.settings.seed);
    let mut codes = Vec::new();
    for (nth, &users) in course.sizes.iter().enumerate() {
        if nth > 0 && !rested(course.rest, &mut stop).await {
            codes.push(ExitCode::Interrupted);
            break;
        }
        say(&format!("{} users (run {} of {})", count(users.into()), nth + 1, course.sizes.len()));
        let mut sized = job.clone();
        sized.bundle.settings.users = Some(users);
        let row = &mut table.sizes[nth];
        let (ended, stopped) = run_one(sized, &mut stop).await;
        let Ended { code, report, listen } = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // What was measured before is worth its table.
                say(&format!("error: {error:#}"));
                row.fail(ExitCode::Internal, &format!("{error:#}"));
                codes.push(ExitCode::Internal);
                break;
            }
        };
        // Agents dial the port that they found.
        job.listen = listen;
        codes.push(code);
        row.take(code, report.as_ref(), &job.report_dir);
        say(&row.line());
        let ends = match code {
            ExitCode::Interrupted | ExitCode::Agents | ExitCode::Usage | ExitCode::Plan => true,
            _ => course.after_failure == AfterFailure::Stop && code != ExitCode::Passed,
        };
        if ends {
            break;
        }
        // A run that is over but for its teardown has its own verdict still; the sweep is stopped.
        if stopped && nth + 1 < course.sizes.len() {
            codes.push(ExitCode::Interrupted);
            break;
        }
    }
    let code = overall(&codes);
    table.end(code);
    let written = deliver(&table, &course, job.styles);
    Ok(code.with_report(written))
}

/// The plan in each size; all are looked at before anything runs.
fn plans(job: &Job, sizes: &[u32]) -> Result<Vec<Plan>, (ExitCode, String)> {
    let usage = |problem: String| (ExitCode::Usage, format!("error: {problem}"));
    let compile = |users: Option<u32>| {
        let mut bundle = job.bundle.clone();
        bundle.settings.users = users;
        bundle.check_settings().map_err(|error| usage(error.to_string()))?;
        bundle.compile().map_err(|problems| (ExitCode::Plan, problems.to_string().trim_end().to_owned()))
    };
    // A plan that needs `--users` does not compile without.
    if compile(None).is_ok_and(|plan| plan.arrivals.is_some()) {
        return Err(usage(
            "a sweep changes the number of users, and this plan has `arrivals`; choose a profile with `users`, or change \
             the rate of arrivals from run to run"
                .to_owned(),
        ));
    }
    let reached = |&users: &u32| {
        let plan = compile(Some(users))?;
        let (asked, most) = (plan.schedule.asked_users(), plan.schedule.max_users());
        if most < asked {
            return Err(usage(format!(
                "--users {users}: the run ends when {most} of them have started, which would tell nothing of {users}; make it \
                 longer (--duration), or start faster (--spawn-rate)"
            )));
        }
        Ok(plan)
    };
    sizes.iter().map(reached).collect()
}

/// Whether the table will find its place: better now than after the last run.
fn try_out(out: Option<&Path>) -> Result<(), String> {
    let Some(path) = out else { return Ok(()) };
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| format!("error: --out {}: {error}; choose another file", path.display()))
}

fn announcement(plans: &[Plan], course: &Course) -> String {
    let sizes: Vec<String> = course.sizes.iter().map(|&users| count(users.into())).collect();
    let rests = course.rest * (plans.len() as u32 - 1);
    let length = plans.iter().map(|plan| plan.schedule.end()).sum::<Duration>() + rests;
    format!(
        "sweep of {}: {} runs, with {} users; {} s of load and rest",
        plans[0].name,
        plans.len(),
        sizes.join(", "),
        count(length.as_secs())
    )
}

/// Waits; whether the sweep is to go on.
async fn rested(rest: Duration, stop: &mut mpsc::Receiver<()>) -> bool {
    if rest.is_zero() {
        return stop.try_recv().is_err();
    }
    say(&format!("{} s of rest", rest.as_secs_f64()));
    tokio::select! {
        () = sleep(rest) => true,
        Some(()) = stop.recv() => false,
    }
}

/// One run, which hears of the wishes to stop as if it were alone; and whether there was one.
async fn run_one(job: Job, stop: &mut mpsc::Receiver<()>) -> (anyhow::Result<Ended>, bool) {
    let (sender, wishes) = mpsc::channel(2);
    let mut running = pin!(run_to_its_end(job, wishes));
    let mut stopped = false;
    loop {
        tokio::select! {
            ended = &mut running => return (ended, stopped),
            Some(()) = stop.recv() => {
                stopped = true;
                let _ = sender.try_send(());
            }
        }
    }
}

/// What scripts get: a run that was interrupted or had no agents, one that failed, one without an answer, one whose report is
/// incomplete, in this order.
fn overall(codes: &[ExitCode]) -> ExitCode {
    use ExitCode::{Agents, Failed, Inconclusive, Internal, Interrupted, Plan, Usage};
    let order = [Interrupted, Usage, Plan, Agents, Failed, Inconclusive, Internal];
    order.into_iter().find(|code| codes.contains(code)).unwrap_or(ExitCode::Passed)
}

/// Whether the table found its place.
fn deliver(table: &Sweep, course: &Course, styles: Styles) -> bool {
    let style = if course.out.is_some() { Style::Plain } else { styles.output };
    let text = match course.format {
        SweepFormat::Text => render_text(table, style),
        SweepFormat::Markdown => render_markdown(table),
        SweepFormat::Json => render_json(table),
    };
    match &course.out {
        None => tell(&text),
        Some(path) => {
            if let Err(error) = std::fs::write(path, &text) {
                say(&format!("error: --out {}: {error}; choose another file", path.display()));
                tell(&text);
                return false;
            }
            say(&format!("table: {}", path.display()));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_run_says_how_a_sweep_ended() {
        use ExitCode::{Agents, Failed, Inconclusive, Internal, Interrupted, Passed};
        assert_eq!(overall(&[]), Passed);
        assert_eq!(overall(&[Passed, Passed]), Passed);
        assert_eq!(overall(&[Passed, Internal]), Internal);
        assert_eq!(overall(&[Inconclusive, Passed, Internal]), Inconclusive);
        assert_eq!(overall(&[Failed, Inconclusive]), Failed);
        assert_eq!(overall(&[Failed, Agents]), Agents);
        assert_eq!(overall(&[Failed, Passed, Interrupted]), Interrupted);
    }
}
