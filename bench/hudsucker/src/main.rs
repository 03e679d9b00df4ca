//! hudsucker with handlers that look at nothing, as its documents build it. One thing is not theirs:
//! whatever host is asked for, it connects to the one server of the run.

#![forbid(unsafe_code)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Parser;
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::hyper::{Method, Request, Uri, http::uri::Authority};
use hudsucker::rcgen::{Issuer, KeyPair};
use hudsucker::rustls::crypto::aws_lc_rs::default_provider;
use hudsucker::{Body, HttpContext, HttpHandler, Proxy, RequestOrResponse, WebSocketHandler};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio_tungstenite::Connector;

/// Certificates it keeps, as in its example.
const LEAVES: u64 = 1000;

#[derive(Parser)]
struct Arguments {
    /// Where everything goes
    #[arg(long)]
    upstream: SocketAddr,
    /// The certificate of the run's authority
    #[arg(long)]
    ca: PathBuf,
    /// Its key
    #[arg(long)]
    ca_key: PathBuf,
}

/// Sends every request to the server of the run.
#[derive(Clone)]
struct Upstream(Authority);

impl HttpHandler for Upstream {
    async fn handle_request(
        &mut self,
        _: &HttpContext,
        mut request: Request<Body>,
    ) -> RequestOrResponse {
        if request.method() != Method::CONNECT {
            let mut parts = request.uri().clone().into_parts();
            parts.authority = Some(self.0.clone());
            *request.uri_mut() = Uri::from_parts(parts).expect("it had all its parts before");
        }
        request.into()
    }
}

impl WebSocketHandler for Upstream {}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let key = KeyPair::from_pem(&fs::read_to_string(&arguments.ca_key)?)?;
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(&arguments.ca)?, key)?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&arguments.ca)?)?;
    let trust = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let upstream = Upstream(arguments.upstream.to_string().parse()?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{{\"kind\":\"ready\",\"proxy\":\"{}\"}}", listener.local_addr()?);
    let proxy = Proxy::builder()
        .with_listener(listener)
        .with_ca(RcgenAuthority::new(issuer, LEAVES, default_provider()))
        .with_rustls_connector(default_provider())
        .with_http_handler(upstream.clone())
        .with_websocket_handler(upstream)
        .with_websocket_connector(Connector::Rustls(Arc::new(trust)))
        .build()?;
    Ok(proxy.start().await?)
}
