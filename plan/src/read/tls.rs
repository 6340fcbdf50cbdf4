//! `tls:` and the files that it names.

use super::Reader;
use super::fields::Fields;
use super::value::Expected;
use crate::diagnostic::{Problem, shown};
use crate::language::TLS;
use crate::model::{ClientCertificate, TlsSettings};
use crate::yaml::{Entry, Node};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most certificates of one file.
const MAX_CERTIFICATES: usize = 1000;

const FILE: Expected =
    Expected { what: "the name of a file", remedy: "name a PEM file beside the plan: `ca: ca.pem`" };

/// What is said at one place; `None` leaves it to the place around it.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenTls {
    insecure: Option<bool>,
    server_name: Option<String>,
    authorities: Option<Vec<CertificateDer<'static>>>,
    client: Option<Arc<ClientCertificate>>,
}

impl GivenTls {
    /// This, and where it is silent what `around` says.
    pub(super) fn over(self, around: &GivenTls) -> GivenTls {
        GivenTls {
            insecure: self.insecure.or(around.insecure),
            server_name: self.server_name.or_else(|| around.server_name.clone()),
            authorities: self.authorities.or_else(|| around.authorities.clone()),
            client: self.client.or_else(|| around.client.clone()),
        }
    }

    /// For the users of a class.
    pub(super) fn settings(self) -> TlsSettings {
        TlsSettings {
            insecure: self.insecure.unwrap_or(false),
            server_name: self.server_name,
            authorities: self.authorities.unwrap_or_default(),
            client: self.client,
        }
    }
}

impl Reader<'_> {
    /// `tls:`
    pub(super) fn tls(&mut self, entry: &Entry) -> GivenTls {
        let fields = Fields::new(self, &entry.value, entry.key_span, &TLS);
        let Some(fields) = fields else { return GivenTls::default() };
        let given = GivenTls {
            insecure: fields.get("insecure").and_then(|e| self.switch(&e.value)),
            server_name: fields.get("server_name").and_then(|e| self.server_name(&e.value)),
            authorities: fields.get("ca").and_then(|e| self.certificates(&e.value)),
            client: self.client_certificate(&fields),
        };
        if let (Some(true), Some(entry)) = (given.insecure, fields.get("insecure")) {
            let problem = "`insecure` accepts any certificate: nobody knows who answers";
            let remedy = "use it for test systems only";
            self.warnings.push(Problem::new(entry.key_span, problem, remedy));
        }
        given
    }

    fn client_certificate(&mut self, fields: &Fields<'_>) -> Option<Arc<ClientCertificate>> {
        let (cert, key) = match (fields.get("cert"), fields.get("key")) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => return None,
            (Some(alone), None) => return self.alone(alone, "`cert` without `key`", "key: client.key"),
            (None, Some(alone)) => return self.alone(alone, "`key` without `cert`", "cert: client.pem"),
        };
        let chain = self.certificates(&cert.value);
        let key = self.private_key(&key.value);
        Some(Arc::new(ClientCertificate { chain: chain?, key: key? }))
    }

    fn alone<T>(&mut self, entry: &Entry, problem: &str, missing: &str) -> Option<T> {
        self.report(Problem::new(entry.key_span, problem, format!("add `{missing}`")));
        None
    }

    fn certificates(&mut self, node: &Node) -> Option<Vec<CertificateDer<'static>>> {
        let (name, content) = self.pem_file(node)?;
        let found = CertificateDer::pem_slice_iter(&content).take(MAX_CERTIFICATES + 1);
        let name = shown(&name);
        let problem = match found.collect::<Result<Vec<_>, _>>() {
            Ok(found) if found.len() > MAX_CERTIFICATES => {
                format!("{name} holds more than {MAX_CERTIFICATES} certificates")
            }
            Ok(found) if !found.is_empty() => return Some(found),
            Ok(_) => format!("{name} holds no certificate"),
            Err(_) => format!("{name} is not valid PEM"),
        };
        let remedy = "give it in PEM: text that begins with `-----BEGIN CERTIFICATE-----`";
        self.report(Problem::new(node.span, problem, remedy));
        None
    }

    fn private_key(&mut self, node: &Node) -> Option<PrivateKeyDer<'static>> {
        let (name, content) = self.pem_file(node)?;
        let key = PrivateKeyDer::from_pem_slice(&content);
        if key.is_err() {
            let encrypted = content.windows(9).any(|part| part == b"ENCRYPTED");
            let remedy = if encrypted {
                "it is encrypted: `openssl pkey -in KEY -out PLAIN` writes it without a password"
            } else {
                "give it in PEM: text that begins with `-----BEGIN PRIVATE KEY-----`"
            };
            let problem = format!("{} holds no private key", shown(&name));
            self.report(Problem::new(node.span, problem, remedy));
        }
        key.ok()
    }

    /// The name and the content of a file.
    fn pem_file(&mut self, node: &Node) -> Option<(String, Vec<u8>)> {
        let name = self.text(node, FILE)?;
        let why = match self.settings.files.get(&name) {
            Some(Ok(content)) => return Some((name, content.to_vec())),
            Some(Err(why)) => why.to_owned(),
            None => "it was not read".to_owned(),
        };
        let problem = format!("cannot read the file {}: {why}", shown(&name));
        let remedy = "name a file by its path from the plan, and see that it can be read";
        self.report(Problem::new(node.span, problem, remedy));
        None
    }

    /// Adds the names of the files of an `http:` mapping to `names`.
    pub(super) fn tls_files(&mut self, http: Option<&Entry>, names: &mut BTreeSet<String>) {
        let fields = http.and_then(|e| Fields::new(self, &e.value, e.key_span, &crate::language::HTTP));
        let tls = fields.and_then(|fields| fields.get("tls"));
        let Some(fields) = tls.and_then(|e| Fields::new(self, &e.value, e.key_span, &TLS)) else { return };
        for (_, entry) in fields.among(&["ca", "cert", "key"]) {
            names.extend(self.text(&entry.value, FILE));
        }
    }

    fn server_name(&mut self, node: &Node) -> Option<String> {
        let expected =
            Expected { what: "a host name", remedy: "write it as the certificate has it: `api.example.com`" };
        let name = self.text(node, expected)?;
        if let Ok(url::Host::Domain(_)) = url::Host::parse(&name) {
            return Some(name);
        }
        let problem = format!("{} is not a host name", shown(&name));
        self.report(Problem::new(node.span, problem, expected.remedy));
        None
    }
}
