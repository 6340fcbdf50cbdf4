//! Every limit on what a peer may send, with its reason.

/// Largest message from an agent, in bytes: a window of [`MAX_SERIES`] series with a busy histogram each.
pub const MAX_AGENT_MESSAGE: usize = 8 << 20;

/// Largest message from the coordinator, in bytes: an assignment of [`MAX_SLOTS`] slots, each with where its user goes
/// on and when. Bundles come in parts.
pub const MAX_COORDINATOR_MESSAGE: usize = 16 << 20;

/// Most messages of an agent in a second, over time: a renewal, a window, and a few answers. Nobody waits for one that says
/// more.
pub const MAX_MESSAGE_RATE: u32 = 10;

/// Most messages of an agent beyond that at once: the windows that it kept while it was cut off, and the renewals that
/// measure a clock.
pub const MAX_MESSAGE_BURST: u32 = 256;

/// Most messages that wait for an agent to read them: the answers to as many windows as it sends again, and what was
/// ordered meanwhile. One that lets more pile up does not read.
pub const MAX_UNREAD_MESSAGES: usize = 128;

/// Most seconds that a window may be ahead of the coordinator's clock: a machine's clock may have been moved, and one agent's
/// must not close the seconds of the others.
pub const MAX_WINDOW_AHEAD_S: u32 = 10;

/// Most requests that a user can start in a second: over a hundred times what the fastest target answers.
pub const MAX_USER_RATE: u64 = 1_000_000;

/// Most series of a plan; `plan` refuses more.
pub const MAX_SERIES: u32 = 4096;

/// Most slots of a fleet; `plan` refuses more users.
pub const MAX_SLOTS: u32 = 1_000_000;

/// Most error rows in one window: what an agent's table holds, its fold rows included.
pub const MAX_ERROR_ROWS: usize = 8192;

/// Longest agent name in characters: it stands in tables and file names.
pub const MAX_NAME_CHARS: usize = 64;

/// Longest run id in characters.
pub const MAX_RUN_ID_CHARS: usize = 64;

/// Longest text for a person in characters.
pub const MAX_TEXT_CHARS: usize = 512;

/// Most requests of one agent in one window: 2^40 is over 10^12 in a second, so counts never overflow.
pub const MAX_COUNT: u64 = 1 << 40;

/// Highest number of an iteration: more than a user could end in the longest schedule, one each microsecond.
pub const MAX_ITERATION: u64 = 1 << 46;

/// Highest window index: the longest schedule in seconds, and its stop timeout.
pub const MAX_WINDOW_INDEX: u32 = 401 * 24 * 3600;

/// Most seconds in one window: agents merge windows that wait to be sent, and a report loses no more than an hour's shape.
pub const MAX_WINDOW_SECONDS: u32 = 3600;

/// Longest lease in milliseconds that an agent accepts: an agent must stop soon after it lost its coordinator.
pub const MAX_LEASE_MS: u32 = 60_000;

/// Longest wait before the start that an agent accepts, in microseconds.
pub const MAX_START_IN_US: u64 = 600_000_000;

/// Highest time on a coordinator's clock, in microseconds: 1000 days, more than the longest run and the wait for its agents.
pub const MAX_CLOCK_US: u64 = 1000 * 24 * 3600 * 1_000_000;

/// Longest stop timeout that an agent accepts, in milliseconds.
pub const MAX_STOP_TIMEOUT_MS: u64 = 24 * 3600 * 1000;

/// Longest chore that a coordinator believes in, in microseconds: the longest time limit of one, and the same
/// again for what was open at its end.
pub const MAX_CHORE_US: u64 = 2 * 24 * 3600 * 1_000_000;

/// Most memory of an agent that a coordinator believes in, in bytes: a pebibyte.
pub const MAX_MEMORY_BYTES: u64 = 1 << 50;

/// Most processors of an agent that a coordinator believes in, in thousandths of one: a million.
pub const MAX_CPU_PERMILLE: u32 = 1_000_000_000;
