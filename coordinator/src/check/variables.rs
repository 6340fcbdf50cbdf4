//! Where saved variables come from and who uses them.

use plan::Plan;
use plan::model::{Body, Request, Step, UserClass};
use plan::template::{Expression, Template};
use std::collections::BTreeMap;

/// One `save` of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedVariable {
    /// The variable.
    pub name: String,
    /// The user class whose users have it.
    pub class: String,
    /// The step that saves it: task, number from 1, request.
    pub saved_by: String,
    /// The steps that use this very value.
    pub used_by: Vec<String>,
}

/// Every `save` in plan order.
pub fn saved_variables(plan: &Plan) -> Vec<SavedVariable> {
    let mut found = Vec::new();
    for class in &plan.classes {
        let mut of_user = BTreeMap::new();
        follow(plan, class, "on_start", &class.on_start, &mut of_user, &mut found);
        for task in &class.tasks {
            // What a task saves ends with its iteration.
            follow(plan, class, &task.name, &task.steps, &mut of_user.clone(), &mut found);
        }
    }
    found
}

/// Follows the steps of one task; `visible` says who saved what last.
fn follow<'p>(
    plan: &'p Plan,
    class: &UserClass,
    task: &str,
    steps: &'p [Step],
    visible: &mut BTreeMap<&'p str, usize>,
    found: &mut Vec<SavedVariable>,
) {
    for (number, step) in (1..).zip(steps) {
        let Step::Request(request) = step else { continue };
        let place = format!("{task} {number}: {}", plan.series[request.series.0 as usize].name);
        let variables = expressions(request).into_iter().flat_map(Expression::variables);
        for variable in variables {
            if let Some(&saver) = visible.get(variable.path[0].as_str())
                && !found[saver].used_by.contains(&place)
            {
                found[saver].used_by.push(place.clone());
            }
        }
        for save in &request.save {
            visible.insert(&save.name, found.len());
            found.push(SavedVariable {
                name: save.name.clone(),
                class: class.name.clone(),
                saved_by: place.clone(),
                used_by: Vec::new(),
            });
        }
    }
}

/// Every expression of a request and its checks.
fn expressions(request: &Request) -> Vec<&Expression> {
    fn pairs(pairs: &[(String, Template)]) -> impl Iterator<Item = &Template> {
        pairs.iter().map(|(_, value)| value)
    }
    let mut templates = vec![&request.url];
    templates.extend(pairs(&request.query));
    templates.extend(pairs(&request.headers));
    let mut found = Vec::new();
    match &request.body {
        Body::Empty => {}
        Body::Json(value) => found.extend(value.expressions()),
        Body::Form(fields) => templates.extend(pairs(fields)),
        Body::Text(text) => templates.push(text),
    }
    found.extend(templates.into_iter().flat_map(Template::expressions));
    found.extend(request.expect.json.iter().flat_map(|(_, value)| value.expressions()));
    found.extend(&request.expect.that);
    found
}
