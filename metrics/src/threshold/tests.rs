use super::*;
use crate::{Percentile, unit::UnitError};
use proptest::prelude::*;

fn parsed(sentence: &str) -> Threshold {
    Threshold::parse(sentence).unwrap_or_else(|error| panic!("{sentence}: {error} ({})", error.remedy))
}

#[test]
fn good_sentences_are_understood() {
    let p = |text| Metric::Latency(Percentile::parse(text).unwrap());
    let s = |seconds| Some(Duration::from_secs(seconds));
    for (sentence, metric, op, value, critical, over, samples, abort) in [
        ("success_rate >= 99%", Metric::SuccessRate, Op::GreaterOrEqual, 99.0, None, None, None, None),
        ("success_rate == 100%", Metric::SuccessRate, Op::Equal, 100.0, None, None, None, None),
        ("error_rate < 0.5%", Metric::ErrorRate, Op::Less, 0.5, None, None, None, None),
        (
            "error_rate <= 1% critical 5%",
            Metric::ErrorRate,
            Op::LessOrEqual,
            1.0,
            Some(5.0),
            None,
            None,
            None,
        ),
        ("min >= 500us", Metric::Min, Op::GreaterOrEqual, 0.5, None, None, None, None),
        ("mean < 1.5s", Metric::Mean, Op::Less, 1_500.0, None, None, None, None),
        ("p50 != 1ms", p("p50"), Op::NotEqual, 1.0, None, None, None, None),
        ("p95 <= 500ms critical 1s", p("p95"), Op::LessOrEqual, 500.0, Some(1_000.0), None, None, None),
        ("p99.9 <= 2s over 10s", p("p99.9"), Op::LessOrEqual, 2_000.0, None, s(10), None, None),
        ("p99.999 <= 1h", p("p99.999"), Op::LessOrEqual, 3_600_000.0, None, None, None, None),
        ("max <= 1m30s abort", Metric::Max, Op::LessOrEqual, 90_000.0, None, None, None, s(5)),
        ("rate >= 10/s critical 300/m", Metric::Rate, Op::GreaterOrEqual, 10.0, Some(5.0), None, None, None),
        ("count > 10000", Metric::Count, Op::Greater, 10_000.0, None, None, None, None),
        ("failures == 0", Metric::Failures, Op::Equal, 0.0, None, None, None, None),
        (
            "failures <= 5 critical 50 over 1h abort",
            Metric::Failures,
            Op::LessOrEqual,
            5.0,
            Some(50.0),
            s(3_600),
            None,
            s(5),
        ),
        ("p95 < 1s samples 50 abort after 1m", p("p95"), Op::Less, 1_000.0, None, None, Some(50), s(60)),
        ("rate > 1/s over 5s samples 1", Metric::Rate, Op::Greater, 1.0, None, s(5), Some(1), None),
    ] {
        let threshold = parsed(sentence);
        assert_eq!(threshold.expression, sentence);
        assert_eq!(threshold.to_string(), sentence);
        assert_eq!((threshold.metric, threshold.op), (metric, op), "{sentence}");
        assert_eq!((Some(threshold.value), threshold.critical), (Some(value), critical), "{sentence}");
        assert_eq!(
            (threshold.over, threshold.samples, threshold.abort),
            (over, samples, abort),
            "{sentence}"
        );
    }
}

#[test]
fn white_space_is_folded() {
    for sentence in ["p95<=200ms critical 1s", "  p95  <=200ms\tcritical\n1s ", "p95 <= 200ms critical 1s"] {
        assert_eq!(parsed(sentence), parsed("p95 <= 200ms critical 1s"), "{sentence}");
    }
}

#[test]
fn metrics_name_themselves_and_their_unit() {
    for (sentence, name, unit) in [
        ("success_rate >= 99%", "success_rate", "%"),
        ("error_rate <= 1%", "error_rate", "%"),
        ("min <= 1s", "min", "ms"),
        ("mean <= 1s", "mean", "ms"),
        ("p99.90 <= 1s", "p99.9", "ms"),
        ("max <= 1s", "max", "ms"),
        ("rate >= 1/s", "rate", "/s"),
        ("count >= 1", "count", ""),
        ("failures <= 1", "failures", ""),
    ] {
        let metric = parsed(sentence).metric;
        assert_eq!((metric.name().as_str(), metric.unit()), (name, unit));
        assert_eq!(parsed(&metric.example()).metric, metric);
    }
}

const METRICS: &str = "`success_rate`, `error_rate`, `min`, `mean`, `p50` (any percentile, as in `p99.9`), `max`, \
                       `rate`, `count` or `failures`";
const GRAMMAR: &str =
    "the order is METRIC OP VALUE [critical VALUE] [over WINDOW] [samples N] [abort [after TIME]]";

