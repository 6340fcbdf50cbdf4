//! Which tasks of a plan are run: `tags` of tasks and user classes, and what the settings ask for.

use std::collections::BTreeSet;
use std::fmt;

/// What `--include-tags` and `--exclude-tags` ask for. The default keeps every task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Only tasks with one of these are kept; all are if there is none.
    pub include: BTreeSet<String>,
    /// Tasks with one of these are left out, also if they are included.
    pub exclude: BTreeSet<String>,
}

impl TagFilter {
    /// Whether it keeps every task.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a task with these tags, those of its class among them, is kept.
    pub fn keeps<'a>(&self, tags: impl IntoIterator<Item = &'a str>) -> bool {
        let mut included = self.include.is_empty();
        for tag in tags {
            if self.exclude.contains(tag) {
                return false;
            }
            included |= self.include.contains(tag);
        }
        included
    }
}

impl fmt::Display for TagFilter {
    /// As it is typed: `--include-tags smoke,api --exclude-tags slow`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for (flag, tags) in [("--include-tags", &self.include), ("--exclude-tags", &self.exclude)] {
            if !tags.is_empty() {
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                write!(f, "{space}{flag} {}", tags.join(","))?;
                space = " ";
            }
        }
        Ok(())
    }
}

/// What the settings leave of the plan as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What was asked for.
    pub filter: TagFilter,
    /// Every task that is written, in plan order.
    pub tasks: Vec<WrittenTask>,
    /// Thresholds of which no request is left, so they are not judged: what they stand on (`group:NAME`,
    /// `request:CLASS/TASK/NAME`) and the sentence.
    pub unjudged: Vec<(String, String)>,
}

impl Selection {
    /// How many tasks are kept.
    pub fn kept(&self) -> usize {
        self.tasks.iter().filter(|task| task.kept).count()
    }
}

impl fmt::Display for Selection {
    /// What was asked for and what it left, in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} tasks are run", self.filter, self.kept(), self.tasks.len())?;
        let unjudged: Vec<String> =
            self.unjudged.iter().map(|(scope, sentence)| format!("{scope} `{sentence}`")).collect();
        if unjudged.is_empty() {
            return Ok(());
        }
        write!(f, "; not judged, as no request is left: {}", unjudged.join(", "))
    }
}

/// A task as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenTask {
    /// Its user class.
    pub class: String,
    /// Its name.
    pub task: String,
    /// The tags of its class and its own.
    pub tags: Vec<String>,
    /// Whether it is run.
    pub kept: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excluded_tags_win_over_included_ones() {
        let check = |include: &[&str], exclude: &[&str], tags: &[&str], expected: bool| {
            let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
            let filter = TagFilter { include: set(include), exclude: set(exclude) };
            assert_eq!(filter.keeps(tags.iter().copied()), expected, "{filter} of {tags:?}");
        };
        check(&[], &[], &[], true);
        check(&[], &[], &["a"], true);
        check(&["a", "b"], &[], &["b", "c"], true);
        check(&["a", "b"], &[], &["c"], false);
        check(&["a"], &[], &[], false);
        check(&[], &["a"], &[], true);
        check(&[], &["a"], &["b"], true);
        check(&[], &["a"], &["b", "a"], false);
        check(&["a"], &["b"], &["a", "b"], false);
        check(&["a"], &["b"], &["b", "a"], false);
        check(&["a"], &["b"], &["a", "c"], true);
    }

    #[test]
    fn a_filter_is_shown_as_it_is_typed() {
        let mut filter = TagFilter::default();
        assert_eq!((filter.to_string(), filter.is_empty()), (String::new(), true));
        filter.exclude.insert("slow".to_owned());
        assert_eq!(filter.to_string(), "--exclude-tags slow");
        filter.include.extend(["smoke".to_owned(), "api".to_owned()]);
        assert_eq!(filter.to_string(), "--include-tags api,smoke --exclude-tags slow");
        assert!(!filter.is_empty());
    }
}
