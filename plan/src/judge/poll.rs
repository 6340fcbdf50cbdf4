//! What one answer means for a poll.

use super::checks::{assertion, keep, source, values};
use super::response::{Reading, Response};
use crate::flow::Poll;
use crate::scope::Scope;
use metrics::Failure;
use std::iter::once;

/// How far what is polled for has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not decided yet.
    Pending,
    /// `until` is true.
    Done,
    /// It will not come: `fail_if` is true, or something to save is not there.
    Failed(Failure),
}

impl Poll {
    /// Whether [`judge`](Poll::judge) looks at the body.
    pub fn needs_body(&self) -> bool {
        let mut conditions = once(&self.until).chain(&self.fail_if);
        self.request.needs_body()
            || conditions.any(|condition| condition.reads("json") || condition.reads("body"))
            || self.save.iter().any(|save| save.source.needs_body())
    }

    /// Whether this answer is a good one, and how far it says that things have come. A condition that cannot be
    /// evaluated on it makes the answer a bad one and decides nothing. Saves when done.
    pub fn judge(&self, response: &Response<'_>, scope: &mut Scope) -> (Result<(), Failure>, Progress) {
        let reading = Reading::new(*response);
        let checked = self.request.check(response, &reading, scope);
        match self.progress(&reading, scope) {
            Ok(Progress::Done) => match keep(&self.save, &reading, scope) {
                Ok(()) => (checked, Progress::Done),
                Err(problem) => (checked, Progress::Failed(assertion(problem))),
            },
            Ok(progress) => (checked, progress),
            Err(problem) => (checked.and(Err(assertion(problem))), Progress::Pending),
        }
    }

    fn progress(&self, reading: &Reading<'_>, scope: &mut Scope) -> Result<Progress, String> {
        scope.set_reply(Some(reading.reply(once(&self.until).chain(&self.fail_if))?));
        let progress = self.decide(scope);
        scope.set_reply(None);
        progress
    }

    fn decide(&self, scope: &Scope) -> Result<Progress, String> {
        if let Some(fail_if) = &self.fail_if
            && fail_if.eval(scope).map_err(|error| error.0)?.is_true()
        {
            let problem = format!("{} is true{}", source(fail_if), values(fail_if, scope));
            return Ok(Progress::Failed(assertion(problem)));
        }
        let done = self.until.eval(scope).map_err(|error| error.0)?.is_true();
        Ok(if done { Progress::Done } else { Progress::Pending })
    }
}
