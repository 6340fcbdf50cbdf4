//! Whether the parts of a report can belong together.

use crate::exit::ExitCode;
use crate::report::model::{IntervalsPart, Report, Totals};

/// Two figures that cannot both be right.
pub(super) struct Contradiction {
    /// The key of one of them.
    pub(super) key: String,
    pub(super) problem: String,
}

fn wrong(key: impl Into<String>, problem: impl Into<String>) -> Contradiction {
    Contradiction { key: key.into(), problem: problem.into() }
}

/// The first contradiction in `report`.
pub(super) fn check(report: &Report) -> Result<(), Contradiction> {
    verdict(report)?;
    instants(report)?;
    totals(report)?;
    timeline(report)?;
    cost(report)?;
    report.intervals.as_ref().map_or(Ok(()), |intervals| self::intervals(report, intervals))
}

/// Verdict, exit code and thresholds.
fn verdict(report: &Report) -> Result<(), Contradiction> {
    let fits = |code: ExitCode| report.exit_code == code.number();
    let possible = fits(ExitCode::Interrupted)
        || match report.verdict {
            "pass" | "warn" => fits(ExitCode::Passed),
            "fail" => fits(ExitCode::Failed),
            _ => fits(ExitCode::Inconclusive) || fits(ExitCode::Agents),
        };
    // A run that did not start, or whose agents were all lost, may say so whatever its verdict.
    if !possible && !fits(ExitCode::Agents) {
        let problem = format!(
            "no run with the verdict `{}` ends with the exit code {}",
            report.verdict, report.exit_code
        );
        return Err(wrong("exit_code", problem));
    }
    let missed = report.thresholds.iter().position(|row| row.status == "fail");
    if let Some(at) = missed.filter(|_| report.verdict == "pass") {
        let problem = "the verdict is `pass`, but this threshold was missed";
        return Err(wrong(format!("thresholds[{at}].status"), problem));
    }
    Ok(())
}

/// Times that later ones are counted from.
fn instants(report: &Report) -> Result<(), Contradiction> {
    let run = &report.run;
    let check = |key: String, text: &str| {
        if text.parse::<jiff::Timestamp>().is_ok() {
            return Ok(());
        }
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        Err(wrong(key, format!("`{shown}` is no time such as `2026-11-21T08:00:00Z`")))
    };
    check("run.started_at".to_owned(), &run.started_at)?;
    check("run.ended_at".to_owned(), &run.ended_at)?;
    for (row, at) in report.errors.iter().zip(0..) {
        check(format!("errors[{at}].first_at"), &row.first_at)?;
        check(format!("errors[{at}].last_at"), &row.last_at)?;
    }
    if !(0.0..=1e9).contains(&run.duration_s) {
        return Err(wrong("run.duration_s", format!("{} is no length of a run in seconds", run.duration_s)));
    }
    if !(0.0..=run.duration_s).contains(&run.warmup_s) {
        let problem = format!("{} s are not within the run's {} s", run.warmup_s, run.duration_s);
        return Err(wrong("run.warmup_s", problem));
    }
    Ok(())
}

/// Figures of a row fit together, and requests add up to the totals.
fn totals(report: &Report) -> Result<(), Contradiction> {
    row("totals", &report.totals)?;
    for (group, at) in report.groups.iter().zip(0..) {
        row(&format!("groups[{at}]"), &group.totals)?;
    }
    for (class, at) in report.user_classes.iter().zip(0..) {
        row(&format!("user_classes[{at}]"), &class.totals)?;
    }
    for (request, at) in report.requests.iter().zip(0..) {
        row(&format!("requests[{at}]"), &request.totals)?;
    }
    let counted = || report.requests.iter().filter(|row| row.is_request());
    let by_class = match report.user_classes.as_slice() {
        // An older version wrote the report.
        [] => report.totals.requests,
        rows => rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.totals.requests)),
    };
    let requests = counted().fold(0, |sum: u64, row| sum.saturating_add(row.totals.requests));
    let failures = counted().fold(0, |sum: u64, row| sum.saturating_add(row.totals.failures));
    for (key, told, sum) in [
        ("totals.requests", report.totals.requests, requests),
        ("totals.failures", report.totals.failures, failures),
    ] {
        if told != sum {
            return Err(wrong(key, format!("{told} is not the sum of all `requests`, {sum}")));
        }
    }
    if by_class != report.totals.requests {
        let problem =
            format!("they add up to {by_class} requests, not to the {} of `totals`", report.totals.requests);
        return Err(wrong("user_classes", problem));
    }
    let known = |name: &String| report.groups.iter().any(|group| group.name == *name);
    let lost = report.requests.iter().position(|row| row.group.as_ref().is_some_and(|name| !known(name)));
    match lost {
        Some(at) => Err(wrong(format!("requests[{at}].group"), "no row of `groups` has that name")),
        None => Ok(()),
    }
}

