//! `receive`, and the messages whose answers it waits for.

use super::Reader;
use super::expect::MESSAGE_CONDITION;
use super::fields::Fields;
use super::steps::StepPlace;
use super::suggest::remedy;
use super::users::Workload;
use super::value::Expected;
use super::variables::{Names, Visible};
use super::websocket::{Conversation, Sent};
use crate::diagnostic::{Problem, shown};
use crate::judge::Save;
use crate::language;
use crate::model::SeriesKind;
use crate::websocket::{MessageExpect, Receive, Wanted};
use crate::yaml::{Entry, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long a message is waited for, when the plan does not say.
const RECEIVE: Duration = Duration::from_mins(1);
const SENT: Expected = Expected {
    what: "the name of a message that is sent",
    remedy: "write `send: {…}` and beside it `as: first`, then `receive: { answers: first }`",
};

impl Reader<'_> {
    /// `as`: gives the message of a `send` a name.
    pub(super) fn sent_as(&mut self, entry: &Entry, conversation: &Conversation) -> Option<Arc<str>> {
        let (name, at) = (self.name(&entry.value, SENT)?, entry.value.span);
        let mut sent = conversation.sent.borrow_mut();
        if let Some(known) = sent.iter().find(|sent| *sent.name == *name) {
            return Some(known.name.clone());
        }
        let name: Arc<str> = name.into();
        sent.push(Sent { name: name.clone(), at, answered: false });
        Some(name)
    }

    /// `answers`: the name of a message sent before.
    fn answers(&mut self, entry: &Entry, conversation: &Conversation) -> Option<Arc<str>> {
        let name = self.name(&entry.value, SENT)?;
        let mut sent = conversation.sent.borrow_mut();
        if let Some(known) = sent.iter_mut().find(|sent| *sent.name == *name) {
            known.answered = true;
            return Some(known.name.clone());
        }
        let otherwise = if sent.is_empty() { SENT.remedy } else { "the messages sent before are" };
        let remedy = remedy(&name, sent.iter().map(|sent| &*sent.name), otherwise);
        let problem = format!("no message is sent as {} before this", shown(&name));
        self.report(Problem::new(entry.value.span, problem, remedy));
        None
    }

    /// Reports names that no `receive` uses: messages would wait for it in vain.
    pub(super) fn unanswered(&mut self, conversation: &Conversation) {
        for sent in conversation.sent.borrow().iter().filter(|sent| !sent.answered) {
            let problem = format!("no `receive` of this conversation answers {}", shown(&sent.name));
            let remedy = format!("write `receive: {{ answers: {} }}` after it, or remove `as`", sent.name);
            self.report(Problem::new(sent.at, problem, remedy));
        }
    }

    pub(super) fn receive(
        &mut self,
        entry: &Entry,
        conversation: &Conversation,
        place: &StepPlace<'_>,
        visible: &mut Visible<'_>,
        workload: &mut Workload,
    ) -> Option<Receive> {
        let number = conversation.receives.get() + 1;
        conversation.receives.set(number);
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::RECEIVE)?;
        let answers = match fields.get("answers") {
            Some(entry) => self.answers(entry, conversation).map(Some),
            None => Some(None),
        };
        self.refuse_thresholds(&fields, place);
        let wanted = self.wanted(&fields, visible);
        let condition = |reader: &mut Self, entry: &Entry| {
            reader.expression(&entry.value, visible, Names::Message, "fail_if", MESSAGE_CONDITION)
        };
        let fail_if = match fields.get("fail_if") {
            Some(entry) => condition(self, entry).map(Some),
            None => Some(None),
        };
        let timeout = match fields.get("timeout") {
            Some(entry) => self.positive_duration(&entry.value),
            None => Some(RECEIVE),
        };
        let expect = self.message_expect(fields.get("expect"), visible);
        let save = self.message_save(fields.get("save"));
        visible.save(save.iter().map(|s| s.name.clone()));
        let own = match fields.get("name") {
            Some(entry) => {
                let expected = Expected { what: "the message's name", remedy: "write it in quotes" };
                self.name(&entry.value, expected)?
            }
            None => format!("receive {number}"),
        };
        let name = format!("{} / {own}", conversation.name);
        let at = fields.get("name").map_or(entry.key_span, |entry| entry.value.span);
        let around = StepPlace { group: conversation.group, ..*place };
        let series = self.measured(&fields, SeriesKind::Receive, name, at, &around, workload);
        Some(Receive {
            series: series?,
            answers: answers?,
            wanted: wanted?,
            fail_if: fail_if?,
            timeout: timeout?,
            expect: expect?,
            save,
        })
    }

    /// `until`, `for` or `close`; and that nothing beside it contradicts it.
    fn wanted(&mut self, fields: &Fields<'_>, visible: &Visible<'_>) -> Option<Wanted> {
        let given = fields.among(&["until", "for", "close"]);
        if let [(first, first_entry), (second, second_entry), ..] = given[..] {
            let problem = format!("`{second}` beside `{first}`: a `receive` waits for one thing");
            self.report(
                Problem::new(second_entry.key_span, problem, "make two steps of it")
                    .related(first_entry.key_span, "the other one"),
            );
            return None;
        }
        let Some((key, entry)) = given.first().copied() else { return Some(Wanted::Any) };
        let without: &[&str] = match key {
            "for" => &["timeout", "save", "answers"],
            "close" => &["fail_if", "expect", "save", "answers"],
            _ => &[],
        };
        for (other, beside) in fields.all().filter(|(other, _)| without.contains(other)) {
            let problem = format!("`{other}` beside `{key}`, which takes no single message");
            self.report(
                Problem::new(beside.key_span, problem, "remove it, or use `until`")
                    .related(entry.key_span, format!("the `{key}`")),
            );
        }
        match key {
            "until" => self
                .expression(&entry.value, visible, Names::Message, "until", MESSAGE_CONDITION)
                .map(Wanted::Until),
            "for" => self.positive_duration(&entry.value).map(Wanted::For),
            _ => {
                let code = self.integer(&entry.value, 1000, 4999)?;
                u16::try_from(code).ok().map(Wanted::Close)
            }
        }
    }

    fn message_expect(&mut self, entry: Option<&Entry>, visible: &Visible<'_>) -> Option<MessageExpect> {
        let Some(entry) = entry else { return Some(MessageExpect::default()) };
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::MESSAGE_EXPECT)?;
        let max_time = fields.get("time").and_then(|e| self.positive_duration(&e.value));
        let json = fields.get("json").map(|e| self.json_checks(&e.value, visible)).unwrap_or_default();
        let that = fields.get("that").map(|e| self.expressions(e, visible, Names::Message));
        Some(MessageExpect { max_time, json, that: that.unwrap_or_default() })
    }

    /// `save` of a message: it has no headers.
    fn message_save(&mut self, entry: Option<&Entry>) -> Vec<Save> {
        if let Some(Value::Mapping(entries)) = entry.map(|e| &e.value.value) {
            for entry in entries {
                let Value::Mapping(sources) = &entry.value.value else { continue };
                if let Some(header) = sources.iter().find(|source| source.key == "header") {
                    let problem = "`header` of a message, which has none";
                    self.report(Problem::new(header.key_span, problem, "write a JSONPath: `$.id`"));
                }
            }
        }
        self.save(entry)
    }
}
