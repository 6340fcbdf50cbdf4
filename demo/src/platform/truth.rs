//! Whether what was acknowledged is in the database, and what setup left there.

use super::Platform;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// What was acknowledged, and what the database holds of it, since the server started. The database has no less, and more only
/// of requests whose clients went away before they had the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformTruth {
    /// What requests were told.
    pub acknowledged: PlatformCounts,
    /// What a look into the tables finds.
    pub stored: PlatformCounts,
    /// Accounts of tenants that were made for a test and not removed.
    pub seeded: u64,
}

/// What users make. Accounts of tenants do not count, nor do the seeded ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformCounts {
    /// Accounts that were registered.
    pub accounts: u64,
    /// Generations that were asked for.
    pub generations: u64,
    /// Payments that were accepted.
    pub payments: u64,
}

#[derive(Default)]
pub(super) struct Acknowledged {
    pub(super) accounts: AtomicU64,
    pub(super) generations: AtomicU64,
    pub(super) payments: AtomicU64,
}

impl Acknowledged {
    pub(super) fn one(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Platform {
    /// Compares. Waits for the database.
    pub(crate) fn truth(&self) -> anyhow::Result<PlatformTruth> {
        let (all, seeded) = self.store.wait(|connection| Ok((stored(connection)?, seeded(connection)?)))?;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Acknowledged { accounts, generations, payments } = &self.acknowledged;
        Ok(PlatformTruth {
            acknowledged: PlatformCounts {
                accounts: load(accounts),
                generations: load(generations),
                payments: load(payments),
            },
            stored: PlatformCounts {
                accounts: all.accounts.saturating_sub(self.before.accounts),
                generations: all.generations.saturating_sub(self.before.generations),
                payments: all.payments.saturating_sub(self.before.payments),
            },
            seeded,
        })
    }
}

/// What the tables hold.
pub(super) fn stored(connection: &Connection) -> rusqlite::Result<PlatformCounts> {
    let accounts = "SELECT count(*) FROM users WHERE NOT (email >= 'tenant-' AND email < 'tenant.')
                    AND NOT (email >= 'demo-user-' AND email < 'demo-user.')";
    Ok(PlatformCounts {
        accounts: count(connection, accounts)?,
        generations: count(connection, "SELECT count(*) FROM generations")?,
        payments: count(connection, "SELECT count(*) FROM payments")?,
    })
}

fn seeded(connection: &Connection) -> rusqlite::Result<u64> {
    count(connection, "SELECT count(*) FROM users WHERE email >= 'tenant-' AND email < 'tenant.'")
}

fn count(connection: &Connection, query: &str) -> rusqlite::Result<u64> {
    let count: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
