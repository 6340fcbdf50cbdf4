//! The journal of a run: what makes `coordinator --resume` possible.
//!
//! **Invariant:** nobody hears of anything that is not durable; see [`RecordedFleet`]. One SQLite file holds one run, from before
//! the first agent attaches until the report is on disk; then it is removed. It holds no value of a secret, of an
//! environment variable or of a data file, only what these have to be for the run to go on.
//!
//! Reading order: [`record`] (what is kept), [`RecordedFleet`] (what waits for it), [`replay`](replay()) (a run from its
//! records): these are pure. Then [`Store`] (the file), [`Folder`] (where it is, and who may write it), [`Writer`] (the
//! thread that does), [`Head`] (what the run was started with), [`runs`] (which runs there are).

mod folder;
mod head;
mod lock;
pub mod record;
mod recorded_fleet;
mod replay;
pub mod runs;
mod store;
mod writer;

pub use folder::{Folder, FolderError};
pub use head::{BaselineMark, Digests, DoorFlags, FileMark, Head, without_secrets};
use lock::Lock;
pub use record::Record;
pub use recorded_fleet::{Batch, Decided, RecordedFleet};
pub use replay::{Replayed, replay};
pub use store::{Store, StoreError};
pub use writer::{Progress, Writer};

/// The file of a run in its directory.
pub const FILE: &str = "journal.db";
