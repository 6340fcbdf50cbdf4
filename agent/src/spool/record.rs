//! The records of a spool file: what they say, and how they stand there.
//!
//! A record is the length of its body (32 bits), the CRC-32C of the body (32 bits), both little-endian, and the body: a byte
//! for its kind, then what that kind needs. Windows stand there as they travel. Reading is total: whatever the bytes are,
//! the good records before the first bad one come out, and where they end.

use super::crc32c::crc32c;
use crate::session::{Entry, Part};
use proto::limits::MAX_AGENT_MESSAGE;
use proto::message::{FromAgent, RunId, WindowReport};
use proto::raw;
use serde_json::{Value, json};
use std::fmt;
use std::io::{self, Read};

/// Version of what is described here.
const VERSION: u64 = 1;

/// Longest body in bytes: a window as large as may travel.
const MAX_BODY: usize = MAX_AGENT_MESSAGE + 16;

/// Bytes before a body.
const PREFIX: usize = 8;

/// Whose run it is: what another process needs to deliver it. `Debug` does not show the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The coordinator's address, as the agent was given it.
    pub coordinator: String,
    /// The agent's name.
    pub name: String,
    /// Its private key (PEM), where it made one by itself.
    pub key: Option<String>,
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { coordinator, name, key } = self;
        let key = key.as_ref().map(|_| "…");
        f.debug_struct("Owner")
            .field("coordinator", coordinator)
            .field("name", name)
            .field("key", &key)
            .finish()
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// The first one.
    Head(Owner, Part),
    /// Any other.
    Entry(Entry),
}

/// Why a file's good records end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is nothing after them.
    Whole,
    /// What follows is no good record: why.
    Cut(String),
}

/// The bytes of a run's first record.
pub(super) fn head(owner: &Owner, part: &Part) -> Vec<u8> {
    let Part { run, session, warmup } = part;
    let head = json!({
        "muster_spool": VERSION,
        "coordinator": owner.coordinator,
        "name": owner.name,
        "key": owner.key,
        "run": run.0,
        "session": session,
        "warmup_s": warmup,
    });
    framed(b'H', head.to_string().as_bytes())
}

/// The bytes of a record that says `entry`; `None` for those that have none.
pub(super) fn entry(entry: Entry) -> Option<Vec<u8>> {
    match entry {
        Entry::Began(_) | Entry::Over => None,
        Entry::Closed(mut window) => {
            // It has no number yet; what travels has one.
            window.seq = 1;
            Some(framed(b'C', &raw::agent_bytes(FromAgent::Window(window))))
        }
        Entry::Merged(window) => Some(framed(b'M', &raw::agent_bytes(FromAgent::Window(window)))),
        Entry::Numbered(seq) => Some(framed(b'N', &seq.to_le_bytes())),
        Entry::Acknowledged(seq) => Some(framed(b'A', &seq.to_le_bytes())),
    }
}

fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 1).expect("what travels is shorter than 4 GiB");
    let mut bytes = Vec::with_capacity(PREFIX + 1 + content.len());
    bytes.extend(length.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.push(kind);
    bytes.extend(content);
    let sum = crc32c(&bytes[PREFIX..]);
    bytes[4..PREFIX].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Reads the next record and its length in bytes, or why there is none.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read(from: &mut impl Read) -> io::Result<Result<(Record, u64), End>> {
    let mut prefix = [0; PREFIX];
    match read_up_to(from, &mut prefix)? {
        0 => return Ok(Err(End::Whole)),
        PREFIX => {}
        _ => return Ok(Err(cut("it ends within a record"))),
    }
    let [a, b, c, d, sum @ ..] = prefix;
    let (length, sum) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes(sum));
    if length == 0 || length > MAX_BODY {
        return Ok(Err(cut(format_args!("a record of {length} bytes, at most {MAX_BODY} are possible"))));
    }
    let mut body = Vec::new();
    if from.take(length as u64).read_to_end(&mut body)? < length {
        return Ok(Err(cut("it ends within a record")));
    }
    if crc32c(&body) != sum {
        return Ok(Err(cut("a record with a wrong checksum")));
    }
    Ok(match understood(body[0], &body[1..]) {
        Ok(record) => Ok((record, (PREFIX + length) as u64)),
        Err(problem) => Err(cut(problem)),
    })
}

fn cut(why: impl fmt::Display) -> End {
    End::Cut(why.to_string())
}

fn read_up_to(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut content = Vec::new();
    let length = from.take(bytes.len() as u64).read_to_end(&mut content)?;
    bytes[..length].copy_from_slice(&content);
    Ok(length)
}

fn understood(kind: u8, content: &[u8]) -> Result<Record, String> {
    let entry = match kind {
        b'H' => return understood_head(content),
        b'C' => {
            let mut window = window(content)?;
            window.seq = 0;
            Entry::Closed(window)
        }
        b'M' => Entry::Merged(window(content)?),
        b'N' => Entry::Numbered(number(content)?),
        b'A' => Entry::Acknowledged(number(content)?),
        _ => return Err(format!("a record of the unknown kind {kind}")),
    };
    Ok(Record::Entry(entry))
}

fn window(content: &[u8]) -> Result<Box<WindowReport>, String> {
    match raw::from_agent(content)? {
        FromAgent::Window(window) => Ok(window),
        _ => Err("a record of a window that holds something else".to_owned()),
    }
}

fn number(content: &[u8]) -> Result<u64, String> {
    let bytes = content.try_into().map_err(|_| "a number that is not 8 bytes long".to_owned())?;
    Ok(u64::from_le_bytes(bytes))
}

fn understood_head(content: &[u8]) -> Result<Record, String> {
    let head: Value = serde_json::from_slice(content).map_err(|error| format!("the head: {error}"))?;
    let number = |key: &str| head[key].as_u64().ok_or_else(|| format!("the head: `{key}` is not a number"));
    let text = |key: &str| {
        head[key].as_str().map(str::to_owned).ok_or_else(|| format!("the head: `{key}` is not a text"))
    };
    let version = number("muster_spool")?;
    if version != VERSION {
        return Err(format!("it has version {version}, this build reads {VERSION}"));
    }
    let owner = Owner {
        coordinator: text("coordinator")?,
        name: text("name")?,
        key: head["key"].as_str().map(str::to_owned),
    };
    let warmup = u32::try_from(number("warmup_s")?).unwrap_or(u32::MAX);
    let part = Part { run: RunId(text("run")?), session: number("session")?, warmup };
    Ok(Record::Head(owner, part))
}

#[cfg(test)]
pub(super) mod tests;
