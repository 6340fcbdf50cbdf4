//! The files of `deploy/` and `.github/`: each is looked at by a tool that knows its kind, their command lines are read as the
//! programs read them, and the chart's certificates let a real agent in to a real coordinator.

use base64::Engine as _;
use clap::Parser as _;
use coordinator::cli::{Cli, Command as Asked};
use coordinator::settings::{CompareConfig, Environment, JoinConfig, RunConfig};
use protocol_tests::plan_file::platform;
use protocol_tests::process::{Process, TestDir, program};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

/// Where the tools are that `deploy/check/tools` installs once; `None`, and a word about it, where they cannot be had. On GitHub,
/// they can.
fn tools() -> Option<&'static Path> {
    static TOOLS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = TOOLS.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deploy-tools");
        let made = Command::new(root().join("deploy/check/tools")).arg(&place).output();
        let made = made.map_err(|error| error.to_string())?;
        if made.status.success() { Ok(place) } else { Err(text(&made)) }
    });
    match found {
        Ok(place) => Some(place),
        Err(why) if std::env::var_os("GITHUB_ACTIONS").is_some() => panic!("no tools for deploy/: {why}"),
        Err(why) => {
            eprintln!("SKIPPED: no tools for deploy/ here ({why})");
            None
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `deploy/check/run` of the tree at `root` says, and whether all is well.
fn check(root: &Path, tools: &Path, out: &Path) -> (bool, String) {
    let checked =
        Command::new(root.join("deploy/check/run")).args([tools, out]).output().expect("bash is there");
    (checked.status.success(), text(&checked))
}

/// A command line of a file, and the variables that the file gives it.
struct Line {
    place: String,
    program: String,
    args: Vec<String>,
    env: Environment,
}

fn lines(out: &Path) -> Vec<Line> {
    let json = fs::read_to_string(out.join("commands.json")).expect("the check writes it");
    let all: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let word = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let line = |line: &serde_json::Value| Line {
        place: word(&line["where"]),
        program: word(&line["program"]),
        args: line["args"].as_array().expect("a list").iter().map(word).collect(),
        env: line["env"]
            .as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (name.clone(), word(value)))
            .collect(),
    };
    all.as_array().expect("a list").iter().map(line).collect()
}

/// Why the program would refuse `line` as wrong usage.
fn refusal(line: &Line) -> Result<(), String> {
    let words = std::iter::once(&line.program).chain(&line.args);
    match line.program.as_str() {
        "coordinator" => {
            let cli = match Cli::read(words) {
                Ok(cli) => cli,
                Err(help) if help.exit_code() == 0 => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            let told = |error: coordinator::settings::UsageError| error.to_string();
            match cli.command {
                None => RunConfig::resolve(&cli.run, &line.env, 1).map(drop).map_err(told),
                Some(Asked::Join(join)) => JoinConfig::resolve(&join, &line.env).map(drop).map_err(told),
                Some(Asked::Check(check)) => {
                    RunConfig::resolve(&(*check).into(), &line.env, 1).map(drop).map_err(told)
                }
                Some(Asked::Compare(compare)) => {
                    CompareConfig::resolve(&compare, &line.env).map(drop).map_err(told)
                }
                Some(_) => Ok(()),
            }
        }
        "agent" => {
            // Variables of the process are everybody's, so they are given as the flags that they stand for.
            let flags = line.env.iter().filter_map(|(name, value)| {
                let name = name.strip_prefix("LOAD_TEST_")?.to_lowercase().replace('_', "-");
                let name = if name == "agent-name" { "name".to_owned() } else { name };
                (!["state-dir", "report-dir"].contains(&name.as_str())).then(|| format!("--{name}={value}"))
            });
            let words = words.cloned().chain(flags);
            agent::cli::Cli::try_parse_from(words).map(drop).map_err(|error| error.to_string())
        }
        name => {
            let read =
                Command::new(program(name)).args(&line.args).arg("--help").output().expect("it starts");
            if read.status.success() { Ok(()) } else { Err(text(&read)) }
        }
    }
}

#[test]
fn every_file_is_sound_and_every_command_line_is_read() {
    let Some(tools) = tools() else { return };
    let dir = TestDir::new("deploy-check");
    let (well, said) = check(&root(), tools, dir.path());
    assert!(well, "{said}");
    eprintln!("{said}");
    let lines = lines(dir.path());
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for line in &lines {
        if let Err(why) = refusal(line) {
            panic!("{}: {} {:?} {:?}: {why}", line.place, line.program, line.args, line.env);
        }
        let file = line.place.split([',', ':', ' ']).next().unwrap_or_default();
        *counts.entry((file, line.program.as_str())).or_default() += 1;
    }
    let least = [
        ("deploy/compose.yaml", "coordinator", 2),
        ("deploy/compose.yaml", "agent", 1),
        ("deploy/compose.yaml", "demo-target", 1),
        ("deploy/Dockerfile", "coordinator", 1),
        ("defaults.yaml", "coordinator", 1),
        ("defaults.yaml", "agent", 1),
        ("jobs.yaml", "coordinator", 1),
        ("scaled.yaml", "agent", 1),
        ("deploy/systemd/muster-agent.service", "agent", 1),
        ("deploy/systemd/muster-run@.service", "coordinator", 1),
        ("deploy/github-action/fleet.yml", "coordinator", 1),
        ("deploy/README.md", "coordinator", 3),
        ("docs/OPERATIONS.md", "agent", 1),
    ];
    for (file, program, least) in least {
        assert!(
            counts.get(&(file, program)).is_some_and(|count| *count >= least),
            "{file}, {program}: {counts:?}"
        );
    }
}

/// A copy of what the check looks at.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a directory");
        for entry in fs::read_dir(from).expect("readable").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::create_dir_all(to.parent().expect("below the copy")).expect("a directory");
        fs::copy(from, to).expect("a copy");
    }
}

