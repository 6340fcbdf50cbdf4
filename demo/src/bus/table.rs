//! Commands in the database, which is the queue. Times are in microseconds, points in time since 1970.

use super::job::{Behaviour, Job, Mix};
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use std::time::Duration;

/// `due_at` is when a worker may take a command: at once, after its backoff, or, while a worker has it, when the lease of
/// that runs out. What has ended is never due. Each attempt is written down by the database itself, in the
/// statement that ends it; so is how many commands a job has been given.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS command_jobs (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, commands INTEGER NOT NULL,
        success INTEGER NOT NULL, transient INTEGER NOT NULL, permanent INTEGER NOT NULL,
        delay INTEGER NOT NULL, max_attempts INTEGER NOT NULL, backoff INTEGER NOT NULL, lease INTEGER NOT NULL,
        opened_at INTEGER NOT NULL, accepted INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS command_jobs_by_run ON command_jobs (run);
    CREATE TABLE IF NOT EXISTS commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL, behaviour TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0, due_at INTEGER, worker INTEGER,
        created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, took INTEGER, error TEXT
    );
    CREATE INDEX IF NOT EXISTS commands_by_status ON commands (job, status);
    CREATE INDEX IF NOT EXISTS commands_due ON commands (due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS command_attempts (
        job INTEGER NOT NULL, command INTEGER NOT NULL, attempt INTEGER NOT NULL, worker INTEGER NOT NULL,
        outcome TEXT NOT NULL, took INTEGER,
        PRIMARY KEY (job, command, attempt)
    ) WITHOUT ROWID;
    CREATE TRIGGER IF NOT EXISTS commands_accepted AFTER INSERT ON commands BEGIN
        UPDATE command_jobs SET accepted = accepted + 1 WHERE id = NEW.job;
    END;
    CREATE TRIGGER IF NOT EXISTS commands_attempted AFTER UPDATE ON commands WHEN OLD.status = 'running' BEGIN
        INSERT INTO command_attempts (job, command, attempt, worker, outcome, took)
        VALUES (OLD.job, OLD.id, OLD.attempts, OLD.worker, iif(NEW.took IS NULL, 'abandoned', NEW.status), NEW.took);
    END;
";

/// Opens a job; its number.
pub(super) fn open(connection: &Connection, job: &Job, now: i64) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO command_jobs
            (run, commands, success, transient, permanent, delay, max_attempts, backoff, lease, opened_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let Mix { success, transient, permanent } = job.mix;
    let micros = |millis: i64| millis * 1000;
    statement.insert((
        &job.run,
        job.commands,
        success,
        transient,
        permanent,
        micros(job.delay_ms),
        job.max_attempts,
        micros(job.backoff_ms),
        micros(job.lease_ms),
        now,
    ))
}

/// What became of a batch.
pub(super) enum Added {
    /// It is in the queue: its first and its last command.
    Commands { first: i64, last: i64 },
    /// There is no such job.
    NoJob,
    /// The job has room for fewer.
    TooMany { room: i64 },
}

/// Puts `count` commands of `job` into the queue: in one statement, so that it is done as a whole or not at all.
pub(super) fn add(connection: &Connection, job: i64, count: i64, now: i64) -> rusqlite::Result<Added> {
    let mut statement = connection.prepare_cached(
        "SELECT commands, accepted, success, transient, permanent FROM command_jobs WHERE id = ?1",
    )?;
    let found = statement.query_row([job], |row| {
        let mix = Mix { success: row.get(2)?, transient: row.get(3)?, permanent: row.get(4)? };
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, mix))
    });
    let Some((commands, accepted, mix)) = found.optional()? else { return Ok(Added::NoJob) };
    let room = commands - accepted;
    if count > room {
        return Ok(Added::TooMany { room });
    }
    let behaviours: Vec<&str> = (accepted..accepted + count).map(|n| mix.behaviour(n).name()).collect();
    let mut statement = connection.prepare_cached(
        "INSERT INTO commands (job, behaviour, due_at, created_at) SELECT ?1, value, ?2, ?2 FROM json_each(?3)",
    )?;
    statement.execute((job, now, serde_json::json!(behaviours).to_string()))?;
    let last = connection.last_insert_rowid();
    Ok(Added::Commands { first: last - count + 1, last })
}

/// What a worker finds in the queue.
pub(super) enum Claim {
    /// A command, which is this worker's until its lease runs out.
    Taken(Taken),
    /// One whose last attempt was given up by its worker: it is in the dead-letter queue now.
    Buried,
    /// Nothing yet, until then if ever.
    Nothing { due_at: Option<i64> },
}

/// A command that a worker has.
pub(super) struct Taken {
    pub(super) id: i64,
    pub(super) behaviour: Behaviour,
    /// Which attempt this is, from 1. Whoever takes the command after the lease has another number.
    pub(super) attempt: i64,
    /// How many attempts have failed.
    pub(super) failures: i64,
    pub(super) max_attempts: i64,
    pub(super) backoff: i64,
    pub(super) delay: Duration,
}

