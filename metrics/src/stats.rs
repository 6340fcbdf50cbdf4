//! What a series adds up to.

use crate::histogram::micros;
use crate::{Histogram, Phases, Sample};
use std::time::Duration;

/// Sums of the phases of a series' requests; a mean is `sum / count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhaseSums {
    /// New connections, and their total time in µs.
    pub connect: (u64, u64),
    /// TLS handshakes, and their total time in µs.
    pub tls: (u64, u64),
    /// Responses whose head arrived, and their total time to it in µs.
    pub first_byte: (u64, u64),
    /// Responses whose body was complete, and their total time from head to end in µs.
    pub body: (u64, u64),
}

impl PhaseSums {
    /// Adds one request; each phase is rounded to the nearest µs.
    pub fn add(&mut self, phases: &Phases) {
        add_phase(&mut self.connect, phases.connect);
        add_phase(&mut self.tls, phases.tls);
        add_phase(&mut self.first_byte, phases.first_byte);
        add_phase(&mut self.body, phases.body);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &PhaseSums) {
        merge_phase(&mut self.connect, other.connect);
        merge_phase(&mut self.tls, other.tls);
        merge_phase(&mut self.first_byte, other.first_byte);
        merge_phase(&mut self.body, other.body);
    }
}

fn add_phase(sum: &mut (u64, u64), time: Option<Duration>) {
    if let Some(time) = time {
        merge_phase(sum, (1, micros(time)));
    }
}

fn merge_phase(sum: &mut (u64, u64), (count, total): (u64, u64)) {
    sum.0 = sum.0.saturating_add(count);
    sum.1 = sum.1.saturating_add(total);
}

/// What crossed a connection outside of requests: the messages of a conversation and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages sent.
    pub messages_sent: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
}

/// Counts, bytes, phases and latencies of one series (or of several, merged).
///
/// Sums saturate, since some of them come from peers; 2^64 is out of reach of honest ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesStats {
    /// Requests that succeeded.
    pub ok: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// WebSocket messages sent.
    pub messages_sent: u64,
    /// WebSocket messages received.
    pub messages_received: u64,
    /// Where the time went.
    pub phases: PhaseSums,
    /// Latencies of all requests, failed ones too: `latency.count() == ok + failed`.
    pub latency: Histogram,
    /// Service times, which are latencies without what passed before a request was made; `None` where nothing was late, and both
    /// are the same.
    pub service: Option<Histogram>,
}

