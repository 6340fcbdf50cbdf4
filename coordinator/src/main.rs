//! The coordinator's program.

use agent::log;
use coordinator::check::{explain, render};
use coordinator::cli::{Cli, Command, RunArgs, SchemaOf};
use coordinator::demo::demo;
use coordinator::embedded::LocalTarget;
use coordinator::env_file;
use coordinator::exit::ExitCode;
use coordinator::files;
use coordinator::past::{compare_runs, history};
use coordinator::report::{Form, GitHub, Styles, make_again, read_report, schema_text, write_forms};
use coordinator::resume::resume;
use coordinator::run::{Job, Teller, plan_warnings, run, tell};
use coordinator::secure::invite;
use coordinator::settings::{
    CompareConfig, DemoConfig, Environment, HistoryConfig, JoinConfig, ReportConfig, ResumeConfig, RunConfig,
    SweepConfig, log_settings, wants_colour,
};
use coordinator::sweep::{Course, sweep};
use coordinator::terminal::say;
use plan::Bundle;
use std::path::Path;
use system::stop::Stop;
use tokio::sync::mpsc;

/// The program's name, for machines that read its lines.
const PROGRAM: &str = "coordinator";

fn main() -> std::process::ExitCode {
    let cli = Cli::read(std::env::args_os());
    let loaded = env_file::load(cli.as_ref().ok().and_then(|cli| cli.env_file.as_deref()));
    let cli = cli.unwrap_or_else(|error| log::exit(PROGRAM, &error));
    let env = environment();
    let settings = env.as_ref().map_err(Clone::clone);
    let settings = settings.and_then(|env| log_settings(&cli, env).map_err(|error| error.to_string()));
    settings.as_ref().copied().unwrap_or_default().start(PROGRAM);
    if let Err(problem) = loaded {
        return usage(&problem).into();
    }
    let env = match settings.and(env) {
        Ok(env) => env,
        Err(problem) => return usage(&problem).into(),
    };
    let code = coordinate(&cli, &env).unwrap_or_else(|error| {
        say(&format!("error: {error}"));
        ExitCode::Internal
    });
    code.into()
}

/// The environment; a variable of ours whose value is not text would be ignored otherwise.
fn environment() -> Result<Environment, String> {
    let mut env = Environment::new();
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => {
                env.insert(name, value);
            }
            (Ok(name), Err(_)) if name.starts_with("LOAD_TEST_") => {
                return Err(format!("{name} is not valid UTF-8; set it again"));
            }
            _ => {}
        }
    }
    Ok(env)
}

fn coordinate(cli: &Cli, env: &Environment) -> anyhow::Result<ExitCode> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let styles = match wants_colour(cli.no_color, env) {
        Ok(wanted) => Styles::of_streams(wanted),
        Err(error) => return Ok(usage(&error)),
    };
    let drawn_seed = rand::random();
    let run_args = match &cli.command {
        Some(Command::Schema { of }) => {
            match of {
                SchemaOf::Plan => tell(&plan::schema::schema_text()),
                SchemaOf::Report => tell(schema_text()),
            }
            return Ok(ExitCode::Passed);
        }
        Some(Command::Report(args)) => {
            return Ok(match ReportConfig::resolve(args, env, |path| path.is_dir()) {
                Ok(config) => report(&config),
                Err(error) => usage(&error),
            });
        }
        Some(Command::Compare(args)) => {
            return Ok(match CompareConfig::resolve(args, env) {
                Ok(config) => compare_runs(&config, styles.output),
                Err(error) => usage(&error),
            });
        }
        Some(Command::History(args)) => {
            return Ok(match HistoryConfig::resolve(args, env) {
                Ok(config) => history(&config, styles.output),
                Err(error) => usage(&error),
            });
        }
        Some(Command::Check(args)) => &RunArgs::from((**args).clone()),
        Some(Command::Sweep(args)) => &args.run,
        Some(Command::Join(args)) => {
            return Ok(match JoinConfig::resolve(args, env) {
                Ok(config) => join(&config),
                Err(error) => usage(&error),
            });
        }
        Some(Command::Demo(_)) | None => &cli.run,
    };
    let resumed = ResumeConfig::resolve(&cli.run, env).transpose();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &cli.command {
        Some(Command::Demo(args)) => match DemoConfig::resolve(args, env, drawn_seed) {
            Ok(config) => runtime.block_on(async { demo(config, styles, stop_signals()?).await }),
            Err(error) => Ok(usage(&error)),
        },
        Some(Command::Sweep(args)) => match SweepConfig::resolve(args, env, drawn_seed) {
            Ok(config) => runtime.block_on(run_sweep(config, styles)),
            Err(error) => Ok(usage(&error)),
        },
        None if resumed.is_some() => match resumed.expect("just seen") {
            Ok(config) => runtime.block_on(async { Box::pin(resume(config, styles, stop_signals()?)).await }),
            Err(error) => Ok(usage(&error)),
        },
        command => match RunConfig::resolve(run_args, env, drawn_seed) {
            Ok(config) => runtime.block_on(async {
                match job(config, styles) {
                    Ok(job) if command.is_some() => Ok(check(&job)),
                    Ok(job) => run(job, stop_signals()?).await,
                    Err(code) => Ok(code),
                }
            }),
            Err(error) => Ok(usage(&error)),
        },
    }
}

