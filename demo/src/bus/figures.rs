//! What is known of the commands, all of it by the database: how far they are, how long they took, and who did them.

use super::worker::WORKERS;
use crate::ingest::Percentiles;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// What became of the commands that were accepted. Nothing has gone wrong where
/// `accepted == pending + running + failed + completed + dead_letter`, so that `lost` is 0, and `ended_twice` is 0 as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandsTruth {
    /// Commands that were answered 202.
    pub accepted: u64,
    /// Those of them that no worker has had yet.
    pub pending: u64,
    /// Those that a worker has.
    pub running: u64,
    /// Those whose last attempt failed and that wait for the next one.
    pub failed: u64,
    /// Those that ended well.
    pub completed: u64,
    /// Those that ended in the dead-letter queue: no attempt is left.
    pub dead_letter: u64,
    /// Those that are nowhere.
    pub lost: u64,
    /// Commands that ended more than once.
    pub ended_twice: u64,
    /// Attempts that have ended.
    pub attempts: u64,
    /// Those of them that failed.
    pub failed_attempts: u64,
    /// Those of them that were not brought to their end by their worker, so that the lease ran out.
    pub abandoned_attempts: u64,
    /// Attempts of each worker.
    pub workers: [u64; WORKERS],
}

/// How many commands are in which state.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct States {
    pending: u64,
    running: u64,
    failed: u64,
    completed: u64,
    dead_letter: u64,
}

/// How far a job is.
#[derive(Debug, Serialize)]
pub(super) struct Progress {
    id: i64,
    run: String,
    /// How many it is going to have.
    commands: u64,
    accepted: u64,
    #[serde(flatten)]
    states: States,
    /// Those that have not ended yet, and those that have not come yet.
    remaining: u64,
}

/// What came of the jobs of a run, or of one of them.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// `null` before the first job.
    run: Option<String>,
    jobs: u64,
    /// How many the jobs are going to have.
    commands: u64,
    remaining: u64,
    #[serde(flatten)]
    truth: CommandsTruth,
    mix: MixTold,
    /// From the opening of the first job to the last command that was accepted so far.
    generation_ms: f64,
    /// From the opening of the first job until now, or until the last command ended.
    elapsed_ms: f64,
    /// Commands that ended, for each second of that.
    throughput_per_s: f64,
    /// From the acceptance of a command to the beginning of its first attempt.
    queue_ms: Percentiles,
    /// How long attempts took.
    processing_ms: Percentiles,
    /// From the acceptance of a command to its end.
    end_to_end_ms: Percentiles,
}

/// How many commands of each behaviour there are.
#[derive(Debug, Default, Serialize)]
struct MixTold {
    success: u64,
    transient: u64,
    permanent: u64,
}

/// Which jobs are meant, as a JSON array of their numbers.
pub(super) struct Jobs(String);

impl Jobs {
    pub(super) fn one(job: i64) -> Jobs {
        Jobs(format!("[{job}]"))
    }

    /// All of them.
    pub(super) fn all(connection: &Connection) -> rusqlite::Result<Jobs> {
        Jobs::found(connection, "SELECT json_group_array(id) FROM command_jobs")
    }

    /// Those of the run that opened a job last; none before the first one.
    pub(super) fn latest(connection: &Connection) -> rusqlite::Result<Jobs> {
        Jobs::found(
            connection,
            "SELECT json_group_array(id) FROM command_jobs
             WHERE run = (SELECT run FROM command_jobs ORDER BY id DESC LIMIT 1)",
        )
    }

    fn found(connection: &Connection, query: &str) -> rusqlite::Result<Jobs> {
        Ok(Jobs(connection.prepare_cached(query)?.query_row([], |row| row.get(0))?))
    }
}

const OF_JOBS: &str = "job IN (SELECT value FROM json_each(?1))";

impl States {
    fn of(connection: &Connection, jobs: &Jobs) -> rusqlite::Result<States> {
        let mut states = States::default();
        each(connection, jobs, "commands", "status", |status, count| {
            *match status {
                "pending" => &mut states.pending,
                "running" => &mut states.running,
                "failed" => &mut states.failed,
                "completed" => &mut states.completed,
                _ => &mut states.dead_letter,
            } += count;
        })?;
        Ok(states)
    }

    /// Those that are on their way.
    fn open(&self) -> u64 {
        self.pending + self.running + self.failed
    }

    fn ended(&self) -> u64 {
        self.completed + self.dead_letter
    }
}

impl CommandsTruth {
    /// Counts.
    pub(super) fn of(connection: &Connection, jobs: &Jobs) -> rusqlite::Result<CommandsTruth> {
        CommandsTruth::with(connection, jobs, States::of(connection, jobs)?)
    }

