use super::*;
use proptest::prelude::*;
use std::time::Duration;

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

#[test]
fn durations_are_read_exactly() {
    for (text, nanoseconds) in [
        ("0s", 0),
        ("0ms", 0),
        ("500us", 500 * US),
        ("500µs", 500 * US),
        ("500μs", 500 * US),
        ("0.001us", 1),
        ("250ms", 250 * MS),
        ("1.5s", 1_500 * MS),
        ("0.1s", 100 * MS),
        ("1.000000000000000000000000s", S),
        (" 5m ", 300 * S),
        ("1h", 3_600 * S),
        ("1h30m", 5_400 * S),
        ("1h0m0.5s", 3_600 * S + 500 * MS),
        ("1d2h3m4s5ms6us", 93_784 * S + 5 * MS + 6 * US),
        ("90m", 5_400 * S),
        ("18446744073709551.615us", u64::MAX),
    ] {
        assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
    }
}

#[test]
fn bad_durations_are_refused_with_a_remedy() {
    let example = "write a number and its unit, such as `500ms`, `1.5s` or `1h30m`";
    let order = "write whole numbers of the larger units first, such as `1h30m` or `1m0.5s`";
    for (text, problem, remedy) in [
        ("500", "`500` has no unit", "write `500ms` or `500s`"),
        ("1.5", "`1.5` has no unit", "write `1.5ms` or `1.5s`"),
        ("0", "`0` has no unit", "write `0ms` or `0s`"),
        ("1h30", "`1h30` has no unit", "write `1h30m`"),
        ("1s500", "`1s500` has no unit", "write `1s500ms`"),
        ("", "a duration is missing", "write one such as `500ms` or `2s`"),
        ("-5s", "`-5s` is negative", "write a duration of zero or more, such as `2s`"),
        ("5 s", "`5 s` has spaces in it", "write `5s`"),
        ("1h 30m", "`1h 30m` has spaces in it", "write `1h30m`"),
        ("soon then", "`soon then` has spaces in it", "write one such as `500ms` or `1h30m`"),
        ("ms", "`ms` is not a duration", example),
        (".5s", "`.5s` is not a duration", example),
        ("5.s", "`5.s` is not a duration", example),
        ("1.2.3s", "`1.2.3s` is not a duration", example),
        ("+5s", "`+5s` is not a duration", example),
        ("5sec", "`5sec` has the unknown unit `sec`", "write `5s`"),
        ("5MIN", "`5MIN` has the unknown unit `MIN`", "write `5m`"),
        ("2hours", "`2hours` has the unknown unit `hours`", "write `2h`"),
        ("5x", "`5x` has the unknown unit `x`", "use one of `us`, `ms`, `s`, `m`, `h`, `d`"),
        ("1,5s", "`1,5s` has the unknown unit `,`", "use one of `us`, `ms`, `s`, `m`, `h`, `d`"),
        ("5s\u{7}", "`5s\\u{7}` has the unknown unit `s\\u{7}`", "use one of `us`, `ms`, `s`, `m`, `h`, `d`"),
        ("30m1h", "`30m1h` does not name its units in falling order", order),
        ("1s1s", "`1s1s` does not name its units in falling order", order),
        ("1.5h30m", "`1.5h30m` does not name its units in falling order", order),
        ("0.0001us", "`0.0001us` is finer than a nanosecond", "write at most three decimals of a `us`"),
        ("300000d", "`300000d` is too long to be measured in nanoseconds", "write at most `200000d`"),
        (
            "18446744073709551616s",
            "`18446744073709551616s` is too long to be measured in nanoseconds",
            "write at most `200000d`",
        ),
        (
            "18446744073709551.616us",
            "`18446744073709551.616us` is too long to be measured in nanoseconds",
            "write at most `200000d`",
        ),
    ] {
        assert_eq!(parse_duration(text), Err(UnitError::new(problem, remedy)), "{text}");
    }
}

#[test]
fn durations_are_written_as_people_write_them() {
    for (nanoseconds, text) in [
        (0, "0s"),
        (1, "0.001us"),
        (500 * US, "500us"),
        (999_999, "999.999us"),
        (200 * MS, "200ms"),
        (1_500 * US, "1.5ms"),
        (1_500 * MS, "1.5s"),
        (59 * S + 1, "59.000000001s"),
        (90 * S, "1m30s"),
        (60 * S + 500 * MS, "1m0.5s"),
        (600 * S, "10m"),
        (3_600 * S, "1h"),
        (5_400 * S, "1h30m"),
        (86_400 * S, "1d"),
        (93_784 * S, "1d2h3m4s"),
    ] {
        assert_eq!(format_duration(Duration::from_nanos(nanoseconds)), text);
    }
}

