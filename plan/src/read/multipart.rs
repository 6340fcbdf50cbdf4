//! `multipart`: forms with files.

use super::Reader;
use super::fields::Fields;
use super::steps::PAIR_VALUE;
use super::value::Expected;
use super::variables::Visible;
use crate::diagnostic::{Problem, shown};
use crate::language;
use crate::model::{Body, Part, PartContent};
use crate::template::Template;
use crate::yaml::{Entry, Node, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

const FILE: Expected =
    Expected { what: "the name of a file", remedy: "write its path from where the plan is" };

impl Reader<'_> {
    /// `multipart:`
    pub(super) fn multipart(&mut self, entry: &Entry, visible: &Visible<'_>) -> Option<Body> {
        let expected = Expected {
            what: "the parts of a form (a mapping)",
            remedy: "write `multipart: { title: Ada, photo: { file: photo.png, type: image/png } }`",
        };
        let entries = self.named(&entry.value, expected, usize::MAX)?;
        let parts: Vec<Option<Part>> = entries.iter().map(|entry| self.part(entry, visible)).collect();
        parts.into_iter().collect::<Option<_>>().map(Body::Multipart)
    }

    /// A text, or a part written out.
    fn part(&mut self, entry: &Entry, visible: &Visible<'_>) -> Option<Part> {
        let name = entry.key.clone();
        if !matches!(entry.value.value, Value::Mapping(_)) {
            let text = self.template(&entry.value, PAIR_VALUE, visible)?;
            let content = PartContent::Text(text);
            return Some(Part { name, file_name: None, media_type: None, content });
        }
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::PART)?;
        let mut filled = |key| match fields.get(key) {
            Some(entry) => self.template(&entry.value, PAIR_VALUE, visible).map(Some),
            None => Some(None),
        };
        let (file_name, media_type) = (filled("filename"), filled("type"));
        let (content, called) = match fields.among(&["file", "text"])[..] {
            [("file", entry)] => {
                let path = self.text(&entry.value, FILE)?;
                let bytes = self.file(&entry.value, &path)?;
                let called = path.rsplit(['/', '\\']).next().unwrap_or(&path).to_owned();
                (PartContent::File { path, bytes }, Some(called))
            }
            [(_, entry)] => (PartContent::Text(self.template(&entry.value, PAIR_VALUE, visible)?), None),
            [] => {
                let remedy = "write `{ file: photo.png }` or `{ text: \"${note}\", type: text/plain }`";
                self.report(Problem::new(fields.place, "a part without content", remedy));
                return None;
            }
            [_, (_, second), ..] => {
                let problem = "`text` beside `file`: a part holds one thing";
                self.report(Problem::new(second.key_span, problem, "remove one of them"));
                return None;
            }
        };
        let file_name = file_name?.or_else(|| called.map(Template::literal));
        Some(Part { name, file_name, media_type: media_type?, content })
    }

    /// The content of a file that came with the plan.
    fn file(&mut self, node: &Node, path: &str) -> Option<Arc<[u8]>> {
        let settings = self.settings;
        let (problem, remedy) = match settings.files.get(path) {
            Some(Ok(content)) => return Some(Arc::from(content)),
            Some(Err(why)) => (
                format!("cannot read {}: {why}", shown(path)),
                "write the path of a file from where the plan is",
            ),
            None => (
                format!("the file {} did not come with the plan", shown(path)),
                "run the plan with `coordinator`",
            ),
        };
        self.report(Problem::new(node.span, problem, remedy));
        None
    }

    /// Adds the files that the `multipart` bodies below `node` name.
    pub(super) fn part_files(&mut self, node: &Node, names: &mut BTreeSet<String>) {
        let entries = match &node.value {
            Value::Mapping(entries) => entries,
            Value::Sequence(items) => return items.iter().for_each(|item| self.part_files(item, names)),
            Value::Scalar(_) => return,
        };
        for entry in entries {
            match (entry.key.as_str(), &entry.value.value) {
                ("json", _) => {}
                ("multipart", Value::Mapping(parts)) => {
                    let written_out =
                        parts.iter().filter(|part| matches!(part.value.value, Value::Mapping(_)));
                    for part in written_out {
                        let fields = Fields::new(self, &part.value, part.key_span, &language::PART);
                        let file = fields.and_then(|fields| fields.get("file"));
                        names.extend(file.and_then(|file| self.text(&file.value, FILE)));
                    }
                }
                _ => self.part_files(&entry.value, names),
            }
        }
    }
}
