//! `poll`.

use super::Reader;
use super::fields::Fields;
use super::groups::Groups;
use super::steps::{QUERY, StepPlace};
use super::users::Workload;
use super::value::Expected;
use super::variables::{Names, Visible};
use crate::flow::Poll;
use crate::model::{Body, Method, Request, RequestSettings, Series, SeriesKind, Step};
use crate::yaml::Entry;
use metrics::SeriesId;
use std::time::Duration;

/// From one poll to the next, when the plan does not say.
const EVERY: Duration = Duration::from_secs(1);
/// How long is polled, when the plan does not say.
const TIMEOUT: Duration = Duration::from_mins(1);

impl Reader<'_> {
    pub(super) fn poll(
        &mut self,
        fields: &Fields<'_>,
        entry: &Entry,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        groups: &mut Groups,
        workload: &mut Workload,
    ) -> Option<Step> {
        let group = match fields.get("group") {
            Some(entry) => self.group(&entry.value, groups),
            None => place.group,
        };
        if let Some(group) = group {
            groups.mark_used(group);
        }
        let expected = Expected {
            what: "an expression such as `json.status == 'done'`",
            remedy: "write a condition on `status`, `headers`, `body` or `json`",
        };
        let url = self.url(&entry.value, visible);
        let query = self.templates(fields.get("query"), QUERY, visible);
        let headers = self.headers(fields.get("headers"), visible);
        let expect = self.expect(fields.get("expect"), visible);
        let until = self
            .required(fields, "until", "until: json.status == 'done'")
            .and_then(|e| self.expression(&e.value, visible, Names::Response, "until", expected));
        let fail_if = match fields.get("fail_if") {
            Some(e) => self.expression(&e.value, visible, Names::Response, "fail_if", expected).map(Some),
            None => Some(None),
        };
        let mut duration = |key, default| match fields.get(key) {
            Some(entry) => self.positive_duration(&entry.value),
            None => Some(default),
        };
        let (every, timeout) = (duration("every", EVERY), duration("timeout", TIMEOUT));
        let of_class = self.http.request_timeout();
        let settings = self.request_settings(fields, place, visible);
        // `timeout` is that of the whole poll here; one request of it has the class's, within that.
        let settings = RequestSettings { timeout: timeout.map_or(of_class, |t| of_class.min(t)), ..settings };
        let save = self.save(fields.get("save"));
        visible.save(save.iter().map(|s| s.name.clone()));
        let name = self.request_name(fields, Some((Method::Get.as_str(), entry)), url.as_ref());
        let (name, at) = name?;
        let whole = if fields.get("name").is_some() { &name } else { place.task };
        let around = StepPlace { group, ..*place };
        let completion = format!("{whole} / complete");
        let (class, task) = (place.class, place.task.to_owned());
        let kind = SeriesKind::Request(Method::Get);
        let series = self.series(Series { id: SeriesId(0), class, task, name, kind, group }, at, workload);
        let completion = self.measured(fields, SeriesKind::Completion, completion, at, &around, workload);
        let request = Request {
            series: series?,
            method: Method::Get,
            url: url?,
            query,
            headers,
            body: Body::Empty,
            expect: expect?,
            save: Vec::new(),
            settings: settings.into(),
        };
        Some(Step::Poll(Box::new(Poll {
            request,
            completion: completion?,
            every: every?,
            timeout: timeout?,
            until: until?,
            fail_if: fail_if?,
            save,
        })))
    }
}