/// Whether the figures of a row can belong together.
fn row(key: &str, totals: &Totals) -> Result<(), Contradiction> {
    let (requests, failures) = (totals.requests, totals.failures);
    if failures > requests {
        let problem = format!("{failures} are more than the {requests} of `requests`");
        return Err(wrong(format!("{key}.failures"), problem));
    }
    if let Some(share) = totals.success_rate.filter(|share| !(0.0..=1.0).contains(share)) {
        return Err(wrong(format!("{key}.success_rate"), format!("{share} is no fraction from 0 to 1")));
    }
    match &totals.latency_hdr {
        Some(histogram) if histogram.samples() != requests => {
            let problem = format!("{requests} is not how many `latency_hdr` holds, {}", histogram.samples());
            Err(wrong(format!("{key}.requests"), problem))
        }
        _ => Ok(()),
    }
}

/// What the run cost is what its price, time and requests make.
fn cost(report: &Report) -> Result<(), Contradiction> {
    let Some(cost) = &report.cost else { return Ok(()) };
    let Some(again) = cost.again() else {
        let problem = "no cost is made of this currency, price and time";
        return Err(wrong("cost.agent_hour", problem));
    };
    let requests = report.totals.requests.saturating_add(report.run.warmup_requests);
    for (key, differs) in [
        ("cost.requests", cost.requests != requests),
        ("cost.total", cost.total != again.total),
        ("cost.per_million_requests", cost.per_million_requests != again.per_million_requests),
    ] {
        if differs {
            return Err(wrong(key, "it is not what the figures that it is made of give"));
        }
    }
    Ok(())
}

/// In order of time.
fn timeline(report: &Report) -> Result<(), Contradiction> {
    match report.timeline.windows(2).position(|pair| pair[0].t_s >= pair[1].t_s) {
        Some(at) => {
            let (earlier, later) = (report.timeline[at].t_s, report.timeline[at + 1].t_s);
            Err(wrong(format!("timeline[{}].t_s", at + 1), format!("second {later} stands after {earlier}")))
        }
        None => Ok(()),
    }
}

/// Intervals are in order, of rows that there are, and hold what the rows hold.
fn intervals(report: &Report, part: &IntervalsPart) -> Result<(), Contradiction> {
    if part.length_s == 0 {
        return Err(wrong("intervals.length_s", "an interval of no length holds nothing"));
    }
    let mut samples = vec![0_u64; report.requests.len()];
    let mut earlier = None;
    for (row, at) in part.rows.iter().zip(0..) {
        if earlier.is_some_and(|earlier| earlier >= row.t_s) {
            return Err(wrong(format!("intervals.rows[{at}].t_s"), "the intervals are not in order of time"));
        }
        earlier = Some(row.t_s);
        for (series, nth) in row.series.iter().zip(0..) {
            let Some(sum) = samples.get_mut(series.request) else {
                let problem = format!("there is no row {} of `requests`", series.request);
                return Err(wrong(format!("intervals.rows[{at}].series[{nth}].request"), problem));
            };
            *sum = sum.saturating_add(series.latency_hdr.samples());
        }
    }
    let differs = report.requests.iter().zip(&samples).position(|(row, sum)| row.totals.requests != *sum);
    match differs {
        Some(at) => {
            let (told, sum) = (report.requests[at].totals.requests, samples[at]);
            Err(wrong(
                format!("requests[{at}].requests"),
                format!("{told} is not the sum of its intervals, {sum}"),
            ))
        }
        None => Ok(()),
    }
}
