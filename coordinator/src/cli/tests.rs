use super::*;

fn read(line: &str) -> Result<Cli, String> {
    let arguments = std::iter::once("coordinator").chain(line.split_whitespace());
    Cli::read(arguments).map_err(|error| error.to_string())
}

#[test]
fn flags_and_subcommands() {
    let cli = read("").unwrap();
    assert!(cli.command.is_none() && cli.run.plan.is_none() && cli.run.users.is_none());
    let cli = read("api.yaml --expect-agents 4 --users=1000 --no-ui --report-dir out").unwrap();
    assert_eq!(cli.run.plan, Some("api.yaml".into()));
    assert_eq!((cli.run.expect_agents.as_deref(), cli.run.users.as_deref()), (Some("4"), Some("1000")));
    assert!(cli.run.no_ui);
    assert_eq!(cli.run.report_dir, Some("out".into()));
    let Some(Command::Demo(demo)) = read("demo --users 5 --duration 10s").unwrap().command else {
        panic!("a subcommand wins over a plan of its name");
    };
    assert_eq!((demo.users.as_deref(), demo.duration.as_deref()), (Some("5"), Some("10s")));
    assert_eq!(demo.name, DemoName::PlatformApi);
    let Some(Command::Check(check)) = read("check api.yaml --set a=1 --param b=2").unwrap().command else {
        panic!("a subcommand was typed");
    };
    // `--param` is another name of `--set`, for runs as well.
    assert_eq!(read("api.yaml --param a=1 --set b=2").unwrap().run.set, ["a=1", "b=2"]);
    let run = RunArgs::from(*check);
    assert_eq!((run.plan, run.set), (Some("api.yaml".into()), vec!["a=1".to_owned(), "b=2".to_owned()]));
    assert!(matches!(read("schema").unwrap().command, Some(Command::Schema { of: SchemaOf::Plan })));
    assert!(matches!(read("schema report").unwrap().command, Some(Command::Schema { of: SchemaOf::Report })));
    let Some(Command::Report(report)) =
        read("report a/report.json --out b --format junit,csv").unwrap().command
    else {
        panic!("a subcommand was typed");
    };
    assert_eq!((report.file, report.out), ("a/report.json".into(), Some("b".into())));
    assert_eq!((report.format.as_deref(), report.github), (Some("junit,csv"), false));
    assert_eq!(read("./demo").unwrap().run.plan, Some("./demo".into()));
}

#[test]
fn wrong_usage_names_the_flag_and_exits_with_2() {
    let check = |line: &str, expected: &str| {
        let error = read(line).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    check("--user 5", "unexpected argument '--user'");
    check("--users", "a value is required for '--users <N>'");
    check("--users 5 demo", "--users stands before `demo`, which does not use it");
    check("--set a=1 check", "--set stands before `check`");
    check("check --no-ui", "unexpected argument '--no-ui'");
    check("--no-ui demo", "--no-ui stands before `demo`");
    check("demo platform", "invalid value 'platform' for '[NAME]'");
    check("schema run", "invalid value 'run'");
    check("report", "<FILE>");
    check("plan.yaml demo", "a plan stands before `demo`");
    check("a.yaml b.yaml", "unexpected argument 'b.yaml'");
    let error = Cli::read(["coordinator", "--users", "5", "demo"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_eq!(Cli::read(["coordinator", "--help"]).unwrap_err().exit_code(), 0);
}

#[test]
fn help_names_every_variable_and_exit_code() {
    let help = read("--help").unwrap_err().split_whitespace().collect::<Vec<_>>().join(" ");
    for flag in Cli::command().get_arguments().filter(|argument| argument.get_id() != "help") {
        let id = flag.get_id().as_str();
        let variable = match id {
            "version" | "set" | "secret_file" => continue,
            "target" => "HOST".to_owned(),
            _ => id.to_uppercase(),
        };
        assert!(help.contains(&format!("[env: LOAD_TEST_{variable}]")), "{id}\n{help}");
    }
    for code in [
        "0 pass",
        "1 internal",
        "2 usage",
        "3 plan",
        "4 agents",
        "98 inconclusive",
        "99 thresholds",
        "130 interrupted",
    ] {
        assert!(help.contains(code), "{code}\n{help}");
    }
    Cli::command().debug_assert();
}

#[test]
fn help_of_report_names_its_variables() {
    let help = read("report --help").unwrap_err().split_whitespace().collect::<Vec<_>>().join(" ");
    for (flag, variable) in [("--out", "OUT"), ("--format", "FORMAT"), ("--github", "GITHUB")] {
        assert!(
            help.contains(flag) && help.contains(&format!("[env: LOAD_TEST_REPORT_{variable}]")),
            "{help}"
        );
    }
    for form in crate::report::Form::ALL {
        assert!(help.contains(form.name()), "{}: {help}", form.name());
    }
}

#[test]
fn comparisons_and_histories_are_asked_for() {
    let Some(Command::Compare(compare)) = read("compare last~1 a/report.json --format json").unwrap().command
    else {
        panic!("a subcommand was typed");
    };
    assert_eq!((compare.base.as_str(), compare.current.as_str()), ("last~1", "a/report.json"));
    let Some(Command::History(history)) = read("history --limit 3 --plan api").unwrap().command else {
        panic!("a subcommand was typed");
    };
    assert_eq!((history.limit.as_deref(), history.plan.as_deref()), (Some("3"), Some("api")));
    assert!(read("compare last").unwrap_err().contains("<CURRENT>"));
    let run = read("api.yaml --baseline last --fail-on-regression").unwrap().run;
    assert_eq!((run.baseline.as_deref(), run.fail_on_regression), (Some("last"), true));
    for name in ["compare", "history"] {
        let help = read(&format!("{name} --help")).unwrap_err();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let command = Cli::command();
        let command = command.find_subcommand(name).expect("a subcommand");
        for flag in command.get_arguments().filter_map(clap::Arg::get_long).filter(|flag| *flag != "help") {
            let variable = flag.replace('-', "_").to_uppercase();
            let variable = match flag {
                "report-dir" => variable,
                _ => format!("{}_{variable}", name.to_uppercase()),
            };
            assert!(help.contains(&format!("[env: LOAD_TEST_{variable}]")), "--{flag}: {help}");
        }
    }
}
