//! What is kept of a run: everything that its fleet core was told, and when. Pure.
//!
//! A record is one input of the core. The core is a function of its inputs, so its whole state, the windows included, is
//! what comes out when they are told again.

use crate::fleet::{Input, SessionId};
use bytes::{Buf as _, Bytes};
use proto::limits::MAX_AGENT_MESSAGE;
use proto::message::{FromAgent, RejectCode};
use proto::raw;
use std::time::Duration;

/// Longest record in bytes: a message of an agent, and what stands before it.
pub const MAX_RECORD: usize = MAX_AGENT_MESSAGE + HEAD;

/// Kind, time and stream.
const HEAD: usize = 1 + 8 + 8;

/// Longest text in a record, in bytes: addresses, and reasons for a person.
const MAX_TEXT: usize = 16 << 10;

/// One input of the fleet core.
#[derive(Debug)]
pub struct Record {
    /// When, on the fleet's clock.
    pub at: Duration,
    /// What it was told; `None` where time had passed.
    pub input: Option<Input>,
}

const TIMEOUT: u8 = 0;
const ATTACHED: u8 = 1;
const RECEIVED: u8 = 2;
const REFUSED: u8 = 3;
const DETACHED: u8 = 4;
const STOP: u8 = 5;
const RESUMED: u8 = 6;
const RESUMED_ALONE: u8 = 7;
const BROKE: u8 = 8;
const STOP_NOW: u8 = 9;
const ABORT: u8 = 10;

/// Codes of refusals by their place: what is appended keeps what is written.
const CODES: [RejectCode; 10] = [
    RejectCode::Version,
    RejectCode::Full,
    RejectCode::Late,
    RejectCode::Name,
    RejectCode::Protocol,
    RejectCode::Plan,
    RejectCode::Over,
    RejectCode::Secret,
    RejectCode::Identity,
    RejectCode::Wait,
];

/// The record of an input as bytes; `None` for one that cannot be kept.
pub fn encode(at: Duration, input: Option<&Input>) -> Option<Vec<u8>> {
    let (kind, session, rest) = match input {
        None => (TIMEOUT, 0, Vec::new()),
        Some(Input::Attached { session, peer }) => (ATTACHED, session.0, text(peer)),
        Some(Input::Received { session, message }) => (RECEIVED, session.0, said(message)),
        Some(Input::Refused { session, code, message }) => {
            let place = CODES.iter().position(|known| known == code).unwrap_or(CODES.len());
            let mut rest = vec![place as u8];
            rest.extend(text(message));
            (REFUSED, session.0, rest)
        }
        Some(Input::Detached { session, reason }) => (DETACHED, session.0, text(reason)),
        Some(Input::Broke { session, problem }) => (BROKE, session.0, text(problem)),
        Some(Input::Stop) => (STOP, 0, Vec::new()),
        Some(Input::StopNow) => (STOP_NOW, 0, Vec::new()),
        Some(Input::Abort) => (ABORT, 0, Vec::new()),
        Some(Input::Resumed { embedded: false }) => (RESUMED, 0, Vec::new()),
        Some(Input::Resumed { embedded: true }) => (RESUMED_ALONE, 0, Vec::new()),
        Some(Input::JournalFailed { .. }) => return None,
    };
    let mut bytes = Vec::with_capacity(HEAD + rest.len());
    bytes.push(kind);
    bytes.extend(nanos(at).to_le_bytes());
    bytes.extend(session.to_le_bytes());
    bytes.extend(rest);
    Some(bytes)
}

/// Reads a record back. Total: any bytes give a record or what is wrong with them.
pub fn decode(mut bytes: Bytes) -> Result<Record, String> {
    if bytes.len() < HEAD || bytes.len() > MAX_RECORD {
        return Err(format!("it has {} bytes; a record has {HEAD} to {MAX_RECORD}", bytes.len()));
    }
    let (kind, at, session) = (bytes.get_u8(), bytes.get_u64_le(), SessionId(bytes.get_u64_le()));
    let input = match kind {
        TIMEOUT => None,
        ATTACHED => Some(Input::Attached { session, peer: read_text(&bytes)? }),
        RECEIVED => Some(Input::Received { session, message: raw::from_agent(&bytes)? }),
        REFUSED if bytes.is_empty() => return Err("a refusal without a code".to_owned()),
        REFUSED => {
            let place = bytes.get_u8();
            let code = CODES.get(usize::from(place)).ok_or_else(|| format!("{place} is no refusal"))?;
            Some(Input::Refused { session, code: *code, message: read_text(&bytes)? })
        }
        DETACHED => Some(Input::Detached { session, reason: read_text(&bytes)? }),
        BROKE => Some(Input::Broke { session, problem: read_text(&bytes)? }),
        STOP => Some(Input::Stop),
        STOP_NOW => Some(Input::StopNow),
        ABORT => Some(Input::Abort),
        RESUMED => Some(Input::Resumed { embedded: false }),
        RESUMED_ALONE => Some(Input::Resumed { embedded: true }),
        other => return Err(format!("{other} is no kind of record")),
    };
    Ok(Record { at: Duration::from_nanos(at), input })
}

/// What an agent said, without the secret by which it joined.
fn said(message: &FromAgent) -> Vec<u8> {
    match message {
        FromAgent::Hello(hello) => {
            raw::agent_bytes(FromAgent::Hello(proto::message::Hello { join: None, ..hello.clone() }))
        }
        other => raw::agent_bytes(other.clone()),
    }
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)].to_vec()
}

fn read_text(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > MAX_TEXT {
        return Err(format!("a text of {} bytes; the limit is {MAX_TEXT}", bytes.len()));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text that is not UTF-8".to_owned())
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
