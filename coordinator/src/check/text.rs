//! The explanation as text for standard output, at most 100 columns wide.

use super::probes;
use super::{ASSUMED_RESPONSE, ClassRow, Explanation, Wanted};
use crate::report::Style;
use crate::report::escape;
use crate::report::grid::{Fill, Grid, Tone, WIDTH};
use crate::report::text::{with_method, wrapped};
use crate::results::quantity;
use metrics::unit::format_duration;

/// The whole explanation; text from the plan is escaped and cut.
pub fn render(explanation: &Explanation, style: Style) -> String {
    let parts = [
        load(explanation, style),
        classes(explanation, style),
        tasks(explanation, style),
        requests(explanation, style),
        chores(explanation, style),
        thresholds(explanation, style),
        probes::render(&explanation.probes, style),
        data(explanation, style),
        variables(explanation, style),
        params(explanation, style),
        environment(explanation, style),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn load(explanation: &Explanation, style: Style) -> String {
    let mut grid = Grid::new(&[("LOAD", Fill::Text(14)), ("", Fill::Rest)]);
    let mut row = |what: &str, text: String| grid.row(Tone::Plain, vec![what.to_owned(), text]);
    let users = quantity::count(explanation.users.into());
    if let Some((arrivals, busy)) = &explanation.arrivals {
        row("arrivals", arrivals.clone());
        let busy = quantity::decimal(*busy, 1);
        row("users", format!("at most {users}; about {busy} are busy at the peak; `wait` is not used"));
    } else {
        row("users", users);
        row("all there", format!("{} after the first start", format_duration(explanation.full_at)));
    }
    if !explanation.warmup.is_zero() {
        let warmup = format_duration(explanation.warmup);
        row("warm-up", format!("the first {warmup}, which thresholds and totals leave out"));
    }
    let end = format!("{} after the first start", format_duration(explanation.end));
    match explanation.iterations {
        None => row("end", end),
        Some(n) => row("end", format!("when {} iterations are done, or {end}", quantity::count(n))),
    }
    row("then", format!("{} for running iterations to finish", format_duration(explanation.stop_timeout)));
    if let Some(cost) = &explanation.cost {
        row("cost", cost.clone());
    }
    let title = escape::fit(&format!("{}: {}", explanation.title, explanation.target), WIDTH);
    format!("{title}\n\n{}", grid.render(style))
}

fn classes(explanation: &Explanation, style: Style) -> String {
    let mut grid = Grid::new(&[
        ("USER CLASS", Fill::Rest),
        ("SHARE", Fill::Text(16)),
        ("USERS", Fill::Number),
        ("PER AGENT", Fill::Number),
        ("ITERATIONS/S", Fill::Number),
        ("REQUESTS/S", Fill::Number),
    ]);
    for class in &explanation.classes {
        let tone = if class.users == 0 { Tone::Doubtful } else { Tone::Plain };
        grid.row(
            tone,
            vec![
                class.name.clone(),
                class.share.clone(),
                quantity::count(class.users.into()),
                per_agent(class, explanation.agents),
                quantity::decimal(class.iterations, 1),
                quantity::decimal(class.requests, 1),
            ],
        );
    }
    let agents = explanation.agents;
    let fleet =
        if agents == 1 { "1 agent".to_owned() } else { format!("{} agents", quantity::count(agents.into())) };
    let assumed = quantity::latency(ASSUMED_RESPONSE);
    format!(
        "{}at full load on {fleet}; rates are what to expect if every response takes {assumed},\n\
         half of the `if`s are true, and a `poll` or a `repeat` of unknown length goes round once\n",
        grid.render(style)
    )
}

/// The tags of each task, and whether the flags leave it.
fn tasks(explanation: &Explanation, style: Style) -> String {
    if explanation.tasks.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("TASK", Fill::Text(26)),
        ("USER CLASS", Fill::Text(26)),
        ("TAGS", Fill::Rest),
        ("RUN", Fill::Text(4)),
    ]);
    for task in &explanation.tasks {
        let (tone, run) = if task.kept { (Tone::Plain, "yes") } else { (Tone::Doubtful, "no") };
        let cells = vec![task.task.clone(), task.class.clone(), task.tags.join(", "), run.to_owned()];
        grid.row(tone, cells);
    }
    let told = explanation.selection.as_deref().map(|told| wrapped(&escape::escape(told)));
    format!("{}{}", grid.render(style), told.unwrap_or_default())
}

fn per_agent(class: &ClassRow, agents: u32) -> String {
    match class.per_agent {
        Some((fewest, most)) if fewest == most => quantity::count(most.into()),
        Some((fewest, most)) => {
            format!("{}-{}", quantity::count(fewest.into()), quantity::count(most.into()))
        }
        None => format!("about {}", quantity::decimal(f64::from(class.users) / f64::from(agents), 1)),
    }
}

