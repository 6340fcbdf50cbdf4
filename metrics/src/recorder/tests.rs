use super::*;
use crate::{ErrorKind, Failure, Phases};
use proptest::prelude::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The last nanosecond before `seconds`.
fn just_before(seconds: u64) -> Duration {
    Duration::from_nanos(seconds * 1_000_000_000 - 1)
}

fn sample(series: u32, ended: Duration, outcome: Result<(), Failure>) -> Sample {
    let latency = Duration::from_millis(5);
    let phases = Phases::default();
    Sample {
        series: SeriesId(series),
        ended,
        latency,
        late: Duration::ZERO,
        phases,
        bytes_out: 10,
        bytes_in: 20,
        outcome,
    }
}

fn ok(ended: Duration) -> Sample {
    sample(0, ended, Ok(()))
}

/// Index and requests of each window.
fn shown(windows: &[Window]) -> Vec<(u32, u64)> {
    windows.iter().map(|window| (window.index, window.requests())).collect()
}

#[test]
fn windows_are_cut_at_whole_seconds() {
    let mut recorder = Recorder::new(1);
    for ended in [Duration::ZERO, just_before(1), s(1), just_before(2), s(5), just_before(6)] {
        recorder.record(&ok(ended));
    }
    assert_eq!(shown(&recorder.take_closed(just_before(6))), [(0, 2), (1, 2)]);
    assert_eq!(shown(&recorder.take_closed(just_before(6))), []);
    assert_eq!(shown(&recorder.take_closed(s(6))), [(5, 2)]);
    assert_eq!(shown(&recorder.take_all()), []);
}

#[test]
fn traffic_alone_makes_a_window() {
    let mut recorder = Recorder::new(2);
    let traffic = Traffic { messages_received: 1, bytes_in: 9, ..Traffic::default() };
    recorder.carry(SeriesId(1), s(2), &traffic);
    recorder.carry(SeriesId(1), s(1), &traffic);
    let windows = recorder.take_closed(s(3));
    assert_eq!(shown(&windows), [(2, 0)]);
    let stats = &windows[0].series[&SeriesId(1)];
    assert_eq!((windows[0].series.len(), stats.messages_received, stats.bytes_in), (1, 2, 18));
    assert!(recorder.take_all().is_empty());
}

#[test]
fn taking_everything_ends_the_open_second() {
    let mut recorder = Recorder::new(1);
    recorder.record(&ok(s(3)));
    assert_eq!(shown(&recorder.take_all()), [(3, 1)]);
    recorder.record(&ok(s(3)));
    assert_eq!(shown(&recorder.take_all()), [(4, 1)], "a taken window is never taken again");
}

#[test]
fn late_samples_count_in_the_open_window() {
    let mut recorder = Recorder::new(1);
    recorder.record(&ok(s(4)));
    recorder.record(&ok(just_before(4)));
    recorder.record(&ok(Duration::ZERO));
    assert_eq!(shown(&recorder.take_closed(s(8))), [(4, 3)]);
    recorder.record(&ok(s(4)));
    recorder.start(s(2));
    recorder.abort(s(1));
    let windows = recorder.take_all();
    assert_eq!(shown(&windows), [(8, 1)]);
    assert_eq!((windows[0].started, windows[0].aborted), (1, 1));
}

#[test]
fn starts_and_aborts_count_in_their_second() {
    let mut recorder = Recorder::new(1);
    recorder.start(s(1));
    recorder.start(s(1));
    recorder.start(s(3));
    recorder.abort(s(4));
    recorder.record(&ok(s(4)));
    let counts: Vec<_> = recorder
        .take_all()
        .iter()
        .map(|window| (window.index, window.started, window.aborted, window.requests()))
        .collect();
    assert_eq!(counts, [(1, 2, 0, 0), (3, 1, 0, 0), (4, 0, 1, 1)]);
}

#[test]
fn cells_start_empty_in_each_window() {
    let mut recorder = Recorder::new(3);
    let failure = || Err(Failure::new(ErrorKind::Status, "status 500"));
    recorder.record(&sample(0, s(0), Ok(())));
    recorder.record(&sample(2, s(0), failure()));
    recorder.record(&sample(2, s(1), Ok(())));
    let windows = recorder.take_all();
    let series = |index: usize| {
        let stats = windows[index].series.iter();
        stats
            .map(|(series, stats)| (series.0, stats.ok, stats.failed, stats.latency.count()))
            .collect::<Vec<_>>()
    };
    assert_eq!(series(0), [(0, 1, 0, 1), (2, 0, 1, 1)]);
    assert_eq!(series(1), [(2, 1, 0, 1)]);
    let errors: Vec<_> = windows[0].errors.rows().map(|row| (row.message.as_str(), row.count)).collect();
    assert_eq!(errors, [("status 500", 1)]);
    assert!(windows[1].errors.is_empty());
}

#[test]
fn times_without_end_do_not_overflow() {
    let mut recorder = Recorder::new(1);
    recorder.record(&ok(Duration::MAX));
    recorder.start(Duration::MAX);
    assert_eq!(shown(&recorder.take_closed(Duration::MAX)), []);
    assert_eq!(shown(&recorder.take_all()), [(u32::MAX, 1)]);
}

/// What happens to a recorder, at a time in ms.
#[derive(Clone, Debug)]
enum Event {
    Start(u64),
    Abort(u64),
    Record { series: u32, ended: u64, failed: bool },
    Take(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (0_u64..8_000).prop_map(Event::Start),
        (0_u64..8_000).prop_map(Event::Abort),
        (0_u32..3, 0_u64..8_000, any::<bool>()).prop_map(|(series, ended, failed)| Event::Record {
            series,
            ended,
            failed
        }),
        (0_u64..8_000).prop_map(Event::Take),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_counted_twice(events in events()) {
        let ms = Duration::from_millis;
        let mut recorder = Recorder::new(3);
        let mut windows = Vec::new();
        let mut whole = SeriesStats::default();
        let (mut started, mut aborted) = (0, 0);
        for event in events {
            match event {
                Event::Start(at) => { started += 1; recorder.start(ms(at)); }
                Event::Abort(at) => { aborted += 1; recorder.abort(ms(at)); }
                Event::Record { series, ended, failed } => {
                    let failure = Failure::new(ErrorKind::Status, format!("status {ended}"));
                    let sample = sample(series, ms(ended), if failed { Err(failure) } else { Ok(()) });
                    whole.record(&sample);
                    recorder.record(&sample);
                }
                Event::Take(now) => {
                    let taken = recorder.take_closed(ms(now));
                    prop_assert!(taken.iter().all(|window| !window.is_empty()));
                    windows.extend(taken);
                }
            }
        }
        windows.extend(recorder.take_all());
        prop_assert!(windows.windows(2).all(|pair| pair[0].index < pair[1].index), "rising, each index once");
        let mut merged = SeriesStats::default();
        for stats in windows.iter().flat_map(|window| window.series.values()) {
            merged.merge(stats);
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(windows.iter().map(|window| window.started).sum::<u64>(), started);
        prop_assert_eq!(windows.iter().map(|window| window.aborted).sum::<u64>(), aborted);
        prop_assert_eq!(windows.iter().map(|window| window.errors.total()).sum::<u64>(), whole.failed);
    }
}
