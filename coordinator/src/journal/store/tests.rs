use super::*;
use crate::clock::RunClock;
use crate::fleet::{Input, OnAgentJoin, OnAgentLoss, SessionId};
use crate::journal::{BaselineMark, Digests, DoorFlags};

/// A directory of its own, removed when it is dropped.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("muster-journal-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("journal.db")
    }

    /// A copy of the file and its log, as a crash leaves them.
    fn copy(&self, name: &str) -> Dir {
        let copy = Dir::new(name);
        for suffix in ["", "-wal"] {
            let name = format!("journal.db{suffix}");
            if self.0.join(&name).exists() {
                std::fs::copy(self.0.join(&name), copy.0.join(&name)).unwrap();
            }
        }
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn head() -> Head {
    Head {
        run: "r".to_owned(),
        build: "0.1.0".to_owned(),
        origin: RunClock::start().origin().clone(),
        digests: Digests { bundle_sha256: "b".repeat(64), meaning_sha256: "m".repeat(64) },
        folder: "/plans".into(),
        env: vec!["HOST".to_owned()],
        secrets: Vec::new(),
        files: Vec::new(),
        expect_agents: 2,
        agents_timeout: Duration::from_millis(1500),
        on_agent_loss: OnAgentLoss::Hold,
        on_agent_join: OnAgentJoin::Refuse,
        listen: "127.0.0.1:5557".parse().unwrap(),
        door: DoorFlags { tls: true, state_dir: Some("/state".into()), ..DoorFlags::default() },
        baseline: Some(BaselineMark {
            path: "/reports/a/report.json".into(),
            fails: true,
            limits: [0.01, 0.05, 0.001],
        }),
        bundle: b"the plan".to_vec(),
    }
}

/// Records `first..` with a recognisable text.
fn batch(first: u64, count: u64) -> Batch {
    let record = |number| {
        let reason = format!("record {number} {}", "x".repeat(number as usize * 7 % 500));
        let input = Input::Detached { session: SessionId(number), reason };
        record::encode(Duration::from_secs(number), Some(&input)).unwrap()
    };
    Batch { first, records: (first..first + count).map(record).collect() }
}

/// Numbers of the records that can be read.
fn numbers(store: &mut Store) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::new();
    store.read(|record| {
        numbers.push(record.at.as_secs());
        Ok(())
    })?;
    Ok(numbers)
}

fn reopened(dir: &Dir) -> Result<Vec<u64>, StoreError> {
    let (mut store, _) = Store::open(&dir.file())?;
    numbers(&mut store)
}

#[test]
fn what_was_written_is_read_back_by_the_next_one() {
    let dir = Dir::new("next");
    let mut store = Store::create(&dir.file(), &head()).unwrap();
    assert_eq!(store.epoch(), 1);
    assert_eq!(store.append(&[batch(1, 3), batch(4, 2)]).unwrap(), 5);
    for suffix in ["", "-wal", "-shm"] {
        let mode = private::mode(&dir.0.join(format!("journal.db{suffix}")).metadata().unwrap());
        assert!(mode.is_none_or(|mode| mode == 0o600), "{suffix}: {mode:?}");
    }
    drop(store);
    let (mut store, read) = Store::open(&dir.file()).unwrap();
    assert_eq!((read, store.epoch()), (head_with(&head(), &store), 2));
    assert_eq!(numbers(&mut store).unwrap(), [1, 2, 3, 4, 5]);
    assert_eq!(store.append(&[batch(6, 1)]).unwrap(), 6);
    drop(store);
    assert_eq!(reopened(&dir).unwrap(), [1, 2, 3, 4, 5, 6]);
    assert!(Store::create(&dir.file(), &head()).is_err(), "a journal is never written over");
}

/// `head` with the origin that the journal has.
fn head_with(head: &Head, store: &Store) -> Head {
    let stored = Head::from_json(&store.head("run").unwrap(), Vec::new()).unwrap();
    Head { origin: stored.origin, ..head.clone() }
}