async fn run_sweep(config: SweepConfig, styles: Styles) -> anyhow::Result<ExitCode> {
    let SweepConfig { sizes, run, rest, after_failure, format, out } = config;
    match job(run, styles) {
        Ok(job) => sweep(job, Course { sizes, rest, after_failure, format, out }, stop_signals()?).await,
        Err(code) => Ok(code),
    }
}

/// Makes a join string; it alone goes to standard output, for scripts.
fn join(config: &JoinConfig) -> ExitCode {
    match invite(config) {
        Ok((join, text)) => {
            say(&text);
            tell(&format!("{}\n", join.reveal()));
            ExitCode::Passed
        }
        Err(problem) => usage(&problem),
    }
}

/// Makes the files of a report again; their paths go to standard output, a line each.
fn report(config: &ReportConfig) -> ExitCode {
    let report = match read_report(&config.file) {
        Ok(report) => report,
        Err(error) => {
            say(&format!("error: {error}"));
            return ExitCode::Plan;
        }
    };
    let written = write_forms(&config.out, &report, &config.forms);
    for path in &written.files {
        tell(&format!("{}\n", path.display()));
    }
    for error in &written.failed {
        say(&format!("error: {error}"));
    }
    if config.github {
        let (annotations, problems) = GitHub::new(|name| std::env::var(name).ok()).tell(&report, &config.out);
        tell(&annotations);
        for problem in problems {
            say(&problem);
        }
    }
    if written.failed.is_empty() {
        return ExitCode::Passed;
    }
    let beside = config.forms.contains(&Form::Json).then_some(config.out.as_path());
    say(&make_again(&config.file, beside));
    ExitCode::Internal
}

/// Explains the plan on standard output.
fn check(job: &Job) -> ExitCode {
    match job.bundle.compile() {
        Ok(plan) => {
            for warning in plan_warnings(&plan, &job.bundle.file) {
                say(&warning);
            }
            tell(&render(&explain(&plan, &job.bundle.settings, job.expect_agents), job.styles.output));
            ExitCode::Passed
        }
        Err(diagnostics) => {
            say(diagnostics.to_string().trim_end());
            ExitCode::Plan
        }
    }
}

fn usage(error: &dyn std::fmt::Display) -> ExitCode {
    say(&format!("error: {error}"));
    ExitCode::Usage
}

/// Reads the plan; what stands in the way is said, with its exit code.
fn job(config: RunConfig, styles: Styles) -> Result<Job, ExitCode> {
    let file = config.plan_path.display().to_string();
    let source = read_plan(&config.plan_path).map_err(|problem| {
        say(&format!("error: {file}: {problem}"));
        ExitCode::Plan
    })?;
    let mut bundle = Bundle { file, source, settings: config.settings };
    for (name, path) in config.secret_files {
        match files::read_secret(&path) {
            Ok(value) => bundle.settings.secrets.insert(name, value),
            Err(problem) => return Err(usage(&format!("--secret-file {name}: {problem}"))),
        }
    }
    bundle.settings.files = files::read(&bundle, &config.plan_path);
    if let Err(error) = bundle.check_settings() {
        return Err(usage(&error));
    }
    Ok(Job {
        bundle,
        expect_agents: config.expect_agents,
        agents_timeout: config.agents_timeout,
        on_agent_loss: config.on_agent_loss,
        on_agent_join: config.on_agent_join,
        listen: config.listen,
        protection: config.protection,
        local_target: LocalTarget::No,
        report_dir: config.report_dir,
        telemetry: config.telemetry,
        baseline: config.baseline,
        styles,
        teller: Teller::Run,
    })
}

fn read_plan(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| {
        format!("cannot read the plan: {error}; name the file, as in `coordinator api.yaml`, or try `coordinator demo`")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = valid.matches('\n').count() + 1;
        format!("line {line} is not UTF-8; save the plan as UTF-8")
    })
}

/// The operator's wishes to stop: Ctrl-C or SIGTERM (on Windows also Ctrl-Break and a console that is closed), once to let users finish, twice to give up what is in flight. The third
/// one ends the process at once.
fn stop_signals() -> std::io::Result<mpsc::Receiver<()>> {
    let (sender, receiver) = mpsc::channel(2);
    let mut stop = Stop::listen()?;
    tokio::spawn(async move {
        let mut wishes = 0;
        loop {
            stop.next().await;
            wishes += 1;
            match wishes {
                _ if sender.is_closed() && wishes < 3 => say("the run is over; ending"),
                1 => say("stopping: running iterations may finish; again to stop at once"),
                2 => say("stopping at once: what is in flight is given up; again to quit without a report"),
                _ => {
                    say("quitting; nothing is reported, `coordinator --resume last` does that");
                    std::process::exit(ExitCode::Interrupted.number().into());
                }
            }
            // One that nobody takes any more must not keep the next from being heard.
            let _ = sender.try_send(());
        }
    });
    Ok(receiver)
}
