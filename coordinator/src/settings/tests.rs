use super::*;
use crate::cli::{Cli, Command};

fn resolve(line: &str, env: &[(&str, &str)]) -> Result<RunConfig, String> {
    let arguments: Vec<&str> = std::iter::once("coordinator").chain(line.split_whitespace()).collect();
    let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    RunConfig::resolve(&Cli::read(arguments).unwrap().run, &env, u64::MAX).map_err(|error| error.to_string())
}

#[test]
fn defaults() {
    let config = resolve("", &[]).unwrap();
    let expected = RunConfig {
        plan_path: "loadtest.yaml".into(),
        expect_agents: 0,
        agents_timeout: Duration::from_mins(1),
        on_agent_loss: OnAgentLoss::Rebalance,
        on_agent_join: OnAgentJoin::Standby,
        listen: "127.0.0.1:5557".parse().unwrap(),
        protection: Protection::None,
        telemetry: TelemetryConfig::default(),
        no_ui: false,
        report_dir: "reports".into(),
        baseline: None,
        secret_files: Vec::new(),
        settings: Settings { seed: MAX_SEED, ..Settings::default() },
    };
    assert_eq!(config, expected);
}

fn tags(include: &[&str], exclude: &[&str]) -> TagFilter {
    let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    TagFilter { include: set(include), exclude: set(exclude) }
}

#[test]
fn flags_win_over_variables_and_empty_variables_are_unset() {
    let env = [
        ("LOAD_TEST_PLAN", "env.yaml"),
        ("LOAD_TEST_HOST", "127.0.0.1:9000"),
        ("LOAD_TEST_USERS", "7"),
        ("LOAD_TEST_SPAWN_RATE", "2.5"),
        ("LOAD_TEST_DURATION", "1m30s"),
        ("LOAD_TEST_WARMUP", "10s"),
        ("LOAD_TEST_ITERATIONS", "500"),
        ("LOAD_TEST_PROFILE", "spike"),
        ("LOAD_TEST_INCLUDE_TAGS", "smoke, api"),
        ("LOAD_TEST_EXCLUDE_TAGS", "slow write"),
        ("LOAD_TEST_SEED", "12"),
        ("LOAD_TEST_EXPECT_AGENTS", "3"),
        ("LOAD_TEST_AGENTS_TIMEOUT", "5s"),
        ("LOAD_TEST_ON_AGENT_LOSS", "abort"),
        ("LOAD_TEST_ON_AGENT_JOIN", "refuse"),
        ("LOAD_TEST_LISTEN", "0.0.0.0:6000"),
        ("LOAD_TEST_INSECURE", "1"),
        ("LOAD_TEST_REPORT_DIR", "out"),
        ("LOAD_TEST_NO_UI", "true"),
    ];
    let from_env = resolve("", &env).unwrap();
    let expected = RunConfig {
        plan_path: "env.yaml".into(),
        expect_agents: 3,
        agents_timeout: Duration::from_secs(5),
        on_agent_loss: OnAgentLoss::Abort,
        on_agent_join: OnAgentJoin::Refuse,
        listen: "0.0.0.0:6000".parse().unwrap(),
        protection: Protection::Insecure,
        telemetry: TelemetryConfig::default(),
        no_ui: true,
        report_dir: "out".into(),
        baseline: None,
        secret_files: Vec::new(),
        settings: Settings {
            profile: Some("spike".to_owned()),
            target: Some("http://127.0.0.1:9000".to_owned()),
            users: Some(7),
            spawn_rate: Some(parse_rate("2.5/s").unwrap()),
            duration: Some(Duration::from_secs(90)),
            warmup: Some(Duration::from_secs(10)),
            iterations: Some(500),
            params: BTreeMap::new(),
            tags: tags(&["api", "smoke"], &["slow", "write"]),
            seed: 12,
            env: from_env.settings.env.clone(),
            ..Settings::default()
        },
    };
    assert_eq!(from_env, expected);
    let flags = "flag.yaml --target https://api.example.com/v1 --users 8 --spawn-rate 10/s --duration 5m \
                 --warmup 0s --profile light --seed 13 --expect-agents 4 --agents-timeout 90s --listen 127.0.0.1:7000 \
                 --report-dir elsewhere --on-agent-loss hold --on-agent-join share -T a,b --tags c";
    let config = resolve(flags, &env).unwrap();
    assert_eq!(config.plan_path, PathBuf::from("flag.yaml"));
    assert_eq!((config.expect_agents, config.settings.users, config.settings.seed), (4, Some(8), 13));
    assert_eq!(config.on_agent_loss, OnAgentLoss::Hold);
    assert_eq!(config.on_agent_join, OnAgentJoin::Share);
    assert_eq!(config.settings.tags, tags(&["a", "b", "c"], &["slow", "write"]));
    assert_eq!(config.settings.target.as_deref(), Some("https://api.example.com/v1"));
    assert_eq!(config.settings.spawn_rate, Some(parse_rate("10/s").unwrap()));
    assert_eq!(config.settings.duration, Some(Duration::from_mins(5)));
    assert_eq!(config.settings.warmup, Some(Duration::ZERO));
    let set = resolve("--set item=5 --set query=a=b --set empty=", &[]).unwrap().settings.params;
    let expected = [("empty", ""), ("item", "5"), ("query", "a=b")];
    assert!(set.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected));
    let empty: Vec<(&str, &str)> = env.iter().map(|&(name, _)| (name, "")).collect();
    let mut unset = resolve("", &empty).unwrap();
    unset.settings.env.clear();
    assert_eq!(unset, resolve("", &[]).unwrap());
}

