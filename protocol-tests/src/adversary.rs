//! Peers that say what no agent would: bytes of their own making, in streams, frames and connections of their own making.

use bytes::{Buf as _, BufMut as _, Bytes};
use proto::message::{FromAgent, RejectCode, RunId, ToAgent, WindowReport};
use proto::raw;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Request, Status, Streaming};

/// Longest wait for an answer. Never reached when all is well; a test that hangs must not hang CI.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An agent's stream on which any bytes go.
pub struct Adversary {
    outbound: mpsc::UnboundedSender<Bytes>,
    inbound: Streaming<Bytes>,
}

impl Adversary {
    /// Opens a stream to the coordinator at `address`; says nothing yet. Of what it does not read, `unread` bytes are on
    /// their way at most.
    pub async fn dial(address: &str, unread: Option<u32>) -> Adversary {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address of ours");
        let channel =
            endpoint.initial_stream_window_size(unread).connect().await.expect("the coordinator listens");
        let (outbound, outgoing) = mpsc::unbounded_channel();
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.expect("connected");
        let request = Request::new(UnboundedReceiverStream::new(outgoing));
        let path = PathAndQuery::from_static("/muster.v1.Fleet/Attach");
        let inbound = client.streaming(request, path, Plain).await.expect("attached").into_inner();
        Adversary { outbound, inbound }
    }

    /// Says `bytes` as one message.
    pub fn say(&self, bytes: impl Into<Bytes>) {
        // The end of the stream shows when the answer is read.
        let _ = self.outbound.send(bytes.into());
    }

    /// Says what an agent could say.
    pub fn say_well(&self, message: FromAgent) {
        self.say(raw::agent_bytes(message));
    }

    /// The next message; `None` at the end of the stream.
    pub async fn hear(&mut self) -> Option<ToAgent> {
        let next = tokio::time::timeout(PATIENCE, self.inbound.message()).await;
        let bytes = next.expect("the coordinator says something or ends the stream").ok()??;
        Some(raw::to_agent(&bytes).expect("a coordinator's message"))
    }

    /// The next message for which `pick` gives something; `None` if the stream ends before.
    pub async fn hear_until<T>(&mut self, pick: impl Fn(&ToAgent) -> Option<T>) -> Option<T> {
        loop {
            if let Some(picked) = pick(&self.hear().await?) {
                return Some(picked);
            }
        }
    }

    /// Why it is turned away or dropped; `None` if the stream ends without a word. The stream ends after it.
    pub async fn rejection(&mut self) -> Option<(RejectCode, String)> {
        let rejected = self
            .hear_until(|m| match m {
                ToAgent::Reject { code, message } => Some((*code, message.clone())),
                _ => None,
            })
            .await;
        assert_eq!(self.hear().await, None, "nothing comes after a rejection");
        rejected
    }
}

/// Messages that are their bytes.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Codec for Plain {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Plain;
    type Decoder = Plain;

    fn encoder(&mut self) -> Plain {
        Plain
    }

    fn decoder(&mut self) -> Plain {
        Plain
    }
}

impl Encoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Field `number` with a number, as it stands in a message.
pub fn number(number: u32, value: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value)].concat()
}

/// Field `number` with bytes, text, a message or packed numbers, as it stands in a message.
pub fn bytes(number: u32, value: &[u8]) -> Vec<u8> {
    [&varint(u64::from(number) << 3 | 2), &varint(value.len() as u64), value].concat()
}

/// A number as the wire has it.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// `window` with these fields on top: of a field that stands twice in a message, the second counts, and of a list both.
pub fn window_with(window: WindowReport, fields: &[u8]) -> Bytes {
    [raw::agent_bytes(FromAgent::Window(Box::new(window))), bytes(5, fields)].concat().into()
}

/// A window of nothing but these fields and what says whose it is.
pub fn bare_window(run: &RunId, fields: &[u8]) -> Bytes {
    bytes(5, &[bytes(1, run.0.as_bytes()), number(2, 1), fields.to_vec()].concat()).into()
}

/// A connection on which any HTTP/2 frames go.
pub struct Frames(TcpStream);

impl Frames {
    /// Connects to `address` and greets as HTTP/2 does.
    pub async fn connect(address: &str) -> Frames {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("written");
        stream.write_all(&frame(4, 0, 0, &[])).await.expect("written");
        Frames(stream)
    }

    /// Writes frames until the other end has had enough, at most `limit` bytes; how many it took.
    pub async fn flood(mut self, mut next: impl FnMut(u32) -> Vec<u8>, limit: usize) -> usize {
        let (mut reader, mut writer) = self.0.split();
        let mut sent = 0;
        let flood = async {
            for n in 0.. {
                let bytes = next(n);
                if sent > limit || writer.write_all(&bytes).await.is_err() {
                    return;
                }
                sent += bytes.len();
            }
        };
        let mut heard = Vec::new();
        let all = async {
            tokio::join!(flood, async { while matches!(reader.read_buf(&mut heard).await, Ok(1..)) {} })
        };
        tokio::time::timeout(PATIENCE, all).await.expect("the other end gives up in time");
        sent
    }
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
