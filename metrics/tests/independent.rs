//! Another implementation of HdrHistogram, in another language, reads what we write, and we read what it writes.

use metrics::{Histogram, Percentile};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A Python with `hdrhistogram` of PyPI, in a virtual environment that is made once; what is in the way, if something is.
fn python() -> Result<PathBuf, String> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hdrhistogram-0.10");
    let python = place.join("bin/python");
    let run = |program: &Path, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{} {args:?}: {told}", program.display())) }
    };
    let import = ["-c", "import hdrh.histogram"];
    if run(&python, &import).is_err() {
        let path = place.to_str().ok_or("the directory of the build is not UTF-8")?;
        run(Path::new("python3"), &["-m", "venv", path])?;
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "hdrhistogram>=0.10,<0.11"];
        run(&python, &install)?;
        run(&python, &import)?;
    }
    Ok(python)
}

/// One value, both ends (but for the last slot, whose highest value is 1 h for us and its end for others), what only a slow few
/// have, where slots become wider, counts of many digits, and many values.
fn histograms() -> Vec<Histogram> {
    let of = |samples: &[(u64, u64)]| {
        let mut histogram = Histogram::new();
        for (us, count) in samples {
            histogram.record_n(Duration::from_micros(*us), *count);
        }
        histogram
    };
    let mut wide = Histogram::new();
    let mut us = 1_u64;
    for n in 0..2_000_u64 {
        wide.record_n(Duration::from_micros(us), n % 7 + 1);
        us = (us * 1_010 / 1_000).max(us + 1).min(3_590_000_000);
    }
    vec![
        of(&[(1, 1)]),
        of(&[(1, 2), (3_590_000_000, 3)]),
        of(&[(7_000, 96), (1_502_000, 6)]),
        of(&[(2_047, 1), (2_048, 1), (2_049, 1), (4_095, 5)]),
        of(&[(250, 1 << 30), (90_000, (1 << 30) + 12_345)]),
        wide,
    ]
}

#[test]
fn the_encoding_is_what_others_read_and_write() {
    let python = match python() {
        Ok(python) => python,
        Err(why) => {
            return eprintln!(
                "SKIPPED: no `hdrhistogram` of PyPI here ({why}); nobody else has read our histograms"
            );
        }
    };
    let histograms = histograms();
    let mut asked = String::new();
    for histogram in &histograms {
        let mut bytes = Vec::new();
        histogram.encode_v2(&mut bytes);
        for byte in bytes {
            write!(asked, "{byte:02x}").expect("a string takes text");
        }
        asked.push('\n');
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/independent.py");
    let mut child = Command::new(&python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the interpreter has just run");
    child.stdin.take().expect("piped").write_all(asked.as_bytes()).expect("the script reads");
    let output = child.wait_with_output().expect("the child is ours");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).expect("numbers");
    let mut answers = answers.lines();
    for histogram in &histograms {
        let mut words = answers.next().expect("a line for each").split(' ');
        let mut next = || words.next().expect("three words");
        assert_eq!(next().parse(), Ok(histogram.count()), "{histogram:?}");
        let counts: Vec<String> = histogram
            .iter_recorded()
            .map(|(value, count)| format!("{}:{count}", value.as_micros()))
            .collect();
        assert_eq!(next(), counts.join(","), "{histogram:?}");
        let theirs: Vec<u8> = hex(next());
        let mut read = Histogram::new();
        assert_eq!(read.merge_v2(&theirs), Ok(histogram.count()), "{histogram:?}");
        assert_eq!(&read, histogram);
        let percentiles =
            [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99, Percentile::P99_9];
        let ours = percentiles.map(|p| histogram.percentile(p).expect("samples").as_micros().to_string());
        assert_eq!(answers.next(), Some(ours.join(" ").as_str()), "{histogram:?}");
    }
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hexadecimal"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}