impl SeriesStats {
    /// Adds one request.
    pub fn record(&mut self, sample: &Sample) {
        match sample.outcome {
            Ok(()) => self.ok = self.ok.saturating_add(1),
            Err(_) => self.failed = self.failed.saturating_add(1),
        }
        self.bytes_in = self.bytes_in.saturating_add(sample.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(sample.bytes_out);
        self.phases.add(&sample.phases);
        if self.service.is_none() && !sample.late.is_zero() {
            self.service = Some(self.latency.clone());
        }
        self.latency.record(sample.latency);
        if let Some(service) = &mut self.service {
            service.record(sample.latency.saturating_sub(sample.late));
        }
    }

    /// Service times, whether or not these are apart.
    pub fn service(&self) -> &Histogram {
        self.service.as_ref().unwrap_or(&self.latency)
    }

    /// Adds what crossed a connection outside of requests.
    pub fn carry(&mut self, traffic: &Traffic) {
        self.bytes_in = self.bytes_in.saturating_add(traffic.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(traffic.bytes_out);
        self.messages_sent = self.messages_sent.saturating_add(traffic.messages_sent);
        self.messages_received = self.messages_received.saturating_add(traffic.messages_received);
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        let sums = [self.bytes_in, self.bytes_out, self.messages_sent, self.messages_received];
        self.requests() == 0 && sums == [0; 4]
    }

    /// Adds all of `other`; exact, commutative and associative.
    pub fn merge(&mut self, other: &SeriesStats) {
        self.ok = self.ok.saturating_add(other.ok);
        self.failed = self.failed.saturating_add(other.failed);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.messages_sent = self.messages_sent.saturating_add(other.messages_sent);
        self.messages_received = self.messages_received.saturating_add(other.messages_received);
        self.phases.merge(&other.phases);
        if let Some(service) = &other.service {
            self.own_service().merge(service);
        } else if let Some(own) = &mut self.service {
            own.merge(&other.latency);
        }
        self.latency.merge(&other.latency);
    }

    /// Service times apart from latencies: until now they were the same.
    fn own_service(&mut self) -> &mut Histogram {
        self.service.get_or_insert_with(|| self.latency.clone())
    }

    /// `ok + failed`.
    pub fn requests(&self) -> u64 {
        self.ok.saturating_add(self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, Failure, SeriesId};
    use proptest::prelude::*;

    fn samples(most: usize) -> impl Strategy<Value = Vec<Sample>> {
        let phase = || prop::option::of((0_u64..10_000_000_000).prop_map(Duration::from_nanos));
        let phases = (phase(), phase(), phase(), phase())
            .prop_map(|(connect, tls, first_byte, body)| Phases { connect, tls, first_byte, body });
        let sample = (0_u64..100_000_000_000, phases, any::<u32>(), any::<u32>(), any::<bool>());
        let sample = sample.prop_map(|(latency, phases, bytes_out, bytes_in, ok)| Sample {
            series: SeriesId(0),
            ended: Duration::ZERO,
            latency: Duration::from_nanos(latency),
            late: Duration::from_nanos(if bytes_in % 3 == 0 { latency / 2 } else { 0 }),
            phases,
            bytes_out: u64::from(bytes_out),
            bytes_in: u64::from(bytes_in),
            outcome: if ok { Ok(()) } else { Err(Failure::new(ErrorKind::Status, "status 500")) },
        });
        prop::collection::vec(sample, 0..most)
    }

    fn recorded<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> SeriesStats {
        let mut stats = SeriesStats::default();
        for sample in samples {
            stats.record(sample);
        }
        stats
    }

    #[test]
    fn a_sample_is_counted_in_all_sums() {
        let us = |microseconds| Some(Duration::from_micros(microseconds));
        let mut sample = Sample {
            series: SeriesId(0),
            ended: Duration::ZERO,
            latency: Duration::from_millis(2),
            late: Duration::ZERO,
            phases: Phases { connect: us(100), tls: us(200), first_byte: us(300), body: us(400) },
            bytes_out: 50,
            bytes_in: 7_000,
            outcome: Ok(()),
        };
        let mut stats = recorded([&sample]);
        sample.phases =
            Phases { connect: None, tls: None, first_byte: Some(Duration::from_nanos(1_500)), body: None };
        sample.outcome = Err(Failure::new(ErrorKind::Reset, "reset"));
        stats.record(&sample);
        assert_eq!((stats.ok, stats.failed, stats.requests()), (1, 1, 2));
        assert_eq!((stats.bytes_in, stats.bytes_out), (14_000, 100));
        let phases = PhaseSums { connect: (1, 100), tls: (1, 200), first_byte: (2, 302), body: (1, 400) };
        assert_eq!(stats.phases, phases);
        assert_eq!(stats.latency.count(), 2);
    }

    #[test]
    fn traffic_is_counted_beside_requests() {
        let mut stats = SeriesStats::default();
        assert!(stats.is_empty());
        let traffic = Traffic { messages_sent: 1, messages_received: 2, bytes_in: 30, bytes_out: 4 };
        stats.carry(&traffic);
        let mut both = stats.clone();
        both.merge(&stats);
        assert!(!stats.is_empty());
        assert_eq!((both.messages_sent, both.messages_received), (2, 4));
        assert_eq!((both.bytes_in, both.bytes_out, both.requests()), (60, 8, 0));
    }

    #[test]
    fn sums_from_a_peer_cannot_overflow() {
        let mut stats = SeriesStats { ok: u64::MAX, failed: 1, bytes_in: u64::MAX, ..SeriesStats::default() };
        stats.phases.body = (u64::MAX, u64::MAX);
        let copy = stats.clone();
        stats.merge(&copy);
        assert_eq!((stats.requests(), stats.bytes_in, stats.failed), (u64::MAX, u64::MAX, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merged_parts_equal_the_whole(samples in samples(60), owners in prop::collection::vec(0_usize..3, 60)) {
            let part = |owner| recorded(samples.iter().zip(&owners).filter(|pair| *pair.1 == owner).map(|pair| pair.0));
            let (a, b, c) = (part(0), part(1), part(2));
            let merged = |parts: &[&SeriesStats]| {
                let mut merged = SeriesStats::default();
                for part in parts {
                    merged.merge(part);
                }
                merged
            };
            let whole = recorded(&samples);
            prop_assert_eq!(&merged(&[&a, &b, &c]), &whole);
            prop_assert_eq!(&merged(&[&c, &a, &b]), &whole);
            prop_assert_eq!(&merged(&[&a, &merged(&[&c, &b])]), &whole);
            prop_assert_eq!(whole.requests(), samples.len() as u64);
            prop_assert_eq!(whole.latency.count(), whole.requests());
            let mut service = Histogram::new();
            for sample in &samples {
                service.record(sample.latency.saturating_sub(sample.late));
            }
            prop_assert_eq!(whole.service(), &service);
            prop_assert_eq!(whole.service.is_some(), samples.iter().any(|sample| !sample.late.is_zero()));
        }
    }
}
