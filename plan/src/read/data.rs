//! `data:`

use super::Reader;
use super::fields::Fields;
use super::saved_names::entries;
use super::suggest;
use super::value::Expected;
use super::variables::Visible;
use crate::bundle::{Bundle, Files};
use crate::data::{
    CellType, Exhausted, FileProblem, FileProblems, Per, Pick, Source, Table, TableBuilder, add, columns,
    fits, read_csv, read_json_lines,
};
use crate::diagnostic::{Problem, Problems, Span, shown};
use crate::language::{self, COLUMN_TYPES, EXHAUSTIONS, PERS, PICKS};
use crate::yaml::{self, Entry, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most data sources of a plan.
const MAX_SOURCES: usize = 100;

const DATA: Expected = Expected {
    what: "a mapping from names to data sources",
    remedy: "write `data: { accounts: { csv: accounts.csv, pick: unique } }`",
};
const FILE: Expected =
    Expected { what: "the name of a file", remedy: "write its path from where the plan is" };

const PICK: Expected =
    Expected { what: "how rows are picked", remedy: "write `unique`, `sequential`, `shuffle` or `random`" };
const PER: Expected = Expected { what: "how long a row is kept", remedy: "write `user` or `iteration`" };
const EXHAUSTED: Expected =
    Expected { what: "what users do without a row", remedy: "write `stop`, `cycle` or `fail`" };

/// One of `data`, also if it is wrong.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) place: Span,
    pub(super) source: Option<Arc<Source>>,
    pub(super) used: bool,
}