#[test]
fn what_is_wrong_is_found() {
    let Some(tools) = tools() else { return };
    let dir = TestDir::new("deploy-wrong");
    for part in ["deploy", ".github", ".ci", "docs/OPERATIONS.md"] {
        copy(&root().join(part), &dir.path().join(part));
    }
    let wrong = [
        ("deploy/Dockerfile", "WORKDIR /src", "RUN cd /src", "Dockerfile"),
        ("deploy/compose.yaml", "read_only: true", "readonly: true", "compose file"),
        (
            ".github/workflows/load-test.yml",
            "steps.load.outputs.verdict",
            "steps.laod.outputs.verdict",
            "workflows:",
        ),
        (".github/workflows/release.yml", "timeout-minutes: 60", "timeout: 60", "workflows, by schema"),
        ("deploy/github-action/action.yml", "using: composite", "using: compost", "actions, by schema"),
        ("deploy/github-action/run.sh", "kill \"$one\"", "kill $one", "scripts"),
        (
            "deploy/helm/muster/templates/agents.yaml",
            "replicas: {{",
            "replica: {{",
            "manifests of defaults, by the schemas",
        ),
        (
            "deploy/helm/muster/templates/_helpers.tpl",
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "manifests of defaults, what schemas do not see",
        ),
        (
            "deploy/helm/muster/ci/scaled-values.yaml",
            "maxReplicas: 20",
            "maxReplicas: many",
            "chart with scaled",
        ),
        (
            "deploy/systemd/muster-agent.service",
            "Wants=network-online.target",
            "Wants=network-online",
            "units",
        ),
        (
            "deploy/systemd/muster-run@.service",
            "NoNewPrivileges=yes",
            "User=root",
            "muster-run@checkout.service",
        ),
    ];
    for (file, from, to, _) in wrong {
        let path = dir.path().join(file);
        let text = fs::read_to_string(&path).expect("UTF-8");
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replace(from, to)).expect("written");
    }
    let (well, said) = check(dir.path(), tools, &dir.path().join("out"));
    assert!(!well, "{said}");
    for (file, _, to, expected) in wrong {
        let found = said.lines().any(|line| line.starts_with(&format!("FAILED: {expected}")));
        assert!(found, "`{to}` in {file} was not found by `{expected}`: {said}");
    }
    let misspelt = Line {
        place: String::new(),
        program: "agent".to_owned(),
        args: vec!["--coordinator=a".to_owned(), "--allow-targets=any".to_owned()],
        env: Environment::new(),
    };
    assert!(refusal(&misspelt).unwrap_err().contains("--allow-targets"));
}

/// The files of Secret `name` in rendered manifests, written to `dir`.
fn secret(manifests: &str, name: &str, dir: &Path) -> PathBuf {
    let manifest = manifests
        .split("\n---")
        .find(|manifest| {
            manifest.contains("kind: Secret")
                && manifest.lines().any(|line| line == format!("  name: {name}"))
        })
        .unwrap_or_else(|| panic!("there is no Secret {name}"));
    let folder = dir.join(name);
    fs::create_dir_all(&folder).expect("a directory");
    for key in ["tls.crt", "tls.key", "ca.crt"] {
        let value =
            manifest.lines().find_map(|line| line.strip_prefix(&format!("  {key}: "))).expect("a key");
        let bytes = base64::engine::general_purpose::STANDARD.decode(value).expect("base64");
        fs::write(folder.join(key), bytes).expect("written");
    }
    folder
}