fn check_refused(cases: &[(&str, &str, &str)]) {
    for (sentence, problem, remedy) in cases {
        assert_eq!(Threshold::parse(sentence), Err(UnitError::new(*problem, *remedy)), "{sentence}");
    }
}

#[test]
fn unknown_metrics_are_refused_with_a_guess() {
    let guess = |name: &str| format!("did you mean `{name}`? Metrics are {METRICS}");
    check_refused(&[
        ("sucess_rate >= 99%", "`sucess_rate` is not a metric", &guess("success_rate")),
        ("success-rate >= 99%", "`success-rate` is not a metric", &guess("success_rate")),
        ("P95 <= 1s", "`P95` is not a metric", &guess("p95")),
        ("p(95) <= 1s", "`p(95)` is not a metric", &guess("p95")),
        ("avg <= 1s", "`avg` is not a metric", &guess("mean")),
        ("median <= 1s", "`median` is not a metric", &guess("p50")),
        ("rps >= 1/s", "`rps` is not a metric", &guess("rate")),
        ("failure <= 1", "`failure` is not a metric", &guess("failures")),
        ("colour <= 1", "`colour` is not a metric", &format!("use one of {METRICS}")),
        ("<= 200ms", "`<=` is not a metric", &format!("use one of {METRICS}")),
        ("p101 <= 1s", "`p101` is not above 0 and up to 100", "write one such as `p95` or `p99.9`"),
        ("p0 <= 1s", "`p0` is not above 0 and up to 100", "write one such as `p95` or `p99.9`"),
    ]);
}

#[test]
fn broken_sentences_are_refused_with_a_remedy() {
    let ops = "use one of `<`, `<=`, `>`, `>=`, `==`, `!=`";
    let windows = "write `over 1s` to `over 1h`";
    let not_whole =
        |text: &str| format!("the window `{text}` is not a number of whole seconds up to an hour");
    check_refused(&[
        ("", "the threshold is empty", "write one such as `p95 <= 200ms`"),
        (&"x".repeat(201), "a threshold of 201 bytes is longer than 200", "write one such as `p95 <= 200ms`"),
        ("p95", "`p95` is compared with nothing", "write one such as `p95 <= 200ms`"),
        ("rate >=", "`rate >=` has no value", "write one such as `rate >= 10/s`"),
        ("p95 = 200ms", "`=` is not a comparison", "write `==`"),
        ("p95 =< 200ms", "`=<` is not a comparison", "write `<=`"),
        ("p95 ≤ 200ms", "`≤` is not a comparison", "write `<=`"),
        ("p95 => 200ms", "`=>` is not a comparison", "write `>=`"),
        ("p95 below 200ms", "`below` is not a comparison", "write `<`"),
        ("p95 200ms", "`200ms` is not a comparison", ops),
        ("p95 <= 200ms critical", "`critical` has no value", "write one such as `p95 <= 500ms critical 1s`"),
        ("p95 <= 200ms over", "`over` has no window", "write one such as `p95 <= 500ms over 10s`"),
        ("p95 <= 200ms over 10", "`10` has no unit", "write `10ms` or `10s`"),
        ("p95 <= 200ms over 500ms", &not_whole("500ms"), windows),
        ("p95 <= 200ms over 1.5s", &not_whole("1.5s"), windows),
        ("p95 <= 200ms over 2h", &not_whole("2h"), windows),
        ("p95 <= 200ms abort over 10s", "`over` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms over 10s critical 1s", "`critical` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms samples", "`samples` has no number", "write one such as `p95 <= 500ms samples 100`"),
        (
            "p95 <= 200ms samples 0",
            "`0` is not a number of requests",
            "write one such as `p95 <= 500ms samples 100`",
        ),
        (
            "p95 <= 200ms abort after",
            "`after` has no time",
            "write one such as `p95 <= 500ms abort after 30s`",
        ),
        (
            "p95 <= 200ms abort after 500ms",
            "the time `500ms` is not a number of whole seconds up to an hour",
            "write `abort after 1s` to `abort after 1h`",
        ),
        ("p95 <= 200ms after 5s", "`after` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms samples 5 over 5s", "`over` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms abort after 5s after 6s", "`after` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms abort abort", "`abort` stands in the wrong place or twice", GRAMMAR),
        ("p95 <= 200ms 300ms", "`300ms` is not expected here", &format!("leave it out: {GRAMMAR}")),
        (
            "p95 <= 200ms crtical 1s",
            "`crtical` is not expected here",
            &format!("did you mean `critical`? Otherwise leave it out: {GRAMMAR}"),
        ),
        (
            "p95 <= 200ms critical 100ms",
            &lenient("100ms"),
            "with `<=`, write a critical value above the target",
        ),
        (
            "p95 < 200ms critical 200ms",
            &lenient("200ms"),
            "with `<`, write a critical value above the target",
        ),
        (
            "success_rate >= 95% critical 99%",
            &lenient("99%"),
            "with `>=`, write a critical value below the target",
        ),
        (
            "rate > 10/s critical 600/m",
            &lenient("600/m"),
            "with `>`, write a critical value below the target",
        ),
        (
            "failures == 0 critical 5",
            "`critical` has no meaning with `==`",
            "compare with `<`, `<=`, `>` or `>=`, or leave `critical` out",
        ),
    ]);
}

