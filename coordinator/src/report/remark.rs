//! What is said of a threshold beside its outcome.

use super::model::ThresholdRow;
use crate::results::quantity;

/// How sure the observed value is, which window it is of, and whether it stopped the run; a sentence each, without a full
/// stop.
pub(super) fn remarks(row: &ThresholdRow) -> Vec<String> {
    let value = |value: f64| match row.unit {
        "ms" => quantity::milliseconds_to(value, 3),
        unit => format!("{}{unit}", quantity::decimal(value, 2)),
    };
    let interval = match (row.ci_low, row.ci_high) {
        (Some(low), Some(high)) => Some(format!("95 % interval {} to {}", value(low), value(high))),
        (Some(low), None) => Some(format!("95 % interval from {} on", value(low))),
        (None, Some(high)) => Some(format!("95 % interval up to {}", value(high))),
        (None, None) => None,
    };
    let straddles = if row.straddles { ": it straddles the limit" } else { "" };
    let interval = interval.map(|interval| format!("{interval}{straddles}"));
    let window = row.window.as_ref().map(|window| {
        let (from, to) = (window.from_s, window.to_s);
        format!("worst window {from} s to {to} s; {} of {} missed", window.missed, window.judged)
    });
    let aborted = row.aborted_at_s.map(|at| format!("stopped the run at {} s", quantity::decimal(at, 1)));
    [interval, window, aborted].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;
    use serde_json::json;

    #[test]
    fn intervals_windows_and_stops_are_told() {
        let told = |fields: serde_json::Value| {
            let mut row = serde_json::to_value(&sample().thresholds[1]).unwrap();
            for (key, value) in fields.as_object().unwrap() {
                row[key] = value.clone();
            }
            remarks(&serde_json::from_value(row).unwrap())
        };
        let none = json!({ "ci_low": null, "ci_high": null, "straddles": false, "window": null });
        assert_eq!(told(none), Vec::<String>::new());
        let all = json!({ "ci_low": 190.2, "ci_high": 212.0, "straddles": true, "aborted_at_s": 31.0,
            "window": { "from_s": 12, "to_s": 22, "judged": 9, "missed": 2 } });
        let expected = [
            "95 % interval 190 ms to 212 ms: it straddles the limit",
            "worst window 12 s to 22 s; 2 of 9 missed",
            "stopped the run at 31.0 s",
        ];
        assert_eq!(told(all), expected);
        let half = json!({ "ci_low": null, "ci_high": 2_500.0, "straddles": false });
        assert_eq!(told(half), ["95 % interval up to 2.5 s"]);
        assert_eq!(
            told(json!({ "ci_low": 7.0, "ci_high": null, "straddles": false })),
            ["95 % interval from 7 ms on"]
        );
    }
}
