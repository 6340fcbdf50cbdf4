//! Hostile bytes must not make the decoder allocate what they ask for.
#![cfg(target_os = "linux")]

use metrics::Histogram;
use std::time::Duration;

/// Most memory that this process ever had resident, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux reports VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("VmHWM is a number of kB")
}

#[test]
fn hostile_histograms_cost_no_memory() {
    let mut honest = Histogram::new();
    for latency in 1..50_000 {
        honest.record(Duration::from_micros(latency));
    }
    let mut bytes = Vec::new();
    honest.encode_v2(&mut bytes);
    let mut totals = Histogram::new();
    totals.merge_v2(&bytes).expect("an honest histogram is accepted");

    let before = peak_kib();
    // A payload of 4 GiB announced; 5 digits up to 2^64 - 1; the same with the bytes of an honest payload.
    for (at, patch) in [(4, u32::MAX.to_be_bytes()), (12, 5_u32.to_be_bytes()), (24, u32::MAX.to_be_bytes())]
    {
        let mut hostile = bytes.clone();
        hostile[at..at + 4].copy_from_slice(&patch);
        for length in [40, 44, hostile.len()] {
            for _ in 0..100 {
                let mut fresh = Histogram::new();
                assert!(fresh.merge_v2(&hostile[..length]).is_err());
                assert!(totals.merge_v2(&hostile[..length]).is_err());
            }
        }
    }
    for _ in 0..1_000 {
        totals.merge_v2(&bytes).expect("an honest histogram is accepted");
    }
    let grown = peak_kib() - before;
    assert!(grown < 1_024, "decoding grew the process by {grown} KiB");
}
