use super::*;
use crate::results::Results;
use crate::results::fixture::{Scripted, plan};
use crate::settings::OtlpHistograms;
use plan::Plan;
use std::sync::Arc;
use std::time::Duration;

/// A plan, and how a run of it stands after a window of two series.
fn moment() -> (Plan, Moment) {
    let mut results = Results::new(Arc::new(plan(&[])));
    results.agent_joined(crate::fleet::AgentId(0));
    let window = Scripted::new(0, "a").window(0, 10, &[(0, 9, 1, 40), (2, 5, 0, 700)]);
    results.apply(crate::fleet::AgentId(0), &window).unwrap();
    let moment = Moment {
        phase: Phase::Load,
        start: Some(1_763_712_000_250),
        elapsed: Duration::from_millis(1_500),
        verdict: None,
        snapshot: results.snapshot(),
    };
    (plan(&[]), moment)
}

fn text(families: Vec<Family>) -> String {
    String::from_utf8(Exposition::Text.encode(families).unwrap()).unwrap()
}

#[test]
fn a_run_is_told_as_open_metrics() {
    let (plan, moment) = moment();
    let about = About::new("20261121-080000-abcd", &plan);
    let told = text(families(&about, &moment));
    let series = &about.series[0];
    let labels = format!(
        "user_class=\"{}\",task=\"{}\",request=\"{}\",method=\"{}\",group=\"{}\"",
        series[0], series[1], series[2], series[3], series[4]
    );
    for line in [
        "# TYPE muster_run_info gauge",
        "muster_run_phase{phase=\"load\"} 1.0",
        "muster_run_phase{phase=\"over\"} 0.0",
        "muster_run_start_timestamp_seconds 1763712000.25",
        "muster_run_elapsed_seconds 1.5",
        "# UNIT muster_request_duration_seconds seconds",
        "# TYPE muster_requests counter",
        "muster_agents{state=\"running\"} 1.0",
        &format!("muster_requests_total{{{labels},result=\"ok\"}} 9"),
        &format!("muster_requests_total{{{labels},result=\"failed\"}} 1"),
        &format!("muster_request_duration_seconds_count{{{labels}}} 10"),
        &format!("muster_request_duration_seconds_bucket{{le=\"0.025\",{labels}}} 0"),
        &format!("muster_request_duration_seconds_bucket{{le=\"0.05\",{labels}}} 10"),
        &format!("muster_request_duration_seconds_bucket{{le=\"+Inf\",{labels}}} 10"),
    ] {
        assert!(told.lines().any(|known| known == line), "{line}\n{told}");
    }
    assert!(told.ends_with("# EOF\n"));
    for absent in ["muster_run_verdict", "muster_arrivals", "muster_iterations", "muster_observed"] {
        assert!(!told.contains(absent), "{absent}\n{told}");
    }
    let over = Moment { phase: Phase::Over, verdict: Some("warn"), ..moment };
    assert!(text(families(&about, &over)).contains("\nmuster_run_verdict{verdict=\"warn\"} 1.0\n"));
}

