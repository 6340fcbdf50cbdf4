//! What WebSocket conversations carried, and how long their connections took, in words.

use super::model::{Report, RequestRow};
use crate::results::quantity;

/// Connections of the plan whose times are told; `report.json` has all of them.
const SHOWN_CONNECTIONS: usize = 5;

/// Messages with their rates, and the most connections at once; `None` without any message.
pub(super) fn messages(report: &Report) -> Option<String> {
    let totals = &report.totals;
    if totals.messages_sent == 0 && totals.messages_received == 0 {
        return None;
    }
    let per_second = |messages: u64| match report.run.duration_s {
        seconds if seconds > 0.0 => format!(" ({}/s)", quantity::decimal(messages as f64 / seconds, 1)),
        _ => String::new(),
    };
    let part = |messages: u64| format!("{}{}", quantity::count(messages), per_second(messages));
    let (sent, received) = (part(totals.messages_sent), part(totals.messages_received));
    let connections: u64 = report.generator.agents.iter().map(|agent| agent.connections).sum();
    let each = report.generator.agents.iter().filter_map(|agent| agent.memory_growth_per_connection).max();
    let each = each.map_or(String::new(), |bytes| {
        format!(" (memory grew by {} KiB for each)", quantity::decimal(bytes as f64 / 1024.0, 1))
    });
    let connections = quantity::count(connections);
    Some(format!("{sent} sent, {received} received; at most {connections} connections{each}"))
}

/// The name of each WebSocket connection of the plan, and how long it took to make.
pub(super) fn connecting(report: &Report) -> Vec<(&str, String)> {
    let made = report.requests.iter().filter(|row| row.method == "WS" && row.totals.requests > 0);
    made.take(SHOWN_CONNECTIONS).map(|row| (row.name.as_str(), times(row))).collect()
}

fn times(row: &RequestRow) -> String {
    let ms = &row.totals.latency_ms;
    let figures =
        [("min", ms.min), ("mean", ms.mean), ("median", ms.p50), ("max", ms.max), ("std dev", ms.stddev)];
    let told = figures.map(|(name, value)| {
        let value = value.map_or("-".to_owned(), |ms| quantity::milliseconds_to(ms, 3));
        format!("{name} {value}")
    });
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use crate::report::text::{Style, render_text};

    #[test]
    fn the_times_of_connections_are_told_in_every_form_for_people() {
        let mut report = sample();
        assert_eq!((messages(&report), connecting(&report)), (None, Vec::new()));
        report.totals.messages_sent = 1200;
        report.run.duration_s = 10.0;
        let row = &mut report.requests[0];
        row.method = "WS";
        row.name = "watch".to_owned();
        let ms = &mut row.totals.latency_ms;
        (ms.min, ms.mean, ms.p50, ms.max, ms.stddev) =
            (Some(1.0), Some(2.5), Some(2.0), Some(9.0), Some(0.75));
        let told = "min 1 ms, mean 2.5 ms, median 2 ms, max 9 ms, std dev 750 µs";
        let text = render_text(&report, Style::Plain);
        assert!(text.contains("messages: 1,200 (120.0/s) sent, 0 (0.0/s) received; at most "), "{text}");
        assert!(text.contains(&format!("connecting watch: {told}\n")), "{text}");
        let page = crate::report::html::render(&report);
        assert!(page.contains("Time to connect watch") && page.contains(told), "{page}");
        let summary = crate::report::summary::render(&report);
        assert!(summary.contains("1,200 (120.0/s) sent") && summary.contains(told), "{summary}");
        report.requests[0].totals.requests = 0;
        assert_eq!(connecting(&report), Vec::new());
    }
}