fn lenient(value: &str) -> String {
    format!("the critical value `{value}` is not more lenient than the target")
}

#[test]
fn wrong_units_are_refused_by_what_the_metric_needs() {
    check_refused(&[
        ("p95 <= 200", "p95 is a latency, `200` is not", "write `200ms`, not `200`"),
        ("p95 <= 200 ms", "p95 is a latency, `200` is not", "write `200ms`, not `200`"),
        ("mean <= 99%", "mean is a latency, `99%` is not", "write `200ms`, not `99%`"),
        ("max <= 10/s", "max is a latency, `10/s` is not", "write `200ms`, not `10/s`"),
        ("p95 <= 500ms critical 1", "p95 is a latency, `1` is not", "write `1ms`, not `1`"),
        ("p95 <= 200sec", "`200sec` has the unknown unit `sec`", "write `200s`"),
        ("p95 <= -5ms", "`-5ms` is negative", "write a duration of zero or more, such as `2s`"),
        ("success_rate >= 99", "success_rate is a percentage, `99` is not", "write `99%`"),
        (
            "success_rate >= 0.99",
            "success_rate is a percentage, `0.99` is not",
            "write `99%`, or `0.99%` if that is meant",
        ),
        ("error_rate <= 1s", "error_rate is a percentage, `1s` is not", "write `1%`, not `1s`"),
        ("success_rate >= 120%", "`120%` is more than everything", "write a percentage from `0%` to `100%`"),
        ("rate >= 10", "rate is requests per time, `10` is not", "write `10/s`, not `10`"),
        ("rate >= 10%", "rate is requests per time, `10%` is not", "write `10/s`, not `10%`"),
        ("rate >= 10/sec", "`10/sec` has the unknown unit `/sec`", "write `10/s`"),
        ("rate > 0/s", "the rate `0/s` is zero", "write a rate above zero, such as `10/s` or `0.5/s`"),
        ("count >= 10/s", "count is a whole number, `10/s` is not", "write `1000`, not `10/s`"),
        ("failures <= 1.5", "failures is a whole number, `1.5` is not", "write `10`, not `1.5`"),
        ("failures <= few", "failures is a whole number, `few` is not", "write `10`, not `few`"),
        ("failures <= +1", "failures is a whole number, `+1` is not", "write `10`, not `+1`"),
    ]);
}

#[test]
fn sentences_that_cannot_come_out_both_ways_are_refused() {
    let share = |name| format!("write another value: {name} lies between `0%` and `100%`");
    let latency = "write another value: latencies are measured from `1us` to `1h`";
    let count = "write another value: without requests there is no data, so count is 1 or more";
    check_refused(&[
        ("success_rate > 100%", "`success_rate > 100%` can never be met", &share("success_rate")),
        ("error_rate < 0%", "`error_rate < 0%` can never be met", &share("error_rate")),
        ("p95 <= 0ms", "`p95 <= 0ms` can never be met", latency),
        ("p95 < 1us", "`p95 < 1us` can never be met", latency),
        ("p95 == 0s", "`p95 == 0s` can never be met", latency),
        ("max > 1h", "`max > 1h` can never be met", latency),
        ("max <= 2h", "`max <= 2h` can never be missed", latency),
        ("count <= 0", "`count <= 0` can never be met", count),
        ("count == 0", "`count == 0` can never be met", count),
        ("failures < 0", "`failures < 0` can never be met", "write another value: failures is 0 or more"),
    ]);
}

proptest! {
    #[test]
    fn any_sentence_is_answered(
        sentence in "(p95|p[0-9.]{0,6}|rate|count|.{0,5}) ?(<|<=|>=|==|=|.{0,2}) ?[0-9.]{0,22}(ms|s|%|/s|.{0,3})( critical .{0,9})?( over .{0,6})?( abort)?|.*"
    ) {
        match Threshold::parse(&sentence) {
            Ok(threshold) => prop_assert_eq!(&parsed(&threshold.expression), &threshold),
            Err(error) => {
                prop_assert!(!error.problem.is_empty() && !error.remedy.is_empty());
                prop_assert!(error.problem.chars().count() < 500 && error.remedy.chars().count() < 500);
            }
        }
    }
}
