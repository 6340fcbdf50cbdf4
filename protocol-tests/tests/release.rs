//! What makes a release: its notes, its archives, and that the action takes them only as they were published.

use protocol_tests::process::{Ended, Process, TestDir};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The platform of the programs in these tests; releases have it.
const TARGET: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is there")
}

fn script(dir: &TestDir, name: &str, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut command = Command::new("bash");
    command.arg(root().join("deploy").join(name)).args(args);
    let env: Vec<(&str, Option<&str>)> = env.iter().map(|(name, value)| (*name, Some(*value))).collect();
    Process::spawn("bash", command, dir.path(), &env).wait()
}

/// Programs that were built for the platform, by C's compiler: linked as `flags` say, they print a version.
fn build(dir: &TestDir, flags: &[&str]) {
    let built = dir.path().join("target").join(TARGET).join("release");
    fs::create_dir_all(&built).expect("a directory");
    let source = dir
        .write("main.c", "#include <stdio.h>\nint main(void) { puts(\"coordinator 9.8.7\"); return 0; }\n");
    for name in ["coordinator", "agent", "demo-target"] {
        let made = Command::new("cc").arg("-o").arg(built.join(name)).arg(&source).args(flags).status();
        assert!(made.expect("a C compiler builds SQLite, too").success());
    }
}

#[test]
fn an_archive_is_packed_published_and_installed() {
    let dir = TestDir::new("release-archive");
    let below = |name: &str| dir.path().join(name).to_str().expect("ASCII").to_owned();
    let target = below("target");
    let pack = |expected: Option<i32>| {
        let packed =
            script(&dir, "release/pack.sh", &[TAG, TARGET, &below("dist")], &[("CARGO_TARGET_DIR", &target)]);
        assert_eq!(packed.code, expected, "{}{}", packed.out, packed.err);
        packed
    };
    assert!(
        pack(Some(1))
            .err
            .contains("coordinator is not there; build it with: cargo build --release --locked --target")
    );
    build(&dir, &[]);
    assert!(pack(Some(1)).err.contains("is not static; build it for a musl target"));
    build(&dir, &["-static"]);
    let archive = format!("muster-{TAG}-{TARGET}.tar.gz");
    assert_eq!(pack(Some(0)).out, below(&format!("dist/{archive}")));

    // What the workflow publishes, and what `gh` then has.
    let sums =
        Command::new("sha256sum").arg(&archive).current_dir(below("dist")).output().expect("coreutils");
    fs::write(below("dist/SHA256SUMS"), sums.stdout).expect("written");
    for folder in ["gh", "tmp"] {
        fs::create_dir_all(below(folder)).expect("a directory");
    }
    let gh = format!(
        "#!/bin/sh\ncase $2 in view) echo {TAG} ;; download) for last; do :; done; cp dist/* \"$last\" ;; esac\n"
    );
    let gh = dir.write("gh/gh", &gh);
    fs::set_permissions(gh, fs::Permissions::from_mode(0o755)).expect("ours");
    let path = format!("{}:{}", below("gh"), std::env::var("PATH").expect("a PATH"));
    let install = || {
        let env = [
            ("PATH", path.as_str()),
            ("RUNNER_TEMP", &below("tmp")),
            ("GITHUB_PATH", &below("path")),
            ("MUSTER_REPOSITORY", "acme/muster"),
            ("MUSTER_VERSION", "latest"),
        ];
        script(&dir, "github-action/install.sh", &[], &env)
    };
    let installed = install();
    assert_eq!(installed.code, Some(0), "{}{}", installed.out, installed.err);
    assert!(installed.out.contains("coordinator 9.8.7"), "{}", installed.out);
    let place = fs::read_to_string(below("path")).expect("a line for the PATH of later steps");
    for name in ["coordinator", "agent", "demo-target", "README.md", "CHANGELOG.md", "muster-agent.service"] {
        assert!(Path::new(place.trim()).join(name).exists(), "{name}");
    }

    fs::remove_file(below("path")).expect("there");
    fs::write(below(&format!("dist/{archive}")), "something else").expect("written");
    let refused = install();
    assert_eq!(refused.code, Some(1), "{}{}", refused.out, refused.err);
    let expected = format!("::error title=Load test::{archive} is not what SHA256SUMS of release {TAG} says");
    assert!(refused.out.contains(&expected), "{}", refused.out);
    assert!(!Path::new(&below("path")).exists(), "nothing of it gets on the PATH");
}

