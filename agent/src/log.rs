//! What the programs say beside their results: lines on standard error, as text for people or as JSON for machines.
//!
//! [`LogSettings::start`] is called once, before anything is said. In programs that never call it nothing is written.

use clap::ValueEnum;
use std::ffi::OsString;
use std::fmt;
use std::sync::OnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, error, info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

/// Whose lines are written: ours, not those of libraries.
pub const TARGET: &str = "muster";

/// The variable beside `--log-format`.
pub const VARIABLE: &str = "LOAD_TEST_LOG_FORMAT";

/// How lines on standard error are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// What a command line that is not read yet asks for, so that what is wrong with it is said in that format, too.
    /// `variable` is the value of [`VARIABLE`].
    pub fn foreseen(arguments: impl IntoIterator<Item = OsString>, variable: Option<OsString>) -> LogFormat {
        let mut asked = variable.map(|value| value.to_string_lossy().into_owned());
        let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--log-format") {
                Some("") => asked = arguments.next(),
                Some(rest) => asked = rest.strip_prefix('=').map(str::to_owned).or(asked),
                None if argument == "--" => break,
                None => {}
            }
        }
        match asked.as_deref() {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Text,
        }
    }
}

/// Which lines, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// Warnings and errors only.
    pub quiet: bool,
}

/// The program's name and its settings.
static STARTED: OnceLock<(&'static str, LogSettings)> = OnceLock::new();

impl LogSettings {
    /// Writes what is said from now on; the first call decides. `program` stands in JSON.
    pub fn start(self, program: &'static str) {
        if STARTED.set((program, self)).is_err() {
            return;
        }
        let level = if self.quiet { LevelFilter::WARN } else { LevelFilter::INFO };
        let ours = tracing_subscriber::registry().with(Targets::new().with_target(TARGET, level));
        // A standard error that nobody reads is no reason to end, nor to complain on it.
        let lines = layer().with_writer(std::io::stderr).with_ansi(false).log_internal_errors(false);
        let started = match self.format {
            LogFormat::Text => tracing::subscriber::set_global_default(ours.with(lines.event_format(Plain))),
            LogFormat::Json => {
                let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
                std::panic::set_hook(Box::new(|panic| say(&format!("error: {panic}"))));
                tracing::subscriber::set_global_default(ours.with(lines.with_target(false)))
            }
        };
        // Somebody else writes what is said, which is as good.
        let _ = started;
    }
}

/// Says what is wrong with the command line in the format that it asks for, or shows its help, and ends the process.
pub fn exit(program: &'static str, error: &clap::Error) -> ! {
    let format = LogFormat::foreseen(std::env::args_os().skip(1), std::env::var_os(VARIABLE));
    if format == LogFormat::Json && error.use_stderr() {
        LogSettings { format, quiet: false }.start(program);
        say(error.to_string().trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// The settings that the program was started with.
pub fn settings() -> LogSettings {
    STARTED.get().map(|(_, settings)| *settings).unwrap_or_default()
}

/// The program's name.
pub fn program() -> &'static str {
    STARTED.get().map_or("", |(program, _)| program)
}

/// Says a line. One that begins with `error: ` or `warning: ` is of that level.
pub fn say(text: &str) {
    let program = program();
    if let Some(text) = text.strip_prefix("error: ") {
        error!(target: TARGET, program, "{text}");
    } else if let Some(text) = text.strip_prefix("warning: ") {
        warn!(target: TARGET, program, "{text}");
    } else {
        info!(target: TARGET, program, "{text}");
    }
}

/// The message alone, after its level if that is more than news.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let level = match *event.metadata().level() {
            Level::ERROR => "error: ",
            Level::WARN => "warning: ",
            _ => "",
        };
        writeln!(writer, "{level}{}", message.0)
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_known_before_the_command_line_is_read() {
        let check = |line: &str, variable: Option<&str>, expected: LogFormat| {
            let words = line.split_whitespace().map(OsString::from);
            assert_eq!(
                LogFormat::foreseen(words, variable.map(OsString::from)),
                expected,
                "{line} {variable:?}"
            );
        };
        check("agent", None, LogFormat::Text);
        check("agent --log-format json --nope", None, LogFormat::Json);
        check("agent --log-format=json", None, LogFormat::Json);
        check("agent", Some("json"), LogFormat::Json);
        check("agent --log-format text", Some("json"), LogFormat::Text);
        check("agent --log-format", Some("json"), LogFormat::Text);
        check("agent --log-formats json", None, LogFormat::Text);
        check("agent -- --log-format json", None, LogFormat::Text);
        check("agent --log-format xml", None, LogFormat::Text);
    }
}
