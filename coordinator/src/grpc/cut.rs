//! An end for connections that do not end by themselves.

use futures_util::task::AtomicWaker;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

/// Whether a connection is cut; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut(Arc<State>);

#[derive(Debug, Default)]
struct State {
    done: AtomicBool,
    reader: AtomicWaker,
}

impl Cut {
    /// Cuts it: reading from it fails from now on, which ends everything on it.
    pub(super) fn now(&self) {
        self.0.done.store(true, Ordering::Release);
        self.0.reader.wake();
    }

    /// An error once it is cut; the reader is woken when that happens.
    pub(super) fn look(&self, cx: &Context<'_>) -> io::Result<()> {
        self.0.reader.register(cx.waker());
        if self.0.done.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the coordinator ended it"));
        }
        Ok(())
    }
}
