//! What other load testers, and people who come from them, call the keys of the language.

use super::{EXPECT, LOAD, PLAN, SAVE, STAGE, STEP, Table, USER_CLASS};

/// Foreign names and ours, by the table in which they stand. Names are lower case, words joined by `_`.
static NAMES: &[(&Table, &[(&str, &str)])] = &[
    (
        &PLAN,
        &[
            ("host", "target"),
            ("url", "target"),
            ("base_url", "target"),
            ("baseurl", "target"),
            ("title", "name"),
            ("options", "load"),
            ("scenarios", "users"),
            ("user_classes", "users"),
            ("variables", "params"),
            ("vars", "params"),
            ("parameters", "params"),
            ("checks", "thresholds"),
            ("slo", "thresholds"),
        ],
    ),
    (
        &LOAD,
        &[
            ("vus", "users"),
            ("user_count", "users"),
            ("virtual_users", "users"),
            ("concurrency", "users"),
            ("connections", "users"),
            ("hatch_rate", "spawn_rate"),
            ("ramp_rate", "spawn_rate"),
            ("run_time", "duration"),
            ("runtime", "duration"),
            ("time", "duration"),
            ("graceful_stop", "stop_timeout"),
            ("gracefulstop", "stop_timeout"),
        ],
    ),
    (
        &STAGE,
        &[("target", "users"), ("vus", "users"), ("duration", "over"), ("ramp", "over"), ("hold", "for")],
    ),
    (
        &USER_CLASS,
        &[
            ("wait_time", "wait"),
            ("think_time", "wait"),
            ("pause", "wait"),
            ("fixed_count", "fixed"),
            ("count", "fixed"),
            ("setup", "on_start"),
            ("before", "on_start"),
            ("scenario", "tasks"),
            ("steps", "tasks"),
        ],
    ),
    (
        &STEP,
        &[
            ("sleep", "think"),
            ("pause", "think"),
            ("wait", "think"),
            ("delay", "think"),
            ("loop", "repeat"),
            ("times", "repeat"),
            ("check", "expect"),
            ("checks", "expect"),
            ("assert", "expect"),
            ("validate", "expect"),
            ("extract", "save"),
            ("capture", "save"),
            ("register", "save"),
            ("payload", "body"),
            ("params", "query"),
            ("qs", "query"),
            ("label", "name"),
            ("title", "name"),
            ("transaction", "group"),
            ("interval", "every"),
            ("do", "steps"),
        ],
    ),
    (
        &EXPECT,
        &[
            ("status_code", "status"),
            ("statuscode", "status"),
            ("code", "status"),
            ("response_time", "time"),
            ("max_time", "time"),
            ("duration", "time"),
            ("jsonpath", "json"),
            ("expression", "that"),
        ],
    ),
    (&SAVE, &[("jsonpath", "json"), ("path", "json")]),
];

/// The key of `table` that `foreign` stands for elsewhere.
pub(crate) fn own_key(table: &Table, foreign: &str) -> Option<&'static str> {
    let foreign = foreign.to_lowercase().replace('-', "_");
    let of = |wanted: &Table| {
        let (_, names) = NAMES.iter().find(|(table, _)| std::ptr::eq(*table, wanted))?;
        names.iter().find(|(name, _)| *name == foreign).map(|(_, own)| *own)
    };
    of(table).or_else(|| table.also.and_then(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::TASK;

    #[test]
    fn foreign_names_stand_for_keys_that_their_table_has_and_are_none_of_them() {
        for (table, names) in NAMES {
            for (foreign, own) in *names {
                assert!(table.key(own).is_some(), "{own} in {}", table.name);
                assert!(table.key(foreign).is_none(), "{foreign} in {}", table.name);
            }
        }
    }

    #[test]
    fn names_are_looked_up_in_the_tables_that_a_table_has_too() {
        assert_eq!(own_key(&TASK, "Extract"), Some("save"));
        assert_eq!(own_key(&LOAD, "run-time"), Some("duration"));
        assert_eq!(own_key(&STAGE, "target"), Some("users"));
        assert_eq!(own_key(&PLAN, "vus"), None);
    }
}
