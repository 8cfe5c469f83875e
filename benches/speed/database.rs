//! Stands in for the database, behind TLS: answers every call at once, with the answers for the flow in `events/`.
//!
//! Its own certificate authority is added to those that a client trusts. So the measurement includes the handshake, and the
//! reading of as many certificates as on AWS.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use project_flows::flow::{
    Change, Client, Content, Flow, FlowId, Head, Idempotency, IdempotencyKey, Place, Status, WriteToken,
};
use project_flows::{item, json};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::http::{operation, read_message};
use crate::operations::ACTIVE;

/// The front's authority, and all authorities that the machine trusts.
pub const MACHINE: &str = "machine.pem";
/// The front's authority, and those of AWS.
pub const AMAZON: &str = "amazon.pem";
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What happens to an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    Kept,
    /// The front closes it.
    Closed,
    /// The network forgets it, so nothing on it gets an answer.
    Forgotten,
}

/// A handle of the front.
pub struct Front {
    /// Its address.
    pub url: String,
    delay: Arc<AtomicU64>,
    rest: watch::Sender<Rest>,
}

impl Front {
    /// Delays all later answers by this time.
    pub fn answer_after(&self, delay: Duration) {
        self.delay.store(delay.as_micros().try_into().unwrap(), Ordering::Relaxed);
    }

    /// Does this to all open connections.
    pub fn let_rest(&self, rest: Rest) {
        self.rest.send_replace(rest);
    }
}

/// Serves until the program ends. Writes two files of trusted authorities to `folder`: with all that the machine trusts, and
/// with those of AWS alone.
pub async fn serve(folder: &Path) -> Front {
    let mut authority = CertificateParams::default();
    // A different name, because OpenSSL treats a certificate with equal subject and issuer as self-signed.
    authority.distinguished_name.push(DnType::CommonName, "authority of the benchmark");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let system = fs::read_to_string(SYSTEM_CERTIFICATES).expect("the machine's certificates");
    let amazon = include_str!("../../src/amazon-roots.pem");
    for (name, others) in [(MACHINE, system.as_str()), (AMAZON, amazon)] {
        fs::write(folder.join(name), format!("{others}\n{}", authority.as_ref().pem())).unwrap();
    }

    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let answers = Arc::new(Answers::new());
    let front = Front { url, delay: Arc::default(), rest: watch::Sender::new(Rest::Kept) };
    let (delay, rest) = (Arc::clone(&front.delay), front.rest.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (acceptor, answers, delay) = (acceptor.clone(), Arc::clone(&answers), Arc::clone(&delay));
            let mut rest = rest.subscribe();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                loop {
                    let request = tokio::select! {
                        request = read_message(&mut stream) => request,
                        _ = rest.changed() => {
                            let now = *rest.borrow_and_update();
                            match now {
                                Rest::Kept => continue,
                                Rest::Closed => None,
                                Rest::Forgotten => std::future::pending().await,
                            }
                        }
                    };
                    let Some(request) = request else {
                        let _ = stream.shutdown().await;
                        return;
                    };
                    let delay = Duration::from_micros(delay.load(Ordering::Relaxed));
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    let body = answers.to(&request);
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length";
                    let answer = format!("{head}: {}\r\n\r\n{body}", body.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    front
}

/// The answers of the database: the flow of `events/` at version 2, version 1 in its history, and ten flows in the list. The
/// same flow is live, and another one is active.
struct Answers {
    newest: String,
    active: String,
    history: String,
    list: String,
    changes: String,
    versions: String,
    live: String,
    release: String,
    releases: String,
    live_flows: String,
}

impl Answers {
    fn new() -> Self {
        let event: Value = serde_json::from_str(include_str!("../../events/create-flow-once.json")).unwrap();
        let members = json::read_object(event["body"].as_str().unwrap().as_bytes()).unwrap();
        let content = Content::parse(&members).unwrap();
        let client = Client::parse("client_123456789").unwrap();
        let key = IdempotencyKey::parse(event["headers"]["idempotency-key"].as_str().unwrap()).unwrap();
        let once = Idempotency { key, fingerprint: project_flows::flow::Fingerprint::of("") };
        let mut flow = Flow::create(client, SystemTime::now(), content, Some(once), Change::default()).unwrap();
        let first = item::from_flow(&flow);
        flow.summary.version = 2;
        let newest = item::from_flow(&flow);
        let only = |item: &HashMap<String, AttributeValue>, attributes: &[&str]| {
            let mut item = item.clone();
            item.retain(|name, _| attributes.contains(&name.as_str()));
            wire(&item)
        };
        let page = |item: &Value| {
            let items: Vec<_> = (0..10).map(|_| item).collect();
            json!({ "Count": 10, "ScannedCount": 10, "Items": items }).to_string()
        };
        let (client, place) = (flow.summary.client.clone(), Place::of(&flow.summary));
        flow.summary.status = Status::Active;
        let head = Head::release(None, SystemTime::now(), flow.clone(), Change::default(), false);
        let mut head = head.unwrap();
        head.release.write_token = WriteToken::random().ok();
        let release = item::from_release(&client, &place, &head);
        let live = item::into_head(release.clone(), &place);
        let mut active = flow.clone();
        active.summary.id = FlowId::parse(ACTIVE).unwrap();
        Self {
            active: json!({ "Item": wire(&item::from_flow(&active)) }).to_string(),
            live: json!({ "Item": wire(&live) }).to_string(),
            release: json!({ "Count": 1, "ScannedCount": 1, "Items": [wire(&release)] }).to_string(),
            releases: page(&only(&release, &item::RELEASES)),
            live_flows: page(&only(&live, &item::LIVE_FLOWS)),
            history: json!({ "Item": wire(&item::into_version(first.clone(), &flow)) }).to_string(),
            list: page(&only(&newest, &item::SUMMARY)),
            changes: page(&only(&newest, &item::CHANGES)),
            versions: json!({ "Count": 1, "ScannedCount": 1, "Items": [only(&first, &item::HISTORY)] }).to_string(),
            newest: json!({ "Item": wire(&newest) }).to_string(),
        }
    }

    fn to(&self, request: &[u8]) -> &str {
        let has = |text: &[u8]| request.windows(text.len()).any(|window| window == text);
        match operation(request) {
            Some("GetItem") if has(b"VERSION#") => &self.history,
            Some("GetItem") if has(ACTIVE.as_bytes()) => &self.active,
            Some("GetItem") if has(b"FLOW#") => &self.newest,
            Some("GetItem") if has(b"LIVE#") => &self.live,
            Some("Query") if has(b"RELEASE#") && has(b"ProjectionExpression") => &self.releases,
            Some("Query") if has(b"RELEASE#") => &self.release,
            Some("Query") if has(b"LIVE#") => &self.live_flows,
            Some("Query") if has(b"newest-first") => &self.list,
            Some("Query") if has(b"\"changes\"") => &self.changes,
            Some("Query") => &self.versions,
            _ => "{}",
        }
    }
}

/// An item as DynamoDB's JSON.
fn wire(item: &HashMap<String, AttributeValue>) -> Value {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        other => panic!("expected a string or a number, found {other:?}"),
    };
    item.iter().map(|(name, attribute)| (name.clone(), value(attribute))).collect()
}
