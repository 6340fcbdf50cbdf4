//! What is measured takes no more memory for being more.
#![cfg(target_os = "linux")]

use metrics::{ErrorKind, ErrorTable, Histogram, SeriesId, SeriesStats, SparseHistogram, Tally, Window};
use std::time::Duration;

/// Most memory that this process ever had resident, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux reports VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("VmHWM is a number of kB")
}

/// Latencies of one second: 200 different ones, `each` times.
fn second(each: u64) -> Histogram {
    let mut histogram = Histogram::new();
    (1..=200_u64).for_each(|n| histogram.record_n(Duration::from_micros(n * n * 40), each));
    histogram
}

/// Adds a thousand seconds, of all agents, as the coordinator does; gives the requests.
fn a_run(each: u64) -> u64 {
    let mut encoded = Vec::new();
    second(each).encode_v2(&mut encoded);
    let (mut totals, mut window, mut sparse) =
        (SeriesStats::default(), Tally::default(), SparseHistogram::new());
    for number in 0..1_000 {
        totals.ok += totals.latency.merge_v2(&encoded).expect("a histogram");
        sparse.merge_v2(&encoded).expect("a histogram");
        window.add(200 * each, 0, &encoded).expect("a histogram");
        if number >= 30 {
            window.remove(200 * each, 0, &encoded).expect("a histogram");
        }
    }
    assert_eq!(totals.requests(), sparse.count());
    assert_eq!(window.requests(), 30 * 200 * each);
    totals.requests()
}

/// Counts so many distinct messages as agents do (in windows of 64 rows) and then the coordinator; gives the rows.
fn distinct_errors(messages: u32) -> usize {
    let mut run = ErrorTable::new(1_000);
    for second in 0..messages / 1_000 {
        let mut window = Window::new(second);
        let at = Duration::from_secs(second.into());
        for number in second * 1_000..(second + 1) * 1_000 {
            // One in ten has nothing in common with the others, but for its end.
            let message = match number % 10 {
                0 => format!("user user-{number:x}@mail.example is locked"),
                1 => format!("order {number} of 2026-11-21T08:{}:00Z is not there", number % 60),
                2 => format!("no route to 10.{}.{}.{}:8080", number % 251, number % 241, number % 239),
                3 => format!("request {number:08x}-2fa1-11d2-883f-{number:012x} was rejected"),
                4 => format!("pointer 0x{number:x} of 'item {number}' is \"{number}\""),
                5 => letters(number),
                n => format!("status 50{n}"),
            };
            window.errors.add(SeriesId(number % 3), ErrorKind::Assertion, &message, 1, at, at);
        }
        run.merge(&window.errors);
    }
    assert_eq!(run.total(), u64::from(messages / 1_000 * 1_000));
    run.rows().count()
}

/// A word that has nothing to fold.
fn letters(number: u32) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'k')).collect()
}

// One test: the memory is the whole process's.
#[test]
fn a_thousand_million_samples_and_a_million_errors_take_what_few_take() {
    assert_eq!(a_run(5), 1_000_000);
    let before = peak_kib();
    assert_eq!(a_run(5_000), 1_000_000_000);
    let grown = peak_kib() - before;
    assert!(grown < 512, "10^9 samples grew the process by {grown} KiB beyond what 10^6 took");

    // Two hundred thousand fill the table, with one row of other messages for each of three series.
    let most = 1_000 + 3;
    assert_eq!(distinct_errors(200_000), most);
    let before = peak_kib();
    assert_eq!(distinct_errors(1_000_000), most);
    let grown = peak_kib() - before;
    assert!(grown < 512, "10^6 distinct errors grew the process by {grown} KiB beyond what 2·10^5 took");
}
