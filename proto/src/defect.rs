//! Defects that can be put into this build on purpose, to see that the tests find them.
//!
//! Without the feature `defects`, which only the test of the tests turns on, there are none and nothing is left of this
//! in the program. With it, the variable `MUSTER_DEFECT` (`m1` to `m15`) puts one in.

/// A way in which a fleet can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A window that arrives twice is added twice.
    M1,
    /// A window is acknowledged before it is kept.
    M2,
    /// A lease counts from the arrival of its grant.
    M3,
    /// A lease is watched by a timer only, not before each request.
    M4,
    /// The clock of the lease stands still while the machine sleeps.
    M5,
    /// Users are given away as soon as a stream breaks.
    M6,
    /// A run is over before the last windows are in.
    M7,
    /// A stream that was replaced is still heard.
    M8,
    /// An older assignment is taken.
    M9,
    /// Assignments are ordered by a clock that people set.
    M10,
    /// A window is forgotten once it is sent.
    M11,
    /// One user too few is dealt.
    M12,
    /// What a lost agent delivers is acknowledged and dropped.
    M13,
    /// A window that arrives twice is answered with an error.
    M14,
    /// Allowed targets are looked up by name only.
    M15,
}

/// Whether this build has `defect` now.
#[cfg(not(feature = "defects"))]
#[inline]
pub const fn seeded(_defect: Defect) -> bool {
    false
}

/// Whether this build has `defect` now.
#[cfg(feature = "defects")]
pub fn seeded(defect: Defect) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("MUSTER_DEFECT").ok().filter(|name| !name.is_empty()));
    chosen.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&format!("{defect:?}")))
}
