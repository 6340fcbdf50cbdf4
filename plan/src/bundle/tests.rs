use super::{Bundle, Files, Settings, sha256_hex};
use metrics::unit::Rate;
use proptest::prelude::*;
use std::time::Duration;

const SAMPLE: &str = include_str!("../../tests/data/platform.yaml");

fn bundle() -> Bundle {
    Bundle { file: "plan.yaml".into(), source: SAMPLE.into(), settings: Settings::default() }
}

fn meaning(change: impl FnOnce(&mut Bundle)) -> String {
    let mut bundle = bundle();
    change(&mut bundle);
    bundle.compile().unwrap_or_else(|e| panic!("{e}")).meaning_sha256()
}

#[test]
fn digests_are_those_of_the_standard() {
    assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn the_encoding_stays_as_it_is() {
    let bundle = Bundle { file: "a.yaml".into(), source: "x: \"y\"\n".into(), settings: Settings::default() };
    assert_eq!(
        String::from_utf8(bundle.to_bytes()).unwrap(),
        r#"{"format":2,"file":"a.yaml","source":"x: \"y\"\n","profile":null,"target":null,"users":null,"spawn_rate":null,"duration":null,"iterations":null,"warmup":null,"params":{},"include_tags":[],"exclude_tags":[],"seed":0,"env":{},"secrets":{},"files":[]}
"#
    );
    let mut with_files = Bundle::from_bytes(&bundle.to_bytes()).unwrap();
    for (name, content) in [("b.csv", "id\n1\n"), ("a.csv", "\n")] {
        with_files.settings.files.insert(name, Ok(content.into()));
    }
    with_files.settings.files.insert("c.csv", Err("no such file".into()));
    let encoded = String::from_utf8(with_files.to_bytes()).unwrap();
    assert!(
        encoded.ends_with("\"secrets\":{},\"files\":[[\"a.csv\",1],[\"b.csv\",5]]}\n\nid\n1\n"),
        "{encoded}"
    );
}

#[test]
fn bytes_that_are_no_bundle_are_refused() {
    let encoded = String::from_utf8(bundle().to_bytes()).unwrap();
    let check = |bytes: &[u8], expected: &str| {
        let error = Bundle::from_bytes(bytes).unwrap_err().to_string();
        assert!(error.starts_with("not a plan bundle: ") && error.contains(expected), "{error}");
    };
    check(b"", "EOF");
    check(&vec![b' '; Bundle::MAX_BYTES + 1], "the limit is 71303169");
    check(encoded.replace("\"format\":2", "\"format\":1").as_bytes(), "format 1");
    check(&vec![b' '; (4 << 20) + 1], "before the files; the limit is 4194304");
    check(encoded.trim_end().as_bytes(), "ends before its files");
    let files = |list: &str| encoded.replace("\"files\":[]", &format!("\"files\":{list}"));
    check(files("[[\"a\",2]]").as_bytes(), "2 bytes, of which 0 are there");
    check(files("[[\"b\",0],[\"a\",0]]").as_bytes(), "order of their names");
    check(files("[[\"a\",0],[\"a\",0]]").as_bytes(), "order of their names");
    check(format!("{encoded}x").as_bytes(), "1 bytes after its files");
    check(encoded.replace("\"seed\"", "\"sead\"").as_bytes(), "unknown field `sead`");
    check(encoded.replace("\"spawn_rate\":null", "\"spawn_rate\":[0,1]").as_bytes(), "0 per 1 ns");
    check(encoded.replace("\"duration\":null", "\"duration\":[1,1000000000]").as_bytes(), "nanoseconds");
    check("[".repeat(100_000).as_bytes(), "line 1");
}

#[test]
fn only_what_the_plan_reads_of_the_environment_travels() {
    let mut bundle = bundle();
    for name in ["P95_MS", "SECRET"] {
        bundle.settings.env.insert(name.into(), "400".into());
    }
    let plan = bundle.compile().unwrap();
    bundle.retain_env(&plan);
    assert_eq!(bundle.settings.env.keys().collect::<Vec<_>>(), ["P95_MS"]);
    assert_eq!(bundle.compile().unwrap().meaning_sha256(), plan.meaning_sha256());
}

#[test]
fn comments_mean_nothing_and_everything_else_does() {
    let same = meaning(|_| {});
    assert_eq!(same, meaning(|b| b.source = format!("# A comment.\n{}\n# Another.\n", b.source)));
    let changes = [
        ("weight: 50", "weight: 51"),
        ("weight: 3\n", "weight: 4\n"),
        ("1s..3s", "1s..4s"),
        ("get: /api/v1/me", "get: /api/v1/you"),
        ("Bearer ${token} too", "bearer ${token} too"),
        ("remember: true", "remember: \"true\""),
        ("$.access_token", "$.token"),
        ("[200, 201]", "[200, 202]"),
        ("json.id > 0", "json.id > 1"),
        ("time: 1s", "time: 2s"),
        ("p99 <= 2s", "p99 <= 3s"),
        ("spawn_rate: 10/s", "spawn_rate: 11/s"),
        ("name: log out", "name: log off"),
        ("greeting: hello", "greeting: hallo"),
        ("fixed: 2", "fixed: 3"),
        ("timeout: 20s", "timeout: 21s"),
        ("connect_timeout: 5s", "connect_timeout: 6s"),
        ("first_byte_timeout: 10s", "first_byte_timeout: 11s"),
        ("redirects: 5", "redirects: 6"),
        ("cookies: on", "cookies: off"),
        ("compression: on", "compression: off"),
        ("keep_alive: on", "keep_alive: off"),
        ("body_limit: 1MiB", "body_limit: 2MiB"),
        ("insecure: off", "insecure: on"),
        ("version: 1\n  res", "version: 2\n  res"),
        ("10.0.0.7:8443", "10.0.0.7:9443"),
        ("api.example.com: \"::1\"", "api.example.com: \"::2\""),
        ("127.0.0.3", "127.0.0.4"),
        ("proxy.example.com:3128", "proxy.example.com:3129"),
        ("ada:$", "bob:$"),
        ("/run/api.sock", "/run/web.sock"),
        ("server_name: api", "server_name: www"),
        ("env.API_TOKEN or 'none'", "env.API_TOKEN or 'some'"),
        ("{ bearer: \"${token}\" }", "{ bearer: \"${token}s\" }"),
        ("password: \"${kind}\"", "password: \"${id}\""),
        ("size: 7", "size: 8"),
        ("seed ${rand(1, 10)}", "seed ${rand(1, 11)}"),
    ];
    for (from, to) in changes {
        assert!(SAMPLE.contains(from), "{from}");
        assert_ne!(same, meaning(|b| b.source = b.source.replace(from, to)), "{from} -> {to}");
    }
    assert_ne!(same, meaning(|b| b.settings.seed = 1));
    let open = |profile: &str, source: &str| {
        let (profile, source) = (profile.to_owned(), source.to_owned());
        meaning(move |b| (b.settings.profile, b.source) = (Some(profile), source))
    };
    let (even, poisson) = (open("open", SAMPLE), open("visitors", SAMPLE));
    assert_ne!(even, open("open", &SAMPLE.replace("arrivals: 20/s, max", "arrivals: 21/s, max")));
    assert_ne!(poisson, open("visitors", &SAMPLE.replace("pattern: poisson", "pattern: even")));
    assert_ne!(same, meaning(|b| b.settings.users = Some(999)));
    assert_ne!(same, meaning(|b| b.settings.warmup = Some(Duration::from_secs(1))));
    assert_ne!(same, meaning(|b| b.settings.iterations = Some(1_000)));
    let set = |b: &mut Bundle| b.settings.params = [("greeting".into(), "hi".into())].into();
    assert_ne!(same, meaning(set));
}

fn files() -> impl Strategy<Value = Files> {
    prop::collection::btree_map(any::<String>(), any::<Vec<u8>>(), 0..4).prop_map(|contents| {
        let mut files = Files::default();
        for (name, content) in contents {
            files.insert(name, Ok(content));
        }
        files
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let rate = (1_u64.., 1_u64..).prop_map(|(count, per_ns)| Rate { count, per_ns });
    let duration = (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(s, ns)| Duration::new(s, ns));
    (
        (any::<Option<String>>(), any::<Option<String>>(), any::<Option<u32>>()),
        (prop::option::of(rate), prop::option::of(duration.clone()), any::<u64>()),
        prop::option::of(duration),
        prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        files(),
    )
        .prop_map(
            |((profile, target, users), (spawn_rate, duration, seed), warmup, params, env, files)| Settings {
                profile,
                target,
                users,
                spawn_rate,
                duration,
                warmup,
                iterations: users,
                params,
                seed,
                env,
                files,
                ..Settings::default()
            },
        )
}

proptest! {
    #[test]
    fn encoding_and_back_changes_nothing(file: String, source: String, settings in settings()) {
        let bundle = Bundle { file, source, settings };
        let bytes = bundle.to_bytes();
        let back = Bundle::from_bytes(&bytes).unwrap();
        prop_assert_eq!(back.to_bytes(), bytes);
        prop_assert_eq!(back, bundle);
    }

    #[test]
    fn any_bytes_give_a_bundle_or_an_error(bytes: Vec<u8>) {
        let _ = Bundle::from_bytes(&bytes);
    }

    #[test]
    fn damaged_bytes_give_a_bundle_or_an_error(at in 0_usize..4000, byte: u8) {
        let mut bytes = bundle().to_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Bundle::from_bytes(&bytes);
    }
}
