//! Messages in a few words, for the trace.

use proto::message::{FromAgent, ToAgent};

pub(super) fn brief_up(message: &FromAgent) -> String {
    match message {
        FromAgent::Hello(hello) => format!("Hello {} #{}", hello.name, hello.incarnation),
        FromAgent::PlanState { state, .. } => {
            format!("PlanState {}", if state.is_ok() { "ok" } else { "no" })
        }
        FromAgent::AssignAck { revision, .. } => format!("AssignAck {revision}"),
        FromAgent::Renew { n, users } => format!("Renew {n}, {users} users"),
        FromAgent::Window(w) => format!(
            "Window {} of second {}: {} users, {} started, {} open, {} aborted{}",
            w.seq,
            w.index,
            w.users,
            w.started,
            w.in_flight,
            w.aborted,
            if w.last { ", the last" } else { "" }
        ),
        FromAgent::ChoreDone(report) => format!("ChoreDone {} {:?}", report.chore.name(), report.failed),
        FromAgent::Draining { reason } => format!("Draining: {reason}"),
        FromAgent::Goodbye { reason } => format!("Goodbye: {reason}"),
    }
}

pub(super) fn brief_down(message: &ToAgent) -> String {
    match message {
        ToAgent::Welcome(welcome) => format!("Welcome to session {}", welcome.session),
        ToAgent::Reject { code, message } => format!("Reject {code:?}: {message}"),
        ToAgent::Prepare { .. } => "Prepare".to_owned(),
        ToAgent::Assign { revision, seats, .. } => {
            let slots: Vec<u32> = seats.iter().map(|seat| seat.slot.0).collect();
            format!("Assign {revision}: {slots:?}")
        }
        ToAgent::Start { after, .. } => format!("Start after {after:?}"),
        ToAgent::Stop { timeout, .. } => format!("Stop within {timeout:?}"),
        ToAgent::SetupValues { .. } => "SetupValues".to_owned(),
        ToAgent::RunChore { chore, .. } => format!("RunChore {}", chore.name()),
        ToAgent::WindowAck { seq, .. } => format!("WindowAck {seq}"),
        ToAgent::Lease { n, ttl, .. } => format!("Lease {n} for {ttl:?}"),
    }
}