/// Takes the command that has been due for longest.
pub(super) fn claim(connection: &Connection, worker: i64, now: i64) -> rusqlite::Result<Claim> {
    // A cross join is made in the order in which it is written: the queue first, by its index.
    let mut statement = connection.prepare_cached(
        "UPDATE commands SET
            status = iif(attempts < max_attempts, 'running', 'dead_letter'),
            error = iif(attempts < max_attempts, error, 'no attempt was brought to its end'),
            ended_at = iif(attempts < max_attempts, NULL, ?2),
            due_at = iif(attempts < max_attempts, ?2 + lease, NULL),
            worker = iif(attempts < max_attempts, ?1, worker),
            started_at = ifnull(started_at, ?2), took = NULL,
            attempts = attempts + (attempts < max_attempts)
         FROM (SELECT due.id AS chosen, max_attempts, lease
               FROM commands AS due CROSS JOIN command_jobs AS job ON job.id = due.job
               WHERE due.due_at <= ?2 ORDER BY due.due_at, due.id LIMIT 1)
         WHERE id = chosen
         RETURNING id, job, behaviour, status, attempts, failures",
    )?;
    let claimed = statement.query_row([worker, now], |row| {
        Ok((
            (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?),
            Behaviour::named(row.get_ref(2)?.as_str()?),
            row.get_ref(3)?.as_str()? == "running",
            (row.get(4)?, row.get(5)?),
        ))
    });
    let Some(((id, job), behaviour, runs, (attempt, failures))) = claimed.optional()? else {
        let mut statement =
            connection.prepare_cached("SELECT min(due_at) FROM commands WHERE due_at IS NOT NULL")?;
        return Ok(Claim::Nothing { due_at: statement.query_row([], |row| row.get(0))? });
    };
    if !runs {
        return Ok(Claim::Buried);
    }
    let mut statement =
        connection.prepare_cached("SELECT max_attempts, backoff, delay FROM command_jobs WHERE id = ?1")?;
    statement.query_row([job], |row| {
        Ok(Claim::Taken(Taken {
            id,
            // Whatever is in the file: what is not known cannot be done.
            behaviour: behaviour.unwrap_or(Behaviour::Permanent),
            attempt,
            failures,
            max_attempts: row.get(0)?,
            backoff: row.get(1)?,
            delay: Duration::from_micros(row.get::<_, i64>(2)?.unsigned_abs()),
        }))
    })
}

/// What an attempt came to.
pub(super) enum Outcome {
    Completed,
    /// It failed, and is tried again after so long.
    Retry {
        error: &'static str,
        after: i64,
    },
    /// It failed, and was the last one.
    DeadLetter {
        error: &'static str,
    },
}

/// Writes down what `command`'s attempt came to. If its lease is over and another worker has taken it, nothing changes: what
/// the slower one did does not count.
pub(super) fn finish(
    connection: &Connection,
    command: &Taken,
    outcome: &Outcome,
    took: i64,
    now: i64,
) -> rusqlite::Result<()> {
    let (status, error, due_at, ended_at) = match *outcome {
        Outcome::Completed => ("completed", None, None, Some(now)),
        Outcome::Retry { error, after } => ("failed", Some(error), Some(now + after), None),
        Outcome::DeadLetter { error } => ("dead_letter", Some(error), None, Some(now)),
    };
    let failures = command.failures + i64::from(error.is_some());
    let mut statement = connection.prepare_cached(
        "UPDATE commands SET status = ?3, error = ?4, due_at = ?5, ended_at = ?6, failures = ?7, took = ?8
         WHERE id = ?1 AND attempts = ?2 AND status = 'running'",
    )?;
    statement.execute((command.id, command.attempt, status, error, due_at, ended_at, failures, took))?;
    Ok(())
}

/// Loses a command, as a queue that forgets does.
pub(super) fn lose(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM commands WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Forgets that a command is completed, as a queue does whose worker dies between the work and the note of it.
pub(super) fn forget(connection: &Connection, id: i64, now: i64) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE commands SET status = 'pending', due_at = ?2, ended_at = NULL WHERE id = ?1 AND status = 'completed'",
    )?;
    statement.execute([id, now])?;
    Ok(())
}

/// A command as it is told.
#[derive(Debug, Serialize)]
pub(super) struct Command {
    id: i64,
    job: i64,
    behaviour: String,
    status: String,
    attempts: i64,
    worker: Option<i64>,
    error: Option<String>,
}

const COMMAND: &str = "SELECT id, job, behaviour, status, attempts, worker, error FROM commands";

fn command(row: &rusqlite::Row<'_>) -> rusqlite::Result<Command> {
    Ok(Command {
        id: row.get(0)?,
        job: row.get(1)?,
        behaviour: row.get(2)?,
        status: row.get(3)?,
        attempts: row.get(4)?,
        worker: row.get(5)?,
        error: row.get(6)?,
    })
}

pub(super) fn find(connection: &Connection, id: i64) -> rusqlite::Result<Option<Command>> {
    let mut statement = connection.prepare_cached(&format!("{COMMAND} WHERE id = ?1"))?;
    statement.query_row([id], command).optional()
}

/// The latest commands in the dead-letter queue of `job`, and how many there are.
pub(super) fn dead_letters(
    connection: &Connection,
    job: i64,
    limit: u32,
) -> rusqlite::Result<(Vec<Command>, i64)> {
    let dead = "job = ?1 AND status = 'dead_letter'";
    let mut statement =
        connection.prepare_cached(&format!("{COMMAND} WHERE {dead} ORDER BY id DESC LIMIT ?2"))?;
    let items = statement.query_map((job, limit), command)?.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(&format!("SELECT count(*) FROM commands WHERE {dead}"))?;
    Ok((items, statement.query_row([job], |row| row.get(0))?))
}