#[test]
fn names_from_outside_stay_within_their_labels() {
    let (plan, moment) = moment();
    let mut about = About::new("r", &plan);
    about.series[0][2] = "a\"} 1\nup{x=\"\\".to_owned();
    let told = text(families(&about, &moment));
    assert!(!told.lines().any(|line| line.starts_with("up")), "{told}");
    assert!(told.contains(r#"request="a\"} 1\nup{x=\"\\""#), "{told}");
}

#[test]
fn series_beyond_the_most_are_added_up_by_group() {
    let (plan, mut moment) = moment();
    let mut about = About::new("r", &plan);
    let (labels, standing) = (about.series[0].clone(), moment.snapshot.series[0].clone());
    about.series = vec![labels; MAX_SERIES + 30];
    for (number, labels) in about.series.iter_mut().enumerate() {
        labels[4] = if number % 2 == 0 { "even" } else { "odd" }.to_owned();
    }
    about.requests = vec![true; MAX_SERIES + 30];
    moment.snapshot.series = vec![standing; MAX_SERIES + 30];
    let all = families(&about, &moment);
    let latency = all.iter().find(|family| family.name == "muster_request_duration").unwrap();
    assert_eq!(latency.points.len(), MAX_SERIES + 2);
    let count = |(_, value): &(Labels, Value)| match value {
        Value::Histogram(distribution) => distribution.count,
        other => panic!("{other:?}"),
    };
    assert_eq!(latency.points.iter().map(count).sum::<u64>(), 10 * (MAX_SERIES as u64 + 30));
    let (others, _) = latency.points.last().unwrap();
    assert_eq!((&*others[2].1, &*others[4].1), (OTHERS, "odd"));
}

#[test]
fn who_asks_for_protobuf_gets_native_histograms_beside_classic_ones() {
    use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::MetricFamily;
    use prost::Message as _;
    let (plan, moment) = moment();
    let all = families(&About::new("r", &plan), &moment);
    let names: Vec<String> = all
        .iter()
        .map(|family| match family.unit.suffix() {
            Some(unit) => format!("{}_{unit}", family.name),
            None => family.name.to_owned(),
        })
        .collect();
    let body = Exposition::Protobuf.encode(all).unwrap();
    let (mut rest, mut found) = (&body[..], Vec::new());
    while !rest.is_empty() {
        found.push(MetricFamily::decode_length_delimited(&mut rest).unwrap());
    }
    let told: Vec<&str> = found.iter().map(|family| family.name.trim_end_matches("_total")).collect();
    assert_eq!(told, names);
    let latency = found.iter().find(|family| family.name == "muster_request_duration_seconds").unwrap();
    let histogram = latency.metric[0].histogram.as_ref().unwrap();
    assert_eq!((histogram.sample_count, histogram.schema), (10, SCHEMA));
    assert_eq!(histogram.bucket.last().map(|bucket| bucket.cumulative_count), Some(10));
    // 40 ms is above 2^(-38/8) = 37.2 ms and at most 2^(-37/8) = 40.5 ms.
    let spans: Vec<_> = histogram.positive_span.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!((spans, &histogram.positive_delta[..]), (vec![(-37, 1)], &[10][..]));
}

#[test]
fn scrapers_get_what_they_prefer_of_what_there_is() {
    let check =
        |accept: &str, expected: Exposition| assert_eq!(Exposition::wanted(accept), expected, "{accept}");
    let protobuf =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6";
    check("", Exposition::Text);
    check("*/*", Exposition::Text);
    check(
        &format!("{protobuf},application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"),
        Exposition::Protobuf,
    );
    check(
        &format!("application/openmetrics-text;version=1.0.0;q=0.7,{protobuf},*/*;q=0.1"),
        Exposition::Text,
    );
    check("application/vnd.google.protobuf", Exposition::Text);
    check("text/plain;version=0.0.4", Exposition::Text);
}

#[test]
fn a_run_is_told_as_otlp_in_the_buckets_that_were_asked_for() {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
    let (plan, moment) = moment();
    let about = About::new("r", &plan);
    let now = 1_763_712_002_000_000_000;
    let told = |histograms| {
        let request = otlp_request(&about, &moment, now, histograms);
        let mut resource = request.resource_metrics;
        resource.remove(0).scope_metrics.remove(0).metrics
    };
    let all = told(OtlpHistograms::Explicit);
    let find = |name: &str| all.iter().find(|metric| metric.name == name).unwrap().clone();
    let requests = find("muster_requests");
    let Some(Data::Sum(sum)) = requests.data else { panic!("{requests:?}") };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2, "cumulative: {sum:?}");
    let first = &sum.data_points[0];
    assert_eq!(first.value, Some(Number::AsInt(9)));
    assert_eq!((first.start_time_unix_nano, first.time_unix_nano), (1_763_712_000_250_000_000, now));
    let keys: Vec<&str> = first.attributes.iter().map(|attribute| &*attribute.key).collect();
    assert_eq!(keys, ["user_class", "task", "request", "method", "group", "result"]);
    let elapsed = find("muster_run_elapsed");
    assert!(elapsed.unit == "s" && matches!(elapsed.data, Some(Data::Gauge(_))), "{elapsed:?}");

    let latency = find("muster_request_duration");
    let Some(Data::Histogram(explicit)) = &latency.data else { panic!("{latency:?}") };
    let point = &explicit.data_points[0];
    assert_eq!((point.count, point.bucket_counts.len(), point.explicit_bounds.len()), (10, 16, 15));
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 10);
    let all = told(OtlpHistograms::Exponential);
    let latency = all.iter().find(|metric| metric.name == "muster_request_duration").unwrap();
    let Some(Data::ExponentialHistogram(fine)) = &latency.data else { panic!("{latency:?}") };
    let point = &fine.data_points[0];
    let buckets = point.positive.as_ref().unwrap();
    // 40 ms is above 2^(-38/8) s = 37.2 ms, where bucket -38 begins.
    assert_eq!((point.scale, buckets.offset, &buckets.bucket_counts[..]), (3, -38, &[10][..]));
    // A series without requests has buckets that say nothing.
    assert_eq!(fine.data_points[1].count, 0);
}