    fn with(connection: &Connection, jobs: &Jobs, states: States) -> rusqlite::Result<CommandsTruth> {
        let (mut attempts, mut failed_attempts, mut abandoned_attempts) = (0, 0, 0);
        each(connection, jobs, "command_attempts", "outcome", |outcome, count| {
            attempts += count;
            match outcome {
                "completed" => {}
                "abandoned" => abandoned_attempts += count,
                _ => failed_attempts += count,
            }
        })?;
        let mut workers = [0; WORKERS];
        each(connection, jobs, "command_attempts", "worker", |worker, count| {
            let number = worker.parse().unwrap_or(0_usize).checked_sub(1);
            if let Some(worker) = number.and_then(|number| workers.get_mut(number)) {
                *worker += count;
            }
        })?;
        let accepted =
            "SELECT ifnull(sum(accepted), 0) FROM command_jobs WHERE id IN (SELECT value FROM json_each(?1))";
        let accepted = one(connection, jobs, accepted)?;
        let ended_twice = format!(
            "SELECT count(*) FROM (
                SELECT 1 FROM command_attempts WHERE {OF_JOBS} AND outcome IN ('completed', 'dead_letter')
                GROUP BY job, command HAVING count(*) > 1)"
        );
        let States { pending, running, failed, completed, dead_letter } = states;
        Ok(CommandsTruth {
            accepted,
            pending,
            running,
            failed,
            completed,
            dead_letter,
            lost: accepted.saturating_sub(states.open() + states.ended()),
            ended_twice: one(connection, jobs, &ended_twice)?,
            attempts,
            failed_attempts,
            abandoned_attempts,
            workers,
        })
    }
}

impl Progress {
    /// Of job `id`; `None` if there is none of that number.
    pub(super) fn of(connection: &Connection, id: i64) -> rusqlite::Result<Option<Progress>> {
        let mut statement =
            connection.prepare_cached("SELECT run, commands, accepted FROM command_jobs WHERE id = ?1")?;
        let found = statement.query_row([id], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs()))
        });
        let Some((run, commands, accepted)) = found.optional()? else { return Ok(None) };
        let states = States::of(connection, &Jobs::one(id))?;
        let remaining = commands.saturating_sub(accepted) + states.open();
        Ok(Some(Progress { id, run, commands, accepted, states, remaining }))
    }
}

impl Figures {
    /// Of `jobs`, at the time `now`.
    pub(super) fn of(connection: &Connection, jobs: &Jobs, now: i64) -> rusqlite::Result<Figures> {
        let states = States::of(connection, jobs)?;
        let truth = CommandsTruth::with(connection, jobs, states)?;
        let mut statement = connection.prepare_cached(
            "SELECT max(run), count(*), ifnull(sum(commands), 0), min(opened_at) FROM command_jobs
             WHERE id IN (SELECT value FROM json_each(?1))",
        )?;
        let (run, count, commands, opened_at) = statement.query_row([&jobs.0], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get::<_, Option<i64>>(3)?))
        })?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT max(created_at), max(ended_at) FROM commands WHERE {OF_JOBS}"
        ))?;
        let (last_created, last_ended): (Option<i64>, Option<i64>) =
            statement.query_row([&jobs.0], |row| row.try_into())?;
        let commands = commands.unsigned_abs();
        let remaining = commands.saturating_sub(truth.accepted) + states.open();
        let until = if remaining == 0 { last_ended } else { Some(now) };
        let millis = |until: Option<i64>| {
            let micros = until.zip(opened_at).map_or(0, |(until, from)| until.saturating_sub(from).max(0));
            micros as f64 / 1000.0
        };
        let elapsed_ms = millis(until);
        let throughput_per_s =
            if elapsed_ms > 0.0 { states.ended() as f64 * 1000.0 / elapsed_ms } else { 0.0 };
        let mut mix = MixTold::default();
        each(connection, jobs, "commands", "behaviour", |behaviour, count| {
            *match behaviour {
                "success" => &mut mix.success,
                "transient" => &mut mix.transient,
                _ => &mut mix.permanent,
            } += count;
        })?;
        let durations = |what: &str, table: &str| durations(connection, jobs, what, table);
        Ok(Figures {
            run,
            jobs: count.unsigned_abs(),
            commands,
            remaining,
            truth,
            mix,
            generation_ms: millis(last_created),
            elapsed_ms,
            throughput_per_s: (throughput_per_s * 100.0).round() / 100.0,
            queue_ms: durations("started_at - created_at", "commands")?,
            processing_ms: durations("took", "command_attempts")?,
            end_to_end_ms: durations("ended_at - created_at", "commands")?,
        })
    }

    /// Whether it is of any job.
    pub(super) fn is_of_some(&self) -> bool {
        self.jobs > 0
    }
}

/// Calls `tell` with each value of `column`, as text, and with how many rows of `table` have it.
fn each(
    connection: &Connection,
    jobs: &Jobs,
    table: &str,
    column: &str,
    mut tell: impl FnMut(&str, u64),
) -> rusqlite::Result<()> {
    let query =
        format!("SELECT CAST({column} AS TEXT), count(*) FROM {table} WHERE {OF_JOBS} GROUP BY {column}");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([&jobs.0])?;
    while let Some(row) = rows.next()? {
        tell(row.get_ref(0)?.as_str()?, row.get::<_, i64>(1)?.unsigned_abs());
    }
    Ok(())
}

fn one(connection: &Connection, jobs: &Jobs, query: &str) -> rusqlite::Result<u64> {
    let count: i64 = connection.prepare_cached(query)?.query_row([&jobs.0], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The percentiles of `what`, in microseconds, of all rows of `table` that have it.
fn durations(connection: &Connection, jobs: &Jobs, what: &str, table: &str) -> rusqlite::Result<Percentiles> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {what} FROM {table} WHERE {OF_JOBS} AND {what} IS NOT NULL"))?;
    let found = statement.query_map([&jobs.0], |row| row.get::<_, i64>(0))?;
    let micros: Vec<u64> =
        found.map(|micros| micros.map(|m| m.max(0).unsigned_abs())).collect::<Result<_, _>>()?;
    Ok(Percentiles::of(micros))
}
