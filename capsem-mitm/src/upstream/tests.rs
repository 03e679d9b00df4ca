//! Dialling with a scripted resolver and scripted connections: what is asked, what is judged, what is
//! connected to, and when it is too late.

use super::{DialError, Open, Resolve, Resolving, Upstream, connector};
use crate::{
    authority::Authority,
    decide::{Permit, Reach, decide},
    request::{Intent, Kind, Scheme},
    tls::ca,
    ws::BoxIo,
};
use capsem_policy::Policy;
use capsem_telemetry::{FaultClass, attribute};
use http::{Method, StatusCode};
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Answers in turn; the last one stays. Remembers who was asked for.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
}

#[derive(Clone)]
enum Answer {
    At(Vec<IpAddr>),
    Unknown,
    Silence,
}

struct Names(Arc<Script>);

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        self.0.asked.lock().unwrap().push(host.to_owned());
        let mut answers = self.0.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move {
            match answer.expect("an answer") {
                Answer::At(addresses) => Ok(addresses),
                Answer::Unknown => Err(io::Error::other("no such name")),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

/// An upstream whose network is scripted, and what was done on it.
struct Rig {
    upstream: Upstream,
    script: Arc<Script>,
    connected: Arc<Mutex<Vec<SocketAddr>>>,
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl Rig {
    /// `silent` addresses swallow what is sent to them; others take a connection.
    fn new(answers: impl IntoIterator<Item = Answer>, silent: &'static [&'static str]) -> Self {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Script::default()
        });
        let connected = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&connected);
        let open: Open = Box::new(move |address| {
            seen.lock().unwrap().push(address);
            Box::pin(async move {
                if silent.contains(&address.ip().to_string().as_str()) {
                    std::future::pending::<()>().await;
                }
                // The far end stays open and says nothing.
                let (near, far) = tokio::io::duplex(1 << 16);
                tokio::spawn(async move {
                    let _far = far;
                    std::future::pending::<()>().await;
                });
                Ok(Box::new(near) as BoxIo)
            })
        });
        let folder = tempfile::tempdir().unwrap();
        let own = ca::Authority::open_or_create(&folder.path().join("ca")).unwrap();
        let upstream = Upstream {
            resolver: Box::new(Names(Arc::clone(&script))),
            pins: HashMap::new(),
            tls: connector(Vec::new(), own.certificate_der()).unwrap(),
            open,
            timeout: TIMEOUT,
        };
        Self { upstream, script, connected }
    }

    async fn dial(&self, authority: &str, scheme: Scheme) -> Result<SocketAddr, DialError> {
        let dialed = self.upstream.dial(&permit(authority, scheme)).await?;
        Ok(dialed.address)
    }

    fn asked(&self) -> usize {
        self.script.asked.lock().unwrap().len()
    }

    fn connected(&self) -> Vec<String> {
        self.connected.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

/// Only an allow makes a permit.
fn permit(authority: &str, scheme: Scheme) -> Permit {
    let authority = Authority::parse(authority, scheme.default_port()).unwrap();
    let reach = Reach { ports: vec![authority.port], pinned: Vec::new() };
    let attribution = attribute(&authority.host.to_string(), "/");
    let intent = Intent {
        kind: Kind::Http,
        scheme,
        authority,
        method: Method::GET,
        other_methods: Vec::new(),
        path: "/".to_owned(),
        query: None,
        headers: Vec::new(),
        process: None,
    };
    decide(&Policy::allow_all(), &reach, &intent, &attribution).outcome.unwrap()
}

fn at(addresses: &[&str]) -> Answer {
    Answer::At(addresses.iter().map(|text| text.parse().expect("an address")).collect())
}

#[tokio::test]
async fn the_address_that_was_judged_is_the_one_connected_to() {
    let rig = Rig::new([at(&["93.184.215.14", "2606:4700::1111"])], &[]);
    let address = rig.dial("a.example", Scheme::Http).await.unwrap();
    assert_eq!(address.to_string(), "93.184.215.14:80");
    assert_eq!(rig.connected(), ["93.184.215.14:80"]);
    assert_eq!(*rig.script.asked.lock().unwrap(), ["a.example"], "one lookup for one dial");
}

#[tokio::test]
async fn a_name_that_is_rebound_is_closed_from_then_on() {
    let rig = Rig::new([at(&["93.184.215.14"]), at(&["127.0.0.1"])], &[]);
    rig.dial("a.example", Scheme::Http).await.unwrap();
    let error = rig.dial("a.example", Scheme::Http).await.expect_err("an error");
    assert_eq!((error.class(), error.status()), (FaultClass::DestClass, StatusCode::FORBIDDEN));
    assert_eq!((rig.asked(), rig.connected().len()), (2, 1));
}

#[tokio::test]
async fn one_address_inside_closes_the_name() {
    for inside in ["127.0.0.1", "10.1.2.3", "::1", "::ffff:169.254.169.254", "64:ff9b::a00:1"] {
        for answer in [at(&["1.1.1.1", inside]), at(&[inside, "1.1.1.1"]), at(&[inside])] {
            let rig = Rig::new([answer], &[]);
            let error = rig.dial("a.example", Scheme::Https).await.expect_err("an error");
            assert_eq!(error.class(), FaultClass::DestClass, "{inside}");
            assert!(error.to_string().contains(inside), "{error}");
            assert!(rig.connected().is_empty(), "{inside}");
        }
    }
}

#[tokio::test]
async fn an_address_is_looked_up_nowhere() {
    let rig = Rig::new([Answer::Unknown], &[]);
    let address = rig.dial("1.1.1.1", Scheme::Http).await.unwrap();
    assert_eq!((address.to_string().as_str(), rig.asked()), ("1.1.1.1:80", 0));
    let rig = Rig::new([Answer::Unknown], &[]);
    let error = rig.dial("[::ffff:127.0.0.1]", Scheme::Http).await.expect_err("an error");
    assert_eq!((error.class(), rig.asked()), (FaultClass::DestClass, 0));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
    let rig = Rig::new([at(&["1.1.1.1", "8.8.8.8"])], &["1.1.1.1"]);
    let began = Instant::now();
    let address = rig.dial("a.example", Scheme::Http).await.unwrap();
    assert_eq!(address.to_string(), "8.8.8.8:80");
    assert_eq!(began.elapsed().as_secs(), TIMEOUT.as_secs() / 2);
}

#[track_caller]
fn late(answer: Answer, silent: &'static [&'static str], scheme: Scheme, class: FaultClass) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (error, took) = runtime.block_on(async {
        let rig = Rig::new([answer], silent);
        let began = Instant::now();
        (rig.dial("a.example", scheme).await.expect_err("an error"), began.elapsed())
    });
    assert_eq!((error.class(), error.status()), (class, StatusCode::GATEWAY_TIMEOUT), "{error}");
    assert_eq!(took.as_secs(), TIMEOUT.as_secs(), "{error}");
}

#[test]
fn one_deadline_for_looking_up_connecting_and_tls() {
    late(Answer::Silence, &[], Scheme::Https, FaultClass::Dns);
    late(at(&["1.1.1.1"]), &["1.1.1.1"], Scheme::Https, FaultClass::ConnectTimeout);
    late(
        at(&["1.1.1.1", "8.8.8.8"]),
        &["1.1.1.1", "8.8.8.8"],
        Scheme::Http,
        FaultClass::ConnectTimeout,
    );
    late(at(&["1.1.1.1"]), &[], Scheme::Https, FaultClass::UpstreamTls);
}

#[tokio::test]
async fn a_name_that_is_nowhere() {
    for answer in [Answer::Unknown, at(&[])] {
        let error = Rig::new([answer], &[]).dial("a.example", Scheme::Http).await.err().unwrap();
        assert_eq!((error.class(), error.status()), (FaultClass::Dns, StatusCode::BAD_GATEWAY));
    }
}
