use super::*;
use crate::message::{Cumulative, FromAgent, RunId};
use crate::{decode, encode};
use metrics::ArrivalCounts;
use proptest::prelude::*;

/// Requests of one second: (series, succeeded, failed, latency in ms).
type Requests = (u32, u64, u64, u64);

fn encoded(samples: &[(u64, u64)]) -> Bytes {
    let mut histogram = Histogram::new();
    for &(ms, count) in samples {
        (0..count).for_each(|_| histogram.record(Duration::from_millis(ms)));
    }
    let mut bytes = Vec::new();
    histogram.encode_v2(&mut bytes);
    bytes.into()
}

fn second(index: u32, requests: &[Requests]) -> WindowReport {
    let mut by_series: BTreeMap<u32, Requests> = BTreeMap::new();
    for request in requests {
        by_series.entry(request.0).or_insert(*request);
    }
    let requests: Vec<Requests> = by_series.into_values().collect();
    let series = |&(series, ok, failed, ms): &Requests| SeriesReport {
        series: SeriesId(series),
        ok,
        failed,
        bytes_in: ms,
        bytes_out: ok,
        messages_sent: failed,
        messages_received: 1,
        phases: PhaseSums { body: (ok, ms), ..PhaseSums::default() },
        latency: encoded(&[(ms, ok + failed)]),
        service: if ms % 3 == 0 { encoded(&[(ms / 2, ok + failed)]) } else { Bytes::new() },
    };
    let error = |&(series, _, failed, ms): &Requests| ErrorCount {
        series: SeriesId(series),
        kind: ErrorKind::Status,
        message: format!("status {}", 500 + ms % 3),
        count: failed,
        first: Duration::from_secs(index.into()),
        last: Duration::from_secs(index.into()),
    };
    let all: u64 = requests.iter().map(|r| r.1 + r.2).sum();
    WindowReport {
        run: RunId("r".to_owned()),
        seq: u64::from(index) + 1,
        index,
        earlier_users: Vec::new(),
        users: 10 + index,
        in_flight: u64::from(index % 3),
        started: all + 1,
        aborted: 1,
        arrivals: ArrivalCounts { started: all, dropped: 2 },
        cumulative: Cumulative { started: u64::from(index), ..Cumulative::default() },
        series: requests.iter().map(series).collect(),
        errors: requests.iter().filter(|r| r.2 > 0).map(error).collect(),
        health: HealthReport {
            cpu_permille: 10 * index,
            lag: encoded(&[(1 + u64::from(index), 3)]),
            reconnects: 1,
            memory_bytes: 1000 - u64::from(index),
            memory_at_start_bytes: 7,
            connections: 5,
            host: HostReport {
                cpu_limit_permille: index.is_multiple_of(2).then_some(1000 + index),
                steal_permille: Some(3 * index % 7),
                throttled: Some(Duration::from_millis(5)),
                throttled_periods: None,
                descriptors: Some(40 + u64::from(5 * index % 7)),
                descriptors_limit: Some(100),
                memory_used_bytes: Some(50),
                memory_limit_bytes: (index % 3 == 1).then_some(80 + u64::from(index)),
            },
            starts: 4,
            late_starts: u64::from(index % 2),
            late_start_max: Duration::from_millis(u64::from(7 * index % 11)),
            exhausted: 1,
            held_back: 2,
        },
        last: false,
        progress: requests
            .iter()
            .map(|r| Progress { slot: Slot(r.0), iteration: u64::from(index) + 1, gave_up: false })
            .collect(),
        roll: crate::message::Roll { revision: u64::from(index), leaving: Vec::new() },
    }
}

/// Merges as `choices` say: each picks a pair of neighbours.
fn tree(mut windows: Vec<WindowReport>, choices: &[prop::sample::Index]) -> WindowReport {
    let mut choices = choices.iter().cycle();
    while windows.len() > 1 {
        let at = choices.next().unwrap().index(windows.len() - 1);
        let next = windows.remove(at + 1);
        windows[at] = windows[at].merged(&next).unwrap();
    }
    windows.remove(0)
}

