//! A real mail server: aiosmtpd with STARTTLS, a password and a certificate of our own authority.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
    task::JoinSet,
};

use super::{Folder, eventually, python::python};

const SCRIPT: &str = include_str!("mailbox.py");

/// The mail server; it ends with the value.
#[derive(Debug)]
pub(crate) struct Mailbox {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
    _child: Child,
    _reader: JoinSet<()>,
}

impl Mailbox {
    /// Starts it; the authority's certificate is then `ca.pem` in the folder.
    pub(crate) async fn start(folder: &Folder) -> Self {
        write_certificates(folder);
        let (leaf, key) = (folder.path("leaf.pem"), folder.path("leaf.key"));
        let args = [leaf.to_str().unwrap(), key.to_str().unwrap()];
        let mut child = python(SCRIPT, &args).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output.next_line().await.unwrap().expect("the mail server prints its port");
        let mails = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&mails);
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                received.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Self { port: port.parse().unwrap(), mails, _child: child, _reader: reader }
    }

    /// Waits for a mail whose subject begins so.
    pub(crate) async fn expect(&self, subject: &str) -> Value {
        eventually(subject, async || {
            let mails = self.mails.lock().unwrap().clone();
            let is_it = |mail: &&Value| {
                mail["headers"]["Subject"].as_str().is_some_and(|s| s.starts_with(subject))
            };
            mails.iter().find(is_it).cloned().ok_or_else(|| format!("got {} mails", mails.len()))
        })
        .await
    }

    pub(crate) fn count(&self) -> usize {
        self.mails.lock().unwrap().len()
    }
}

/// An authority and a server's certificate that it signed, for 127.0.0.1.
fn write_certificates(folder: &Folder) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    folder.write("ca.pem", &authority.pem());
    folder.write("leaf.pem", &leaf.pem());
    folder.write("leaf.key", &key.serialize_pem());
}
