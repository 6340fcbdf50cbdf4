//! Agents that join over TLS, well or badly, and a small PKI for operators' certificates.

use crate::peer::{ScriptedAgent, hello};
use crate::process::TestDir;
use hyper_util::rt::TokioIo;
use proto::join::JoinString;
use proto::message::{FromAgent, RejectCode, ToAgent};
use proto::tls::{Identity, Trust, client};
use proto::{Fingerprint, Secret};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// How a coordinator answered a Hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The agent is attached.
    Welcome,
    /// It is not, and this is why.
    Reject(RejectCode, String),
    /// Nothing: the stream ended.
    Nothing,
}

/// A scripted agent with a key.
pub struct Joiner {
    /// Its key.
    pub identity: Identity,
    /// The coordinator.
    pub address: String,
    /// The key that it must have.
    pub pin: Fingerprint,
}

impl Joiner {
    /// One with a new key, for the coordinator at `address` whose key `pin` stands for.
    pub fn new(address: &str, pin: Fingerprint) -> Joiner {
        let identity = Identity::generate("scripted").expect("a key");
        Joiner { identity, address: address.to_owned(), pin }
    }

    /// Opens a connection; says nothing.
    pub async fn channel(&self) -> Result<Channel, String> {
        let config = client(&self.identity, Trust::Pin(self.pin)).expect("settings");
        let tcp = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
        let name = "coordinator.test".try_into().expect("a name");
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        let once = Mutex::new(Some(TokioIo::new(connecting.await.map_err(|error| error.to_string())?)));
        let connector = tower::service_fn(move |_| {
            let stream = once.lock().expect("no holder panics").take();
            std::future::ready(stream.ok_or_else(|| std::io::Error::other("one connection only")))
        });
        let endpoint = Endpoint::from_static("http://coordinator.test");
        endpoint.connect_with_connector(connector).await.map_err(|error| error.to_string())
    }

    /// Attaches as `name` and shows `secret`.
    pub async fn attach(&self, name: &str, secret: Option<&Secret>) -> (ScriptedAgent, Answer) {
        let channel = self.channel().await.expect("a connection");
        let mut agent = ScriptedAgent::over(channel).await.expect("a stream");
        agent.say(FromAgent::Hello(proto::message::Hello { join: secret.cloned(), ..hello(name) }));
        let answer = match agent.hear().await {
            Some(ToAgent::Welcome(_)) => Answer::Welcome,
            Some(ToAgent::Reject { code, message }) => Answer::Reject(code, message),
            Some(other) => panic!("not an answer to Hello: {other:?}"),
            None => Answer::Nothing,
        };
        (agent, answer)
    }
}

/// The string with another secret.
pub fn with_secret(join: &str, secret: u8) -> String {
    let join = JoinString::parse(join).expect("a join string");
    JoinString { secret: Secret::from_bytes([secret; Secret::BYTES]), ..join }.reveal()
}

/// An authority whose certificate stands in a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The file.
    pub file: String,
}

impl Authority {
    /// Authority `name`, whose files stand in `dir`.
    pub fn new(dir: &TestDir, name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("good names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let file = format!("{name}.pem");
        dir.write(&file, &params.self_signed(&key).expect("signed").pem());
        Authority { issuer: Issuer::new(params, key), file }
    }

    /// Signs a certificate for `host`; gives back the names of the files with it and its key.
    pub fn sign(&self, dir: &TestDir, host: &str) -> [String; 2] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("good names");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let files = ["crt", "key"].map(|kind| format!("{}-{host}.{kind}", self.file));
        dir.write(&files[0], &certificate.pem());
        dir.write(&files[1], &key.serialize_pem());
        files
    }
}