fn seconds() -> impl Strategy<Value = Vec<WindowReport>> {
    let requests = prop::collection::vec((0_u32..6, 0_u64..9, 0_u64..4, 1_u64..5000), 0..5);
    let windows = prop::collection::vec(requests, 1..9);
    windows.prop_map(|all| all.iter().zip(0..).map(|(requests, index)| second(index, requests)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whichever_neighbours_are_merged_first_the_window_is_the_same(
        windows in seconds(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        others in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
    ) {
        prop_assert_eq!(tree(windows.clone(), &choices), tree(windows, &others));
    }

    #[test]
    fn merged_totals_are_the_sums_and_merged_latencies_those_of_one_recorder(
        windows in seconds(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
    ) {
        let all = tree(windows.clone(), &choices);
        let sum = |part: fn(&WindowReport) -> u64| windows.iter().map(part).sum::<u64>();
        prop_assert_eq!(all.ok(), sum(WindowReport::ok));
        prop_assert_eq!(all.failed(), sum(WindowReport::failed));
        prop_assert_eq!(all.started, sum(|w| w.started));
        prop_assert_eq!(all.aborted, sum(|w| w.aborted));
        prop_assert_eq!(all.arrivals.dropped, sum(|w| w.arrivals.dropped));
        let errors = |w: &WindowReport| w.errors.iter().map(|row| row.count).sum::<u64>();
        prop_assert_eq!(errors(&all), sum(|w| w.errors.iter().map(|row| row.count).sum()));
        let newest = windows.last().unwrap();
        prop_assert_eq!((all.seq, all.cumulative), (newest.seq, newest.cumulative));
        prop_assert_eq!((all.users, all.in_flight), (newest.users, newest.in_flight));
        prop_assert_eq!(all.seconds() as usize, windows.len());
        prop_assert_eq!((all.index, all.last_second()), (0, newest.index));
        for report in &all.series {
            let mut one = Histogram::new();
            for of_second in windows.iter().flat_map(|w| &w.series).filter(|s| s.series == report.series) {
                one.merge_v2(&of_second.latency).unwrap();
            }
            let mut bytes = Vec::new();
            one.encode_v2(&mut bytes);
            prop_assert_eq!(&report.latency, &Bytes::from(bytes), "the bytes of one recorder");
            let parts = || windows.iter().flat_map(|w| &w.series).filter(|s| s.series == report.series);
            let mut one = Histogram::new();
            for part in parts() {
                one.merge_v2(part.service_times()).unwrap();
            }
            let mut bytes = Vec::new();
            one.encode_v2(&mut bytes);
            prop_assert_eq!(report.service_times(), &Bytes::from(bytes), "of service times, too");
            prop_assert_eq!(report.service.is_empty(), parts().all(|part| part.service.is_empty()));
        }
        let sent = decode::from_agent(encode::from_agent(FromAgent::Window(Box::new(all.clone()))));
        prop_assert_eq!(sent, Ok(FromAgent::Window(Box::new(all))), "what is merged can be sent");
    }
}

#[test]
fn the_worst_health_and_the_newest_progress_count() {
    let (early, late) = (second(4, &[(0, 1, 0, 5), (1, 1, 0, 5)]), second(5, &[(1, 1, 0, 5), (3, 1, 0, 5)]));
    let both = early.merged(&late).unwrap();
    assert_eq!((both.health.cpu_permille, both.health.memory_bytes, both.health.reconnects), (50, 996, 2));
    assert_eq!(both.health.lag, encoded(&[(5, 3), (6, 3)]));
    let host = HostReport {
        cpu_limit_permille: Some(1004),
        steal_permille: Some(5),
        throttled: Some(Duration::from_millis(10)),
        throttled_periods: None,
        descriptors: Some(46),
        descriptors_limit: Some(100),
        memory_used_bytes: Some(50),
        memory_limit_bytes: Some(84),
    };
    assert_eq!(both.health.host, host);
    let starts =
        (both.health.starts, both.health.late_starts, both.health.late_start_max, both.health.exhausted);
    assert_eq!(starts, (8, 1, Duration::from_millis(6), 2));
    let progress: Vec<_> = both.progress.iter().map(|p| (p.slot.0, p.iteration)).collect();
    assert_eq!(progress, [(0, 5), (1, 6), (3, 6)]);
    assert_eq!((both.earlier_users, both.users), (vec![14], 15));
}

#[test]
fn only_neighbours_of_one_run_are_merged_and_nothing_after_the_last() {
    let (one, two, three) = (second(1, &[]), second(2, &[]), second(3, &[]));
    assert!(one.merged(&two).is_some());
    assert_eq!(one.merged(&three), None);
    assert_eq!(two.merged(&one), None);
    assert_eq!(one.merged(&WindowReport { run: RunId("other".to_owned()), ..two.clone() }), None);
    assert_eq!(WindowReport { last: true, ..one.clone() }.merged(&two), None);
    let longest = WindowReport { earlier_users: vec![1; 3598], ..second(0, &[]) };
    let after = WindowReport { index: 3599, ..second(0, &[]) };
    let hour = longest.merged(&after).unwrap();
    assert_eq!(hour.seconds(), 3600);
    assert_eq!(hour.merged(&WindowReport { index: 3600, ..after }), None);
}

#[test]
fn messages_beyond_the_room_for_them_are_folded_alike_in_any_order() {
    let of = |index: u32| {
        let mut window = second(index, &[]);
        window.errors = (0..700)
            .map(|n| ErrorCount {
                series: SeriesId(n % 2),
                kind: ErrorKind::Status,
                message: format!("message {}", (n * 7 + 300 * index) % 1500),
                count: 2,
                first: Duration::from_secs(index.into()),
                last: Duration::from_secs(index.into()),
            })
            .collect();
        window
    };
    let [a, b, c] = [0, 1, 2].map(of);
    let left = a.merged(&b).unwrap().merged(&c).unwrap();
    let right = a.merged(&b.merged(&c).unwrap()).unwrap();
    assert_eq!(left, right);
    assert_eq!(left.errors.iter().map(|row| row.count).sum::<u64>(), 3 * 1400);
    assert_eq!(left.errors.len(), MAX_MESSAGES + 1, "messages of their own, and the rest of one series");
}

#[test]
fn a_window_without_results_still_adds_up() {
    let window = second(3, &[(0, 5, 2, 10), (1, 1, 0, 10)]);
    let (started, ended) = (window.started, window.ok() + window.failed() + window.aborted);
    let bare = window.clone().without_results();
    assert_eq!((bare.started, bare.ok() + bare.failed() + bare.aborted), (started, ended));
    assert!(bare.series.is_empty() && bare.footprint() < window.footprint());
    assert_eq!(bare.progress, window.progress);
}
