use super::super::record::tests::{owner, part, window};
use super::*;
use proto::message::WindowReport;

/// A directory of its own that is gone afterwards.
pub(crate) struct Temporary(pub(crate) PathBuf);

impl Temporary {
    pub(crate) fn new(test: &str) -> Temporary {
        let path = std::env::temp_dir().join(format!("muster-spool-{test}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Five windows, of which two were sent and one has arrived.
fn entries() -> Vec<Entry> {
    let closed = |index| Entry::Closed(window(index, 10));
    vec![
        closed(0),
        Entry::Numbered(1),
        closed(1),
        Entry::Numbered(2),
        Entry::Acknowledged(1),
        closed(2),
        closed(3),
        closed(4),
    ]
}

fn written(dir: &Temporary) -> PathBuf {
    let path = dir.0.join("x.spool");
    let mut file = SpoolFile::create(path.clone(), owner(None), &part()).unwrap();
    for entry in entries() {
        file.append(entry).unwrap();
    }
    path
}

/// How many windows are left in these bytes, whether all of them were good, and how many were.
fn left(bytes: &[u8]) -> io::Result<(usize, bool, u64)> {
    let (content, good) = read_back(&mut &bytes[..], "host:5557")?.expect("its own coordinator");
    Ok((content.recovered.left().0, content.cut.is_none(), good))
}

#[test]
fn what_was_kept_is_found_by_the_next_process_and_by_nobody_else() {
    let dir = Temporary::new("found");
    let path = dir.0.join("x.spool");
    let mut file = SpoolFile::create(path.clone(), owner(Some("PEM")), &part()).unwrap();
    for entry in entries() {
        file.append(entry).unwrap();
    }
    assert!(private::mode(&path.metadata().unwrap()).is_none_or(|mode| mode == 0o600));
    let open = || SpoolFile::open(path.clone(), "host:5557").unwrap();
    assert!(open().is_none(), "its process has it");
    drop(file);
    assert!(SpoolFile::open(path.clone(), "other:5557").unwrap().is_none());
    let (mut file, content) = open().expect("nobody has it");
    assert_eq!((content.owner, content.cut), (owner(Some("PEM")), None));
    assert_eq!((content.recovered.run().0.as_str(), content.recovered.left().0), ("r-1", 4));
    assert!(open().is_none());
    // It goes on where the first one was.
    file.append(Entry::Acknowledged(2)).unwrap();
    drop(file);
    let (file, content) = open().expect("nobody has it");
    assert_eq!(content.recovered.left().0, 3);
    file.remove().unwrap();
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_cut_anywhere_says_what_was_whole() {
    let dir = Temporary::new("cut");
    let bytes = fs::read(written(&dir)).unwrap();
    let (whole, good, length) = left(&bytes).unwrap();
    assert_eq!((whole, good, length), (4, true, bytes.len() as u64));
    let mut ends = Vec::new();
    for cut in 0..bytes.len() {
        match left(&bytes[..cut]) {
            Ok((windows, clean, good)) => {
                assert!(windows <= 4 && good <= cut as u64 && clean == (good == cut as u64), "cut at {cut}");
                ends.extend(clean.then_some(cut));
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "cut at {cut}"),
        }
    }
    assert_eq!(ends.len(), entries().len(), "one for each record but the last, and the head");
}

#[test]
fn a_bit_that_flips_anywhere_ends_what_is_believed_there() {
    let dir = Temporary::new("flip");
    let path = written(&dir);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        match left(&bad) {
            Ok((_, clean, good)) => assert!(!clean && good <= at as u64, "byte {at}: {good}"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "byte {at}"),
        }
    }
    let mut bad = bytes.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    fs::write(&path, bad).unwrap();
    let (_, content) = SpoolFile::open(path.clone(), "host:5557").unwrap().unwrap();
    assert_eq!(content.cut.as_deref(), Some("a record with a wrong checksum"));
    let (_, again) = SpoolFile::open(path, "host:5557").unwrap().unwrap();
    assert_eq!((again.cut, again.recovered.left()), (None, content.recovered.left()), "the rest is cut off");
}

#[test]
fn records_that_do_not_follow_from_those_before_end_it_too() {
    let dir = Temporary::new("order");
    for wrong in
        [Entry::Numbered(1), Entry::Numbered(4), Entry::Merged(Box::new(window(9, 1).as_ref().clone()))]
    {
        let path = written(&dir);
        let mut file = SpoolFile::open(path.clone(), "host:5557").unwrap().unwrap().0;
        let wrong = match wrong {
            Entry::Merged(mut window) => {
                window.seq = 9;
                Entry::Merged(window)
            }
            other => other,
        };
        file.append(wrong).unwrap();
        drop(file);
        let (_, content) = SpoolFile::open(path, "host:5557").unwrap().unwrap();
        assert_eq!(content.cut.as_deref(), Some("a record that does not fit those before it"));
        assert_eq!(content.recovered.left().0, 4);
    }
}

#[test]
fn a_file_that_is_written_anew_holds_what_is_left_and_stays_its_process_s() {
    let dir = Temporary::new("anew");
    let path = dir.0.join("x.spool");
    let mut file = SpoolFile::create(path.clone(), owner(None), &part()).unwrap();
    for seq in 1..200 {
        file.append(Entry::Closed(window(seq as u32 - 1, 1))).unwrap();
        file.append(Entry::Numbered(seq)).unwrap();
        file.append(Entry::Acknowledged(seq - 1)).unwrap();
    }
    let before = path.metadata().unwrap().len();
    let sent = Box::new(WindowReport { seq: 199, ..*window(198, 1) });
    let entries = vec![Entry::Began(part()), Entry::Acknowledged(198), Entry::Merged(sent)];
    file.rewrite(entries).unwrap();
    assert!(path.metadata().unwrap().len() * 20 < before);
    assert!(SpoolFile::open(path.clone(), "host:5557").unwrap().is_none(), "the new file is locked, too");
    file.append(Entry::Closed(window(199, 1))).unwrap();
    drop(file);
    let (_, content) = SpoolFile::open(path, "host:5557").unwrap().unwrap();
    assert_eq!((content.recovered.left().0, content.cut), (2, None));
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1, "nothing is left lying about");
}

/// A disk on which so many bytes find room.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_and_a_file_is_never_larger_than_its_bound() {
    let on = |out: Full, bytes: u64| SpoolFile {
        path: PathBuf::from("x"),
        out,
        owner: owner(None),
        bytes,
        rewrite_at: WORTH_REWRITING,
    };
    let mut file = on(Full(300), 0);
    let failed = (0..100).find_map(|index| file.append(Entry::Closed(window(index, 1))).err());
    assert_eq!(failed.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    let mut file = on(Full(usize::MAX), MAX_BYTES - 10);
    let problem = file.append(Entry::Closed(window(0, 1))).unwrap_err();
    assert!(problem.to_string().contains("64 MiB"), "{problem}");
    assert!(file.wants_rewrite());
}
