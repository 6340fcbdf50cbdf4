use super::super::tests::{id, report};
use super::*;
use bytes::Bytes;
use metrics::{Histogram, PhaseSums, SeriesId};
use proto::message::SeriesReport;
use std::time::Duration;

fn sent(outbox: &mut Outbox) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| outbox.next()).map(|w| (w.seq, w.cumulative.started)).collect()
}

/// A second with 10 requests of series `0..series`, `spread` latencies each.
fn busy(index: u32, series: u32, spread: u64) -> Box<WindowReport> {
    let mut histogram = Histogram::new();
    for n in 0..spread {
        histogram.record(Duration::from_micros(100 + 997 * (n + u64::from(index) * spread) % 4_000_000));
    }
    let mut latency = Vec::new();
    histogram.encode_v2(&mut latency);
    let latency = Bytes::from(latency);
    let series = (0..series).map(|series| SeriesReport {
        series: SeriesId(series),
        ok: spread,
        failed: 0,
        bytes_in: 1,
        bytes_out: 1,
        messages_sent: 0,
        messages_received: 0,
        phases: PhaseSums::default(),
        latency: latency.clone(),
        service: Bytes::new(),
    });
    let series: Vec<_> = series.collect();
    let started = series.iter().map(|s| s.ok).sum();
    Box::new(WindowReport { series, ..*report(index, started, 0, false) })
}

#[test]
fn what_is_not_acknowledged_is_sent_again_as_it_was() {
    let mut outbox = Outbox::default();
    for index in 0..4 {
        outbox.push(&id("r"), report(index, 10, 0, index == 3));
    }
    assert_eq!(sent(&mut outbox), [(1, 10), (2, 20), (3, 30), (4, 40)]);
    assert_eq!(sent(&mut outbox), []);
    outbox.acknowledged(1);
    assert_eq!(sent(&mut outbox), [], "an acknowledgement sends nothing again");
    outbox.rewind(2);
    assert_eq!(sent(&mut outbox), [(3, 30), (4, 40)], "number and totals stay");
    outbox.acknowledged(3);
    assert!(outbox.is_complete() && !outbox.is_delivered());
    outbox.rewind(1);
    assert_eq!(sent(&mut outbox), [(4, 40)], "what was acknowledged is not there any more");
    outbox.acknowledged(4);
    assert!(outbox.is_delivered());
}

#[test]
fn so_many_are_out_and_no_more_until_one_is_acknowledged() {
    let mut outbox = Outbox::default();
    for index in 0..12 {
        outbox.push(&id("r"), report(index, 1, 0, false));
    }
    assert_eq!(sent(&mut outbox).len(), MOST_OUT);
    outbox.acknowledged(3);
    assert_eq!(sent(&mut outbox), [(9, 9), (10, 10), (11, 11)]);
    outbox.rewind(9);
    assert_eq!(sent(&mut outbox), [(10, 10), (11, 11), (12, 12)]);
}

#[test]
fn an_hour_without_an_acknowledgement_takes_bounded_room_and_loses_no_count() {
    let (mut outbox, mut most) = (Outbox::default(), 0);
    let mut in_order = Vec::new();
    for index in 0..3600 {
        outbox.push(&id("r"), busy(index, 20, 40));
        in_order.extend(std::iter::from_fn(|| outbox.next()));
        assert!(outbox.waiting.len() <= MOST_WAITING);
        most = most.max(outbox.waiting_bytes);
    }
    assert_eq!(outbox.waiting_bytes, outbox.waiting.iter().map(|w| w.window.footprint()).sum::<usize>());
    assert!(most <= MOST_WAITING_BYTES, "{most}");
    outbox.push(&id("r"), report(3600, 0, 0, true));
    let frozen: Vec<_> = in_order.iter().map(|w| (w.seq, w.index, w.seconds())).collect();
    assert_eq!(frozen, (0..8).map(|n| (n + 1, n as u32, 1)).collect::<Vec<_>>(), "what is out is not merged");
    // It takes them at last.
    for seq in 1.. {
        outbox.acknowledged(seq);
        in_order.extend(std::iter::from_fn(|| outbox.next()));
        if outbox.is_delivered() {
            break;
        }
    }
    let (mut next, mut totals) = (0, Cumulative::default());
    for (window, seq) in in_order.iter().zip(1..) {
        totals.started += window.started;
        totals.ok += window.ok();
        assert_eq!((window.seq, window.index, window.cumulative), (seq, next, totals));
        next += window.seconds();
    }
    assert_eq!((next, totals.ok, outbox.dropped), (3601, 3600 * 800, 0));
    let longest = in_order.iter().map(|w| w.seconds()).max().unwrap();
    assert!((60..=128).contains(&longest), "old and new seconds are treated alike: {longest}");
}

#[test]
fn the_end_of_the_warm_up_stays_between_windows() {
    let mut outbox = Outbox::default();
    outbox.keep_apart(10);
    for index in 0..500 {
        outbox.push(&id("r"), report(index, 1, 0, false));
    }
    assert!(outbox.waiting.iter().any(|w| w.window.index == 10));
    assert!(outbox.waiting.len() <= MOST_WAITING);
}

#[test]
fn where_nothing_can_be_merged_results_are_given_up_and_totals_say_so() {
    let (mut outbox, mut started) = (Outbox::default(), 0);
    for index in 0..10 {
        let window = busy(index, 4000, 250);
        started += window.started;
        outbox.push(&id("r"), window);
        assert!(outbox.waiting_bytes <= MOST_WAITING_BYTES, "{}", outbox.waiting_bytes);
    }
    assert!(outbox.take_dropped() > 0);
    let mut totals = Cumulative::default();
    while let Some(window) = outbox.next() {
        totals.started += window.started;
        totals.ok += window.ok();
        totals.aborted += window.aborted;
        assert_eq!(window.cumulative, totals, "window {}", window.seq);
        outbox.acknowledged(window.seq);
    }
    assert_eq!((totals.started, totals.ok + totals.aborted), (started, started));
}