impl Reader<'_> {
    /// `data:`
    pub(super) fn data(&mut self, entry: Option<&Entry>) {
        let entries = entry.and_then(|e| self.named(&e.value, DATA, MAX_SOURCES)).unwrap_or_default();
        let total = self.settings.files.total_bytes();
        if let Some(entry) = entry.filter(|_| total > Files::MAX_BYTES) {
            let problem = format!("the data files have {total} bytes; the limit is {}", Files::MAX_BYTES);
            self.report(Problem::new(entry.key_span, problem, "use smaller files"));
        }
        for (index, entry) in (0..).zip(entries) {
            self.check_name(&entry.key, entry.key_span);
            let source = self.data_source(entry, index).map(Arc::new);
            let (name, place) = (entry.key.clone(), entry.key_span);
            self.data.push(Declared { name, place, source, used: false });
        }
    }

    fn data_source(&mut self, entry: &Entry, index: u32) -> Option<Source> {
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::DATA)?;
        let pick = match self.word(&fields, "pick", PICKS, PICK) {
            Some("unique") => Pick::Unique,
            Some("shuffle") => Pick::Shuffle,
            Some("random") => Pick::Random,
            _ => Pick::Sequential,
        };
        let per = match (self.word(&fields, "per", PERS, PER), pick) {
            (Some("user"), _) | (None, Pick::Unique) => Per::User,
            _ => Per::Iteration,
        };
        let when_exhausted = match self.word(&fields, "when_exhausted", EXHAUSTIONS, EXHAUSTED) {
            Some("cycle") => Exhausted::Cycle,
            Some("fail") => Exhausted::Fail,
            _ => Exhausted::Stop,
        };
        if let Some(entry) = fields.get("when_exhausted").filter(|_| pick != Pick::Unique) {
            let problem = "`when_exhausted` of rows that are not unique, so that they never run out";
            self.report(Problem::new(entry.key_span, problem, "remove it, or write `pick: unique`"));
        }
        let table = self.table(&fields);
        Some(Source { name: entry.key.clone(), index, table: table?, pick, per, when_exhausted })
    }

    /// One of `words`; `None` when the key is not there or wrong.
    fn word(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        words: &[&'static str],
        expected: Expected,
    ) -> Option<&'static str> {
        let node = &fields.get(key)?.value;
        let text = self.text(node, expected)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            let close = suggest::closest(&text, words.iter().copied());
            let remedy =
                if close.is_empty() { expected.remedy.to_owned() } else { suggest::did_you_mean(&close) };
            let problem = format!("expected {}, found {}", expected.what, shown(&text));
            self.report(Problem::new(node.span, problem, remedy));
        }
        found
    }

    /// The rows, wherever they are.
    fn table(&mut self, fields: &Fields<'_>) -> Option<Table> {
        let given = fields.among(&["csv", "jsonl", "rows"]);
        let (kind, entry) = match given[..] {
            [] => {
                let remedy = "add `csv: FILE`, `jsonl: FILE` or `rows: [ … ]`";
                self.report(Problem::new(fields.place, "a data source without rows", remedy));
                return None;
            }
            [(kind, entry)] => (kind, entry),
            [(first, first_entry), (second, second_entry), ..] => {
                let problem = format!("`{second}` beside `{first}`: a data source has one of them");
                self.report(
                    Problem::new(second_entry.key_span, problem, "remove one of them")
                        .related(first_entry.key_span, "the other one"),
                );
                return None;
            }
        };
        for (key, other) in fields.among(&["delimiter", "types"]).into_iter().filter(|_| kind != "csv") {
            let problem = format!("`{key}` beside `{kind}`: it is about CSV files");
            let remedy = "remove it; values in JSON have types of their own";
            self.report(Problem::new(other.key_span, problem, remedy));
        }
        if kind == "rows" {
            return self.inline_rows(&entry.value);
        }
        let types = if kind == "csv" { self.types(fields) } else { BTreeMap::new() };
        let delimiter = if kind == "csv" { self.delimiter(fields)? } else { b',' };
        let name = self.text(&entry.value, FILE)?;
        let settings = self.settings;
        let content = match settings.files.get(&name) {
            Some(Ok(content)) => content,
            Some(Err(why)) => {
                let problem = format!("cannot read {}: {why}", shown(&name));
                let remedy = "write the path of a file from where the plan is";
                self.report(Problem::new(entry.value.span, problem, remedy));
                return None;
            }
            None => {
                let problem = format!("the file {} did not come with the plan", shown(&name));
                self.report(Problem::new(entry.value.span, problem, "run the plan with `coordinator`"));
                return None;
            }
        };
        let types_of: BTreeMap<String, CellType> = types.iter().map(|(n, (t, _))| (n.clone(), *t)).collect();
        let table =
            if kind == "csv" { read_csv(content, delimiter, &types_of) } else { read_json_lines(content) };
        match table {
            Ok(table) => {
                self.known_types(&types, &table);
                Some(table)
            }
            Err(problems) => {
                self.file_problems(&name, entry.value.span, problems);
                None
            }
        }
    }

    fn file_problems(&mut self, file: &str, place: Span, problems: FileProblems) {
        let file = crate::template::escaped(file, 120);
        let (found, more) = problems.into_parts();
        let last = found.len().saturating_sub(1);
        for (at, FileProblem { place: within, what, remedy }) in found.into_iter().enumerate() {
            let within = within.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
            let more =
                if at == last && more > 0 { format!(" (and {more} more like it)") } else { String::new() };
            self.report(Problem::new(place, format!("{file}{within}: {what}{more}"), remedy));
        }
    }

    fn delimiter(&mut self, fields: &Fields<'_>) -> Option<u8> {
        let Some(entry) = fields.get("delimiter") else { return Some(b',') };
        let expected = Expected { what: "a character", remedy: "write for instance `delimiter: \";\"`" };
        let text = self.text(&entry.value, expected)?;
        if let [byte] = text.as_bytes()
            && byte.is_ascii()
            && !matches!(byte, b'"' | b'\n' | b'\r' | b' ')
            && !byte.is_ascii_alphanumeric()
        {
            return Some(*byte);
        }
        let problem = format!("{} cannot be the delimiter of a CSV file", shown(&text));
        let remedy = "write one ASCII character, such as `\",\"`, `\";\"`, `\"|\"` or `\"\\t\"`";
        self.report(Problem::new(entry.value.span, problem, remedy));
        None
    }

    /// Types of columns, and where they stand.
    fn types(&mut self, fields: &Fields<'_>) -> BTreeMap<String, (CellType, Span)> {
        let expected = Expected {
            what: "a mapping from columns to their types",
            remedy: "write for instance `types: { id: integer, active: boolean }`",
        };
        let of_type = Expected { what: "the type of a column", remedy: expected.remedy };
        let entries = fields
            .get("types")
            .and_then(|e| self.named(&e.value, expected, crate::data::MAX_COLUMNS))
            .unwrap_or_default();
        let mut types = BTreeMap::new();
        for entry in entries {
            let Some(name) = self.text(&entry.value, of_type) else { continue };
            if let Some(cells) = CellType::named(&name) {
                types.insert(entry.key.clone(), (cells, entry.key_span));
            } else {
                let remedy = suggest::remedy(&name, COLUMN_TYPES.iter().copied(), "the types are");
                let problem = format!("there is no type {}", shown(&name));
                self.report(Problem::new(entry.value.span, problem, remedy));
            }
        }
        types
    }

    /// Reports types of columns that are not there.
    fn known_types(&mut self, types: &BTreeMap<String, (CellType, Span)>, table: &Table) {
        let names = || table.columns().iter().map(|column| column.name.as_str());
        for (name, (_, place)) in types.iter().filter(|(name, _)| !names().any(|known| known == *name)) {
            let remedy = suggest::remedy(name, names(), "the columns are");
            self.report(Problem::new(*place, format!("there is no column {}", shown(name)), remedy));
        }
    }

    /// `rows:`
    fn inline_rows(&mut self, node: &Node) -> Option<Table> {
        let expected = Expected {
            what: "a list of rows",
            remedy: "write for instance `rows: [ { email: a@example.com }, { email: b@example.com } ]`",
        };
        let items = self.list(node, expected)?;
        let one = Expected { what: "a row (a mapping from columns to values)", remedy: expected.remedy };
        let mut builder: Option<TableBuilder> = None;
        for item in items {
            let entries = self.named(item, one, usize::MAX)?;
            let mut members = Vec::with_capacity(entries.len());
            for entry in entries {
                let value = self.json(&entry.value, &Visible::constant())?;
                match value.to_json(&self.constants) {
                    Ok(value) => members.push((entry.key.clone(), value)),
                    Err(error) => {
                        let problem = format!("this template has no value: {error}");
                        let remedy = "only `env` and `params` have values here";
                        self.report(Problem::new(entry.value.span, problem, remedy));
                        return None;
                    }
                }
            }
            let added = match &mut builder {
                Some(builder) => match fits(&members, builder.columns()) {
                    Some(wrong) => Err(wrong),
                    None => add(builder, &members).map_err(|()| too_many()),
                },
                None => columns(&members, (0, 0)).map_err(|problem| (problem.what, problem.remedy)).and_then(
                    |columns| {
                        let first = builder.insert(TableBuilder::new(columns));
                        add(first, &members).map_err(|()| too_many())
                    },
                ),
            };
            if let Err((problem, remedy)) = added {
                self.report(Problem::new(item.span, problem, remedy));
                return None;
            }
        }
        let table = builder.and_then(TableBuilder::finish);
        if table.is_none() {
            self.report(Problem::new(node.span, "there is no row", expected.remedy));
        }
        table
    }
}