#[test]
fn rates_are_read_exactly() {
    for (text, count, per_ns) in [
        ("10/s", 10, S),
        ("0.5/s", 1, 2 * S),
        ("1.5/s", 3, 2 * S),
        ("0.10/s", 1, 10 * S),
        ("600/m", 600, 60 * S),
        ("600/min", 600, 60 * S),
        ("36000/h", 36_000, 3_600 * S),
        (" 3/h ", 3, 3_600 * S),
        ("18446744073709551615/s", u64::MAX, S),
    ] {
        assert_eq!(parse_rate(text), Ok(Rate { count, per_ns }), "{text}");
    }
    assert!((parse_rate("600/m").unwrap().per_second() - 10.0).abs() < 1e-12);
}

#[test]
fn bad_rates_are_refused_with_a_remedy() {
    let example = "write a number per `s`, `m` or `h`, such as `10/s` or `600/m`";
    let zero = "write a rate above zero, such as `10/s` or `0.5/s`";
    let digits = "write it with fewer digits, such as `10/s` or `3/h`";
    for (text, problem, remedy) in [
        ("10", "`10` has no unit", "write `10/s`"),
        ("0/s", "the rate `0/s` is zero", zero),
        ("0.000/h", "the rate `0.000/h` is zero", zero),
        ("10/sec", "`10/sec` has the unknown unit `/sec`", "write `10/s`"),
        ("10rps", "`10rps` has the unknown unit `rps`", "write `10/s`"),
        ("10 / s", "`10 / s` has the unknown unit `/ s`", "write `10/s`"),
        ("5/hour", "`5/hour` has the unknown unit `/hour`", "write `5/h`"),
        ("10/x", "`10/x` is not a rate", example),
        ("-1/s", "`-1/s` is not a rate", example),
        ("/s", "`/s` is not a rate", example),
        ("10%", "`10%` is not a rate", example),
        ("", "a rate is missing", example),
        ("18446744073709551616/s", "the rate `18446744073709551616/s` has too many digits", digits),
        ("0.00000000001/s", "the rate `0.00000000001/s` has too many digits", digits),
    ] {
        assert_eq!(parse_rate(text), Err(UnitError::new(problem, remedy)), "{text}");
    }
}

#[test]
fn percentages_are_read_exactly() {
    for (text, millionths) in
        [("0%", 0), ("99%", 99_000_000), ("99.95%", 99_950_000), ("100%", 100_000_000), ("0.000001%", 1)]
    {
        assert_eq!(parse_percent_millionths(text), Ok(millionths), "{text}");
    }
    assert!((parse_percent("99.95%").unwrap() - 99.95).abs() < f64::EPSILON);
}

#[test]
fn bad_percentages_are_refused_with_a_remedy() {
    let range = "write a percentage from `0%` to `100%`";
    for (text, problem, remedy) in [
        ("99", "`99` has no unit", "write `99%`"),
        ("1", "`1` has no unit", "write `1%`"),
        ("0.99", "`0.99` has no unit", "write `99%`, or `0.99%` if that is meant"),
        ("0.5", "`0.5` has no unit", "write `50%`, or `0.5%` if that is meant"),
        ("0.9995", "`0.9995` has no unit", "write `99.95%`, or `0.9995%` if that is meant"),
        ("120%", "`120%` is more than everything", range),
        ("100.000001%", "`100.000001%` is more than everything", range),
        ("99999999999999999999%", "`99999999999999999999%` is more than everything", range),
        ("99.1234567%", "`99.1234567%` has more than six decimals", "write one such as `99.95%`"),
        ("-1%", "`-1%` is not a percentage", "write one such as `99%` or `99.95%`"),
        ("5 %", "`5 %` is not a percentage", "write one such as `99%` or `99.95%`"),
        ("200ms", "`200ms` is not a percentage", "write one such as `99%` or `99.95%`"),
        ("", "a percentage is missing", "write one such as `99%`"),
    ] {
        assert_eq!(parse_percent_millionths(text), Err(UnitError::new(problem, remedy)), "{text}");
    }
}

#[test]
fn long_and_odd_texts_are_cut_in_errors() {
    let error = parse_duration(&"x".repeat(100_000)).unwrap_err();
    assert!(error.problem.len() < 200, "{}", error.problem);
    let error = parse_rate(&"0".repeat(100_000)).unwrap_err();
    assert!(error.problem.len() + error.remedy.len() < 200, "{error:?}");
    let error = parse_percent(&"9".repeat(100_000)).unwrap_err();
    assert!(error.problem.len() + error.remedy.len() < 200, "{error:?}");
}

proptest! {
    #[test]
    fn written_durations_read_back(nanoseconds: u64, shift in 0_u32..64) {
        let duration = Duration::from_nanos(nanoseconds >> shift);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn any_text_is_answered(text in "[0-9.]{0,25}[a-zµ/% -]{0,4}[0-9]{0,3}[smh%/]{0,2}|.*") {
        for error in [
            parse_duration(&text).err(),
            parse_rate(&text).err(),
            parse_percent(&text).err(),
            crate::Percentile::parse(&text).err(),
        ].into_iter().flatten() {
            prop_assert!(!error.problem.is_empty() && !error.remedy.is_empty());
            prop_assert!(error.problem.chars().count() < 500 && error.remedy.chars().count() < 500);
        }
    }
}
