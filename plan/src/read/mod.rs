//! From the YAML tree to the model.
//!
//! Reading goes on after a problem, so that all of them are reported in one go: a getter that finds something
//! wrong reports it and gives `None`, and what it would have been part of is left out.

mod arrivals;
mod calls;
mod chores;
mod connection;
mod control;
mod cost;
mod data;
mod expect;
mod fields;
mod flags;
mod groups;
mod http;
mod judging;
mod list;
mod load;
mod multipart;
mod observe;
mod params;
mod poll;
mod receive;
mod root;
mod rows;
mod save;
mod saved_names;
mod steps;
mod suggest;
mod tags;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod users;
mod value;
mod variables;
mod visible;
mod warmup;
mod websocket;

use crate::bundle::{Bundle, Settings};
use crate::diagnostic::{Diagnostics, Problem, Problems, Span, located};
use crate::model::Plan;
use crate::scope::{RunFacts, Scope};
use crate::slot::Slot;
use crate::tags::Selection;
use crate::yaml;
use http::GivenHttp;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use data::file_names;
pub(crate) use flags::check_settings;

/// Compiles a bundle to the validated plan.
pub(crate) fn compile(bundle: &Bundle) -> Result<Plan, Diagnostics> {
    let mut problems = Problems::default();
    let root = yaml::load(&bundle.source, &mut problems);
    let mut reader = Reader::new(&bundle.settings, problems);
    let plan = root.and_then(|root| reader.plan(&root));
    let (mut problems, warnings) = (reader.problems, reader.warnings);
    match plan {
        Some(plan) if problems.is_empty() => Ok(Plan { warnings: located(&bundle.source, warnings), ..plan }),
        _ => {
            if problems.is_empty() {
                let remedy = "this is a defect of Muster: please report it with the plan";
                problems.push(Problem::new(Span::default(), "the plan was refused without a reason", remedy));
            }
            Err(Diagnostics::new(&bundle.file, &bundle.source, problems))
        }
    }
}

/// What all of reading shares.
struct Reader<'a> {
    settings: &'a Settings,
    facts: Arc<RunFacts>,
    /// Evaluates what is constant for the run.
    constants: Scope,
    problems: Problems,
    env_used: BTreeSet<String>,
    secrets_used: BTreeSet<String>,
    flows: Vec<calls::Flow>,
    /// What users and teardown know of setup, once it is read.
    setup: Option<chores::SetupNames>,
    /// The plan's data sources, also those that are wrong.
    data: Vec<data::Declared>,
    /// The names of the plan's `params`, also of those that are wrong.
    params: BTreeSet<String>,
    /// What `http:` says where the reader is: the plan's, with the class's over it.
    http: GivenHttp,
    /// What is no mistake, but should be known before the run.
    warnings: Problems,
    /// Every threshold sentence that was read, and where it stands.
    sentences: Vec<(Span, String)>,
    /// Which tasks are run.
    selection: Selection,
    /// Whether what is being read is left out of the run. It has to be right all the same, but needs no secrets and
    /// no environment.
    excluded: bool,
}

impl<'a> Reader<'a> {
    fn new(settings: &'a Settings, problems: Problems) -> Reader<'a> {
        let facts = Arc::new(RunFacts {
            run_id: String::new(),
            agent_name: String::new(),
            env: settings.env.clone(),
            seed: settings.seed,
        });
        let constants = Scope::for_class(&facts, "", Slot(0));
        let (env_used, params) = (BTreeSet::new(), BTreeSet::new());
        Reader {
            settings,
            facts,
            constants,
            problems,
            env_used,
            secrets_used: BTreeSet::new(),
            flows: Vec::new(),
            setup: None,
            params,
            http: GivenHttp::default(),
            warnings: Problems::default(),
            sentences: Vec::new(),
            data: Vec::new(),
            selection: Selection::default(),
            excluded: false,
        }
    }

    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
