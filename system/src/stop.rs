//! How a process is asked to end, by a person or by the system.

use std::io;

/// Hears the wishes that this process ends. While it is there, they do nothing else.
#[derive(Debug)]
pub struct Stop(side::Signals);

impl Stop {
    /// Begins to listen: Ctrl-C and SIGTERM; on Windows Ctrl-C, Ctrl-Break, and that the console is closed or the system shut
    /// down. Must be called within a runtime.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> io::Result<Stop> {
        side::Signals::listen().map(Stop)
    }

    /// The next wish, by the name that people know it by. May be given up at any time.
    pub async fn next(&mut self) -> &'static str {
        self.0.next().await
    }
}

#[cfg(unix)]
mod side {
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Signals> {
            let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            Ok(Signals { interrupt, terminate })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "SIGTERM",
            }
        }
    }
}

/// After Ctrl-C and Ctrl-Break a process may take its time. One whose console was closed is ended by Windows after some
/// seconds (five, unless the machine is set otherwise), whatever it does.
#[cfg(windows)]
mod side {
    use std::io;
    use tokio::signal::windows::{
        CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
    };

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: CtrlC,
        stop: CtrlBreak,
        close: CtrlClose,
        shutdown: CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Signals> {
            let (interrupt, stop, close, shutdown) =
                (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
            Ok(Signals { interrupt, stop, close, shutdown })
        }

        pub(super) async fn next(&mut self) -> &'static str {
            tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.stop.recv() => "Ctrl-Break",
                _ = self.close.recv() => "closing the console",
                _ = self.shutdown.recv() => "shutting down",
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn wishes_have_names() {
        let mut stop = Stop::listen().unwrap();
        let this = rustix::process::getpid();
        for (signal, name) in
            [(rustix::process::Signal::TERM, "SIGTERM"), (rustix::process::Signal::INT, "Ctrl-C")]
        {
            rustix::process::kill_process(this, signal).unwrap();
            assert_eq!(stop.next().await, name);
        }
    }
}
