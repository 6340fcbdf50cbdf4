use super::*;
use crate::report::tests::{full, hostile, sample};
use crate::report::{Report, read};
use std::collections::BTreeMap;

fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("muster-files-{name}-{}", std::process::id()))
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn what_is_made_again_is_the_same_to_the_byte() {
    for (name, report) in [("sample", sample()), ("hostile", hostile()), ("full", full())] {
        let (live, again) = (folder(&format!("{name}-live")), folder(&format!("{name}-again")));
        let written = write_forms(&live, &report, &Form::ALL);
        assert!(written.failed.is_empty(), "{:?}", written.failed);
        let read: Report = read::read_report(&live).unwrap();
        write_forms(&again, &read, &Form::ALL);
        let (live_files, again_files) = (contents(&live), contents(&again));
        assert!(live_files.len() >= 7, "{:?}", live_files.keys());
        for (name, content) in &live_files {
            let text = String::from_utf8_lossy(content);
            assert!(again_files.get(name) == Some(content), "{name}: {text}");
        }
        assert_eq!(live_files.len(), again_files.len());
        fs::remove_dir_all(&live).unwrap();
        fs::remove_dir_all(&again).unwrap();
    }
}

#[test]
fn a_file_that_cannot_be_written_keeps_no_other_from_it() {
    let folder = folder("blocked");
    // Not even root writes over a directory.
    fs::create_dir_all(folder.join("junit.xml/in the way")).unwrap();
    let written = write_forms(&folder, &sample(), &Form::ALL);
    assert_eq!(written.failed.len(), 1);
    let error = written.failed[0].to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", folder.join("junit.xml").display())), "{error}");
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".draft")), "{names:?}");
    assert!(written.files.contains(&folder.join("latency.hlog")), "{written:?}");
    fs::remove_dir_all(&folder).unwrap();
}