#[test]
fn who_was_succeeded_can_write_no_more() {
    let dir = Dir::new("fenced");
    let mut old = Store::create(&dir.file(), &head()).unwrap();
    old.append(&[batch(1, 2)]).unwrap();
    let (mut new, _) = Store::open(&dir.file()).unwrap();
    assert_eq!(numbers(&mut new).unwrap(), [1, 2]);
    let refused = old.append(&[batch(3, 1)]);
    assert!(matches!(refused, Err(StoreError::Fenced { ours: 1, theirs: 2 })), "{refused:?}");
    assert_eq!(new.append(&[batch(3, 1)]).unwrap(), 3);
    drop((old, new));
    assert_eq!(reopened(&dir).unwrap(), [1, 2, 3]);
}

#[test]
fn a_crash_at_any_commit_leaves_what_was_committed() {
    let dir = Dir::new("crash");
    let mut store = Store::create(&dir.file(), &head()).unwrap();
    for number in 1..=12 {
        store.append(&[batch(number, 1)]).unwrap();
        let left = dir.copy("crash-copy");
        assert_eq!(reopened(&left).unwrap(), (1..=number).collect::<Vec<u64>>());
    }
    // A log that is torn anywhere ends with a whole commit, or what is left is refused.
    let whole = std::fs::read(dir.0.join("journal.db-wal")).unwrap();
    let mut ends = std::collections::BTreeSet::new();
    for cut in (0..whole.len()).step_by(2003) {
        let torn = dir.copy("torn");
        std::fs::write(torn.0.join("journal.db-wal"), &whole[..cut]).unwrap();
        match reopened(&torn) {
            Ok(numbers) => {
                assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<u64>>(), "cut at {cut}");
                ends.insert(numbers.len());
            }
            Err(StoreError::Damaged { .. }) => {}
            Err(other) => panic!("cut at {cut}: {other}"),
        }
    }
    assert!(ends.len() > 5, "{ends:?}");
}

#[test]
fn bytes_that_rot_are_noticed() {
    let dir = Dir::new("rot");
    let mut store = Store::create(&dir.file(), &head()).unwrap();
    store.append(&[batch(1, 60)]).unwrap();
    drop(store);
    let whole = std::fs::read(dir.file()).unwrap();
    let mut refused = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150 + 1) {
        let rotten = dir.copy("rotten");
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(rotten.file(), &bytes).unwrap();
        match reopened(&rotten) {
            // It was in a place that nothing is read from.
            Ok(numbers) => assert_eq!(numbers, (1..=60).collect::<Vec<u64>>(), "byte {at}"),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("journal.db: "), "{error}");
            }
        }
    }
    assert!(refused > 40, "{refused}");
    for length in [0, 1, 100, 4096, whole.len() / 2, whole.len() - 1] {
        let cut = dir.copy("cut");
        std::fs::write(cut.file(), &whole[..length]).unwrap();
        assert!(reopened(&cut).is_err(), "{length} bytes");
    }
}

#[test]
fn what_is_no_journal_is_refused_with_its_name() {
    let check = |name: &str, statement: &str, expected: &str| {
        let dir = Dir::new(name);
        let mut store = Store::create(&dir.file(), &head()).unwrap();
        store.append(&[batch(1, 9)]).unwrap();
        store.connection.execute_batch(statement).unwrap();
        drop(store);
        let error = reopened(&dir).unwrap_err().to_string();
        assert!(error.contains(expected), "{statement}: {error}");
    };
    check("other", "PRAGMA application_id = 7", "it is no journal of a run");
    check("format", "PRAGMA user_version = 99", "it has format 99, this version of Muster reads format 1");
    check("hole", "DELETE FROM record WHERE number = 4", "record 4 is missing");
    check("head", "DELETE FROM head WHERE name = 'run'", "`run`: ");
    check("table", "DROP TABLE record", "no such table: record");
    check("sum", "UPDATE record SET sum = 1 WHERE number = 9", "the checksum of record 9 is wrong");
    check(
        "swap",
        "UPDATE record SET number = -number; UPDATE record SET number = 10 + number",
        "checksum of record 1 ",
    );
    check(
        "long",
        "UPDATE record SET body = CAST(printf('%.*c', 8300000, 'x') AS BLOB) WHERE number = 2",
        "the checksum of record 2 is wrong",
    );
}
