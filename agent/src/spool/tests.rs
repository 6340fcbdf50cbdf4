use super::file::tests::Temporary;
use super::record::tests::{owner, part, window};
use super::*;
use crate::session::Entry;
use std::collections::HashMap;

#[test]
fn the_state_directory_of_the_user_is_the_default() {
    let path = |variables: &[(&str, &str)]| {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Spools::default_path(|name| variables.get(name).map(OsString::from))
    };
    assert_eq!(path(&[("HOME", "/home/ada")]), Some("/home/ada/.local/state/muster/agent".into()));
    assert_eq!(path(&[("HOME", "/h"), ("XDG_STATE_HOME", "/state")]), Some("/state/muster/agent".into()));
    assert_eq!(
        path(&[("HOME", "/h"), ("XDG_STATE_HOME", "relative")]),
        Some("/h/.local/state/muster/agent".into())
    );
    assert_eq!(path(&[]), None);
}

#[test]
fn an_agent_takes_what_is_for_its_coordinator_and_nobody_has() {
    let dir = Temporary::new("claim");
    let spools = Spools::new(dir.0.join("deep/er"));
    let kept = |name: &str, coordinator: &str, incarnation: u64| {
        let owner = Owner { name: name.to_owned(), coordinator: coordinator.to_owned(), ..owner(None) };
        let mut file = spools.create(&owner, incarnation, &part()).unwrap();
        file.append(Entry::Closed(window(0, 3))).unwrap();
        file
    };
    assert_eq!(spools.claim("host:5557", "a").0.len(), 0, "there is no such directory yet");
    let (one, two, other) =
        (kept("a", "host:5557", 1), kept("b", "host:5557", 2), kept("c", "other:5557", 3));
    assert_eq!(spools.claim("host:5557", "a").0.len(), 0, "their processes run");
    drop((one, other));
    std::fs::write(spools.path().join("torn.spool"), b"muster").unwrap();
    let (left, notes) = spools.claim("host:5557", "a");
    let names: Vec<_> = left.iter().map(|left| left.owner.name.as_str()).collect();
    assert_eq!(names, ["a"]);
    assert!(
        notes.iter().any(|n| n.contains("agent a left 1 windows with 0 requests of run r-1")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|n| n.contains("torn.spool: what was kept there cannot be delivered")),
        "{notes:?}"
    );
    drop(two);
    let names: Vec<_> = spools.claim("host:5557", "b").0.into_iter().map(|left| left.owner.name).collect();
    assert_eq!(names, ["b"], "a is claimed");
    drop(left);
    let names: Vec<_> = spools.claim("host:5557", "b").0.into_iter().map(|left| left.owner.name).collect();
    assert_eq!(names, ["b", "a"], "its own first");
}

#[test]
fn what_nobody_took_for_a_week_is_removed() {
    let dir = Temporary::new("old");
    let spools = Spools::new(dir.0.clone());
    let path = spools.create(&owner(None), 1, &part()).unwrap().path().to_owned();
    let long_ago = SystemTime::now() - LONGEST_KEPT - Duration::from_secs(60);
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    let (left, notes) = spools.claim("host:5557", "a");
    assert!(left.is_empty() && notes[0].contains("nobody took it for 7 days"), "{notes:?}");
    assert!(!path.exists());
}

#[tokio::test]
async fn the_writer_keeps_says_so_and_ends_with_the_run() {
    let dir = Temporary::new("writer");
    let spools = Spools::new(dir.0.clone());
    let mut writer = Writer::new(spools.clone(), owner(None), 9).unwrap();
    writer.keep(Entry::Began(part()));
    writer.keep(Entry::Closed(window(0, 3)));
    while writer.written() < writer.given() {
        assert!(matches!(writer.next().await, Done::Written(_)));
    }
    assert_eq!(spools.files().len(), 1);
    writer.keep(Entry::Over);
    writer.finish().await;
    assert_eq!(spools.files().len(), 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_told_once() {
    let dir = Temporary::new("no-directory");
    let file = dir.0.join("file");
    std::fs::write(&file, "").unwrap();
    let path = file.join("spool");
    let mut writer = Writer::new(Spools::new(path.clone()), owner(None), 9).unwrap();
    writer.keep(Entry::Began(part()));
    writer.keep(Entry::Closed(window(0, 3)));
    match writer.next().await {
        Done::Failed(why) => assert!(why.contains(path.to_str().unwrap()), "{why}"),
        other => panic!("{other:?}"),
    }
}