#[test]
fn wrong_values_name_flag_value_and_remedy() {
    let check = |line: &str, env: &[(&str, &str)], expected: &str| {
        assert_eq!(resolve(line, env).unwrap_err(), expected);
    };
    check("--users 0", &[], "--users: `0` is out of range; write a whole number from 1 to 1000000");
    check(
        "--users 99999999999999999999",
        &[],
        "--users: `99999999999999999999` is out of range; write a whole number from 1 to 1000000",
    );
    check("--users 1k", &[], "--users: `1k` is not a whole number; write a whole number from 1 to 1000000");
    check(
        "",
        &[("LOAD_TEST_USERS", "many")],
        "LOAD_TEST_USERS: `many` is not a whole number; write a whole number from 1 to 1000000",
    );
    let remedy = "write for instance `--exclude-tags smoke,api`, or leave it out";
    check("--exclude-tags a -E ,", &[], &format!("--exclude-tags: `,` names no tag; {remedy}"));
    check("--set item", &[], "--set: `item` is not NAME=VALUE; write for instance `--set item=5`");
    check("--set =5", &[], "--set: `=5` is not NAME=VALUE; write for instance `--set item=5`");
    check("--set a=1 --set a=2", &[], "--set: `a` is given twice; keep one of them");
    check("--duration 25", &[], "--duration: `25` has no unit; write `25ms` or `25s`");
    check("--duration 0s", &[], "--duration: `0s` is no time at all; write a time above zero, such as `30s`");
    check(
        "--warmup 1.5s",
        &[],
        "--warmup: `1.5s` is not a whole number of seconds; write for instance `30s`: statistics are kept by the second",
    );
    check(
        "--spawn-rate 0",
        &[],
        "--spawn-rate: the rate `0/s` is zero; write a rate above zero, such as `10/s` or `0.5/s`",
    );
    check(
        "--spawn-rate fast",
        &[],
        "--spawn-rate: `fast` is not a rate; write a number per `s`, `m` or `h`, such as `10/s` or `600/m`",
    );
    check(
        "--expect-agents=-1",
        &[],
        "--expect-agents: `-1` is not a whole number; write a whole number from 0 to 10000",
    );
    check(
        "--seed 9007199254740992",
        &[],
        "--seed: `9007199254740992` is out of range; write a whole number from 0 to 9007199254740991",
    );
    check(
        "--listen 5557",
        &[],
        "--listen: `5557` is not an address to listen on; write an IP address and a port, such as `127.0.0.1:5557` or `0.0.0.0:5557`",
    );
    check(
        "--target ftp://x",
        &[],
        "--target: `ftp://x` has the scheme `ftp`; write a base URL, such as `https://api.example.com`",
    );
    check(
        "",
        &[("LOAD_TEST_HOST", "http://")],
        "LOAD_TEST_HOST: `http://` is not a URL (empty host); write a base URL, such as `https://api.example.com`",
    );
    check(
        "",
        &[("LOAD_TEST_NO_UI", "maybe")],
        "LOAD_TEST_NO_UI: `maybe` is neither yes nor no; write `1` or `0`",
    );
    check(
        "--users \u{1b}[2J",
        &[],
        "--users: `\\u{1b}[2J` is not a whole number; write a whole number from 1 to 1000000",
    );
}

#[test]
fn the_demo_has_its_own_flags() {
    let cli = Cli::read(["coordinator", "demo", "task-workflow", "--users", "5", "--seed", "9"]).unwrap();
    let Some(Command::Demo(args)) = cli.command else { panic!("a subcommand was typed") };
    let env = Environment::from([("LOAD_TEST_DURATION".to_owned(), "10s".to_owned())]);
    let expected = DemoConfig {
        name: DemoName::TaskWorkflow,
        users: Some(5),
        duration: Some(Duration::from_secs(10)),
        seed: 9,
        report_dir: "reports".into(),
    };
    assert_eq!(DemoConfig::resolve(&args, &env, 1), Ok(expected));
}