/// Names in an archive, in their order; of those in a zip file Python tells, as `tar` reads none.
fn names(archive: &Path) -> Vec<String> {
    let mut command = if archive.extension().is_some_and(|extension| extension == "zip") {
        let mut python = Command::new("python3");
        python
            .args(["-c", "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep='\\n')"]);
        python
    } else {
        let mut tar = Command::new("tar");
        tar.arg("-tzf");
        tar
    };
    let listed = command.arg(archive).output().expect("CI has both");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8(listed.stdout).expect("ASCII");
    let mut names: Vec<String> = text
        .lines()
        .map(|name| name.trim_start_matches("./").to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    names
}

#[test]
fn every_system_gets_what_it_can_run() {
    let workflow = fs::read_to_string(root().join(".github/workflows/release.yml")).expect("UTF-8");
    let mut targets: Vec<&str> =
        workflow.lines().filter_map(|line| line.split("{ target: ").nth(1)?.split(',').next()).collect();
    targets.sort_unstable();
    let expected = [
        "aarch64-apple-darwin",
        "aarch64-unknown-linux-musl",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-msvc",
        "x86_64-unknown-linux-musl",
    ];
    assert_eq!(targets, expected);
    assert!(!workflow.contains("continue-on-error"), "a release is complete, or it is none");

    let check = |target: &str, kind: &str, suffix: &str| {
        let dir = TestDir::new(&format!("release-{target}"));
        let built = dir.path().join("target").join(target).join("release");
        fs::create_dir_all(&built).expect("a directory");
        for name in ["coordinator", "agent", "demo-target"] {
            fs::write(built.join(format!("{name}{suffix}")), name).expect("written");
        }
        let below = |name: &str| dir.path().join(name).to_str().expect("ASCII").to_owned();
        let packed = script(
            &dir,
            "release/pack.sh",
            &[TAG, target, &below("dist")],
            &[("CARGO_TARGET_DIR", &below("target"))],
        );
        assert_eq!(packed.code, Some(0), "{}{}", packed.out, packed.err);
        let archive = dir.path().join("dist").join(format!("muster-{TAG}-{target}.{kind}"));
        assert_eq!(packed.out, archive.to_str().expect("ASCII"));
        let programs = ["agent", "coordinator", "demo-target"].map(|name| format!("{name}{suffix}"));
        let texts = ["CHANGELOG.md", "README.md"].map(str::to_owned);
        let mut expected: Vec<String> = programs.into_iter().chain(texts).collect();
        expected.sort();
        let (examples, others): (Vec<String>, Vec<String>) =
            names(&archive).into_iter().partition(|name| name.starts_with("examples"));
        assert_eq!(others, expected, "{target}");
        assert!(examples.contains(&"examples/websocket-tasks.yaml".to_owned()), "{examples:?}");
    };
    check("x86_64-pc-windows-msvc", "zip", ".exe");
    check("aarch64-apple-darwin", "tar.gz", "");
}

#[test]
fn notes_of_a_release_are_those_of_its_version() {
    let dir = TestDir::new("release-notes");
    fs::create_dir_all(dir.path().join("deploy/release")).expect("a directory");
    let script = dir.path().join("deploy/release/notes.sh");
    fs::copy(root().join("deploy/release/notes.sh"), &script).expect("a copy");
    dir.write("Cargo.toml", &fs::read_to_string(root().join("Cargo.toml")).expect("UTF-8"));
    let version = env!("CARGO_PKG_VERSION");
    let check = |tag: &str, changes: &str, code: i32, expected: &str| {
        dir.write("CHANGELOG.md", changes);
        let notes = Command::new("bash").arg(&script).arg(tag).output().expect("bash is there");
        let said =
            format!("{}{}", String::from_utf8_lossy(&notes.stdout), String::from_utf8_lossy(&notes.stderr));
        assert_eq!(notes.status.code(), Some(code), "{tag}: {said}");
        if code == 0 { assert_eq!(said, expected) } else { assert!(said.contains(expected), "{tag}: {said}") }
    };
    let tag = format!("v{version}");
    let released = format!(
        "# Changelog\n\n## Unreleased\n\n- Later.\n\n## {version} (2026-12-01)\n\n- This.\n- That.\n\n## 0.0.1\n\n- Old.\n"
    );
    check(&tag, &released, 0, "- This.\n- That.\n");
    check(
        &tag,
        "# Changelog\n\n## Unreleased\n\n- This.\n",
        1,
        &format!("give what is under `## Unreleased` the heading `## {version}`"),
    );
    check("v9.9.9", &released, 1, &format!("the tag is v9.9.9, the version in Cargo.toml is {version}"));
    check("nightly", &released, 1, "`nightly` is no tag of a release");
}
