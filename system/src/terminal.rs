//! Whether what is written is seen by a person.

use std::io::IsTerminal as _;

/// Whether standard output is a terminal that draws colours by escape sequences. On Windows this switches them on.
pub fn output_has_colours() -> bool {
    std::io::stdout().is_terminal() && side::output_has_colours()
}

/// The same of standard error.
pub fn error_has_colours() -> bool {
    std::io::stderr().is_terminal() && side::error_has_colours()
}

#[cfg(unix)]
mod side {
    pub(super) fn output_has_colours() -> bool {
        true
    }

    pub(super) fn error_has_colours() -> bool {
        true
    }
}

/// A terminal that is no console is one of programs that come from Unix: it knows escape sequences.
#[cfg(windows)]
mod side {
    use std::io;
    use winapi_util::console::Console;

    pub(super) fn output_has_colours() -> bool {
        are_on(Console::stdout())
    }

    pub(super) fn error_has_colours() -> bool {
        are_on(Console::stderr())
    }

    fn are_on(console: io::Result<Console>) -> bool {
        console.ok().is_none_or(|mut console| console.set_virtual_terminal_processing(true).is_ok())
    }
}