/// Helm makes certificates of RSA keys, by Go's library; the agent dials a name, which this machine has to know.
#[test]
fn certificates_of_the_chart_let_an_agent_in() {
    let Some(tools) = tools() else { return };
    if Command::new("unshare").args(["--mount", "true"]).status().map_or(true, |status| !status.success()) {
        return eprintln!("SKIPPED: names of hosts cannot be changed here; it takes Linux and root");
    }
    let dir = TestDir::new("deploy-certificates");
    let chart = root().join("deploy/helm/muster");
    let rendered = Command::new(tools.join("bin/helm"))
        .args(["template", "load"])
        .arg(&chart)
        .args(["--set", "plan.existingConfigMap=checkout-plan"])
        .output()
        .expect("helm starts");
    assert!(rendered.status.success(), "{}", text(&rendered));
    let manifests = String::from_utf8(rendered.stdout).expect("UTF-8");
    let ends = ["load-muster-coordinator-tls", "load-muster-agents-tls"]
        .map(|name| secret(&manifests, name, dir.path()).to_str().expect("ASCII").to_owned());
    let flags = |end: &str| {
        ["cert=tls.crt", "key=tls.key", "ca=ca.crt"].map(|pair| {
            let (flag, file) = pair.split_once('=').expect("a pair");
            format!("--tls-{flag}={end}/{file}")
        })
    };
    let target = demo::spawn(demo::Config::default()).expect("the demo target starts");
    let load = "{ users: 4, spawn_rate: 20/s, duration: 1s, stop_timeout: 1s }";
    let plan = dir.write("loadtest.yaml", &platform(&target.url(), load, "20ms..50ms", "p95 <= 30s"));
    let mut args = vec![plan.to_str().expect("ASCII").to_owned(), "--expect-agents=2".to_owned()];
    args.extend(["--listen=127.0.0.1:0".to_owned(), "--tls".to_owned()]);
    args.extend(flags(&ends[0]));
    let mut coordinator = Process::start("coordinator", dir.path(), &args);
    let line = coordinator.line_with("waiting for 2 agents");
    let port =
        line.split(';').next().and_then(|said| said.rsplit(':').next()).expect("an address").to_owned();
    let hosts = dir.write("hosts", "127.0.0.1 localhost load-muster-coordinator\n");
    let script = "mount --bind \"$1\" /etc/hosts || exit 77; shift; exec \"$@\"";
    // As the pods of a Deployment: one certificate, names of their own.
    let mut agents = ["pod-a", "pod-b"].map(|name| {
        let mut inside = Command::new("unshare");
        inside.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        inside.arg(&hosts).arg(program("agent")).arg(format!("--name={name}"));
        inside.arg(format!("--coordinator=load-muster-coordinator:{port}")).args(flags(&ends[1]));
        Process::spawn("agent", inside, dir.path(), &[])
    });
    for agent in &mut agents {
        agent.line_with("attached to ");
    }
    let ended = coordinator.wait();
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for agent in agents {
        agent.signal("TERM");
        assert_eq!(agent.wait().code, Some(0));
    }
    target.stop();
}

/// What the image is built from is listed; a crate or a file that is not on the list would be missing there alone.
#[test]
fn the_image_is_built_from_all_that_the_programs_need() {
    let read =
        |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let list = read(&root().join(".dockerignore"));
    let listed: Vec<PathBuf> =
        list.lines().filter_map(|line| line.strip_prefix('!')).map(|path| root().join(path)).collect();
    let manifest = read(&root().join("Cargo.toml"));
    let members =
        manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("one line of members");
    let members: Vec<String> = serde_json::from_str(members).expect("a list of texts");
    assert!(members.contains(&"coordinator".to_owned()), "{members:?}");
    let mut needed: Vec<PathBuf> = members.iter().map(|member| root().join(member)).collect();
    let mut folders: Vec<PathBuf> = needed.iter().map(|member| member.join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("readable").path();
            if path.file_stem().is_some_and(|name| name == "tests") {
                // Not part of the programs.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = read(&path);
                let included =
                    source.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
                needed
                    .extend(included.map(|file| folder.join(file).canonicalize().expect("an included file")));
            }
        }
    }
    for path in needed {
        assert!(
            listed.iter().any(|listed| path.starts_with(listed)),
            "{} is not in .dockerignore",
            path.display()
        );
    }
}
