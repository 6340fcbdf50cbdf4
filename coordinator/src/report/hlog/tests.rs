use super::*;
use crate::report::tests::{hostile, sample};
use std::io::Read as _;
use std::process::Command;

#[test]
fn every_line_is_a_histogram_and_all_of_them_are_the_totals() {
    let text = render(&sample());
    let mut lines = text.lines().skip_while(|line| line.starts_with('#'));
    let head = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"";
    assert_eq!(lines.next(), Some(head));
    let mut sums: BTreeMap<String, Histogram> = BTreeMap::new();
    for line in lines {
        let (tag, rest) = match line.strip_prefix("Tag=") {
            Some(tagged) => tagged.split_once(',').unwrap(),
            None => ("", line),
        };
        let fields: Vec<&str> = rest.split(',').collect();
        assert_eq!((fields.len(), fields[1]), (4, "1.000"), "{line}");
        let bytes = BASE64_STANDARD.decode(fields[3]).unwrap();
        assert_eq!(bytes[..4], COMPRESSED.to_be_bytes());
        assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_be_bytes());
        let mut plain = Vec::new();
        flate2::read::ZlibDecoder::new(&bytes[8..]).read_to_end(&mut plain).unwrap();
        sums.entry(tag.to_owned()).or_default().merge_v2(&plain).unwrap();
    }
    let counts: Vec<(&str, u64)> =
        sums.iter().map(|(tag, histogram)| (tag.as_str(), histogram.count())).collect();
    let expected = [
        ("", 1000),
        ("group:auth", 1000),
        ("request:AuthUser/on_start/POST%20/api/v1/auth/login", 100),
        ("request:AuthUser/profile/GET%20/api/v1/me", 900),
    ];
    assert_eq!(counts, expected);
    assert_eq!(sums[""], sample().totals.latency_hdr.unwrap().histogram());
}

#[test]
fn a_name_is_one_tag_whatever_is_in_it() {
    assert_eq!(tag("a,b %\n\u{2028}é"), "a%2Cb%20%25%0A%E2%80%A8é");
    let text = render(&hostile());
    assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text}");
}

/// A Python with `hdrhistogram` of PyPI, in a virtual environment that is made once; what is in the way, if something is.
fn python() -> Result<std::path::PathBuf, String> {
    let place = std::env::temp_dir().join("muster-hdrhistogram-0.10");
    let python = place.join("bin/python");
    let run = |program: &std::path::Path, args: &[&str]| {
        let output =
            Command::new(program).args(args).output().map_err(|error| format!("{program:?}: {error}"))?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{program:?} {args:?}: {told}")) }
    };
    let import = ["-c", "import hdrh.log"];
    if run(&python, &import).is_err() {
        let path = place.to_str().ok_or("the directory for temporary files is not UTF-8")?;
        run("python3".as_ref(), &["-m", "venv", path])?;
        run(&python, &["-m", "pip", "install", "--quiet", "hdrhistogram"])?;
        run(&python, &import)?;
    }
    Ok(python)
}

#[test]
fn another_implementation_reads_the_same_samples() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            return eprintln!(
                "SKIPPED: no `hdrhistogram` of PyPI here ({why}), so nobody else has read latency.hlog"
            );
        }
    };
    for (name, report) in [("sample", sample()), ("hostile", hostile())] {
        let path = std::env::temp_dir().join(format!("muster-{name}-{}.hlog", std::process::id()));
        std::fs::write(&path, render(&report)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/hlog/read.py");
        let output = Command::new(&python).arg(script).arg(&path).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        let found: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let mut expected = vec![(String::new(), &report.totals)];
        expected.extend(report.groups.iter().map(|row| (format!("group:{}", tag(&row.name)), &row.totals)));
        expected
            .extend(report.requests.iter().map(|row| (format!("request:{}", tag(&row.path())), &row.totals)));
        expected.retain(|(_, totals)| totals.requests > 0);
        assert_eq!(found["tags"].as_object().unwrap().len(), expected.len(), "{name}: {found}");
        for (tag, totals) in expected {
            let (theirs, ours) = (&found["tags"][&tag], totals.latency_hdr.as_ref().unwrap().histogram());
            assert_eq!(theirs["samples"], totals.requests, "{name} {tag}");
            assert_eq!(theirs["max"], ours.max().unwrap().as_micros() as u64, "{name} {tag}");
            let counts: Vec<(u64, u64)> =
                ours.iter_recorded().map(|(value, n)| (value.as_micros() as u64, n)).collect();
            assert_eq!(theirs["counts"], serde_json::json!(counts), "{name} {tag}");
        }
    }
}