fn requests(explanation: &Explanation, style: Style) -> String {
    let mut grid = Grid::new(&[
        ("REQUEST", Fill::Rest),
        ("USER CLASS", Fill::Text(20)),
        ("TASK", Fill::Text(20)),
        ("EXPECTED/S", Fill::Number),
    ]);
    let grouped = explanation.groups.iter().any(|group| group.name.is_some());
    for group in &explanation.groups {
        if grouped {
            let name = group.name.clone().unwrap_or_else(|| "(no group)".to_owned());
            let rate = quantity::decimal(group.rate, 1);
            grid.row(Tone::Heading, vec![name, String::new(), String::new(), rate]);
        }
        for series in &group.series {
            let indent = if grouped { "  " } else { "" };
            let rate =
                series.rate.map_or_else(|| "once per user".to_owned(), |rate| quantity::decimal(rate, 1));
            let name = format!("{indent}{}", with_method(series.method, &series.name));
            let cells = vec![name, series.class.clone(), series.task.clone(), rate];
            grid.row(Tone::Plain, cells);
        }
    }
    let series: usize = explanation.groups.iter().map(|group| group.series.len()).sum();
    format!("{}{} series\n", grid.render(style), quantity::count(series as u64))
}

fn chores(explanation: &Explanation, style: Style) -> String {
    if explanation.chores.is_empty() {
        return String::new();
    }
    let mut grid =
        Grid::new(&[("ONCE", Fill::Text(10)), ("TIME LIMIT", Fill::Number), ("REQUEST", Fill::Rest)]);
    for chore in &explanation.chores {
        let none = vec!["no request".to_owned()];
        let requests = if chore.requests.is_empty() { &none } else { &chore.requests };
        for (line, request) in requests.iter().enumerate() {
            let [name, limit] = match line {
                0 => [chore.name.to_owned(), format_duration(chore.timeout)],
                _ => [String::new(), String::new()],
            };
            grid.row(Tone::Plain, vec![name, limit, request.clone()]);
        }
    }
    format!("{}on one agent, not measured\n", grid.render(style))
}

/// The sentences of a scope beside the series that they judge together.
fn thresholds(explanation: &Explanation, style: Style) -> String {
    if explanation.thresholds.is_empty() {
        return "no thresholds\n".to_owned();
    }
    let mut grid = Grid::new(&[
        ("SCOPE", Fill::Text(26)),
        ("THRESHOLD", Fill::Text(40)),
        ("JUDGES TOGETHER", Fill::Rest),
    ]);
    for scope in &explanation.thresholds {
        let all = vec!["all series".to_owned()];
        let series = if scope.series.is_empty() { &all } else { &scope.series };
        for line in 0..scope.sentences.len().max(series.len()) {
            let first = if line == 0 { scope.scope.clone() } else { String::new() };
            let cell = |cells: &[String]| cells.get(line).cloned().unwrap_or_default();
            grid.row(Tone::Plain, vec![first, cell(&scope.sentences), cell(series)]);
        }
    }
    grid.render(style)
}

fn data(explanation: &Explanation, style: Style) -> String {
    if explanation.data.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("DATA", Fill::Text(20)),
        ("PICK", Fill::Text(24)),
        ("ROWS", Fill::Number),
        ("WANTED", Fill::Number),
        ("USER CLASSES", Fill::Rest),
    ]);
    for row in &explanation.data {
        let wanted = match row.wanted {
            Wanted::Any => "any".to_owned(),
            Wanted::Exactly(wanted) => quantity::count(wanted.into()),
            Wanted::About(wanted) => format!("about {}", quantity::count(wanted as u64)),
        };
        let short = if row.is_short() { "; too few rows" } else { "" };
        let tone = if row.is_short() { Tone::Doubtful } else { Tone::Plain };
        let cells = vec![
            row.name.clone(),
            row.pick.clone(),
            quantity::count(row.rows.into()),
            wanted,
            format!("{}{short}", row.classes.join(", ")),
        ];
        grid.row(tone, cells);
    }
    grid.render(style)
}

fn variables(explanation: &Explanation, style: Style) -> String {
    if explanation.variables.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[
        ("VARIABLE", Fill::Text(16)),
        ("USER CLASS", Fill::Text(16)),
        ("SAVED BY", Fill::Text(30)),
        ("USED BY", Fill::Rest),
    ]);
    for variable in &explanation.variables {
        let first = [variable.name.clone(), variable.class.clone(), variable.saved_by.clone()];
        let (tone, users) = if variable.used_by.is_empty() {
            (Tone::Doubtful, vec!["nothing".to_owned()])
        } else {
            (Tone::Plain, variable.used_by.clone())
        };
        for (line, user) in users.into_iter().enumerate() {
            let mut cells = if line == 0 { first.to_vec() } else { vec![String::new(); 3] };
            cells.push(user);
            grid.row(tone, cells);
        }
    }
    grid.render(style)
}

fn params(explanation: &Explanation, style: Style) -> String {
    if explanation.params.is_empty() {
        return String::new();
    }
    let mut grid =
        Grid::new(&[("PARAMETER", Fill::Text(30)), ("FROM", Fill::Text(8)), ("VALUE", Fill::Rest)]);
    for (name, value, set) in &explanation.params {
        let from = if *set { "--set" } else { "plan" };
        grid.row(Tone::Plain, vec![name.clone(), from.to_owned(), value.clone()]);
    }
    grid.render(style)
}

/// Never the values: they may be secret.
fn environment(explanation: &Explanation, style: Style) -> String {
    if explanation.environment.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&[("ENVIRONMENT VARIABLE", Fill::Rest), ("STATUS", Fill::Text(8))]);
    for (name, set) in &explanation.environment {
        let status = if *set { "set" } else { "not set" };
        grid.row(Tone::Plain, vec![name.clone(), status.to_owned()]);
    }
    grid.render(style)
}