fn too_many() -> (String, String) {
    let what = format!("more than {} rows", crate::data::MAX_ROWS);
    (what, "use a file with fewer rows".into())
}

/// [`Bundle::file_names`].
pub(crate) fn file_names(bundle: &Bundle) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(root) = yaml::load(&bundle.source, &mut Problems::default()) else { return names };
    // A reader of its own, so that a misspelt key still leads to the file that was meant; what is wrong with it is
    // told when the plan is compiled.
    let mut reader = Reader::new(&bundle.settings, Problems::default());
    let Some(top) = Fields::new(&mut reader, &root, root.span, &language::PLAN) else { return names };
    reader.params(top.get("params"), top.get("profiles"), root.span);
    for source in top.get("data").map(|entry| entries(&entry.value)).unwrap_or_default() {
        let Some(fields) = Fields::new(&mut reader, &source.value, source.key_span, &language::DATA) else {
            continue;
        };
        for (_, entry) in fields.among(&["csv", "jsonl"]) {
            names.extend(reader.text(&entry.value, FILE));
        }
    }
    reader.tls_files(top.get("http"), &mut names);
    for class in top.get("users").map(|entry| entries(&entry.value)).unwrap_or_default() {
        let fields = Fields::new(&mut reader, &class.value, class.key_span, &language::USER_CLASS);
        reader.tls_files(fields.and_then(|fields| fields.get("http")), &mut names);
    }
    reader.part_files(&root, &mut names);
    names
}
