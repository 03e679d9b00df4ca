//! The blind tunnel: the TLS legs and the HTTP of an intercepting proxy, and after the 101 nothing
//! but tokio's `copy_bidirectional`. What it measures is what a relay that sees nothing takes.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server, upgrade};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::authority::Authority;

/// The arguments of a tunnel's process.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where everything goes
    #[arg(long)]
    upstream: SocketAddr,
    /// Where the run's certificates are
    #[arg(long)]
    certificates: PathBuf,
    /// Bytes of each of its two buffers
    #[arg(long)]
    buffer: usize,
}

/// What every connection needs.
struct Tunnel {
    upstream: SocketAddr,
    buffer: usize,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

/// Serves until it is killed.
pub fn run(arguments: &Arguments) -> Result<()> {
    let authority = Authority::open(&arguments.certificates);
    let tunnel = Arc::new(Tunnel {
        upstream: arguments.upstream,
        buffer: arguments.buffer,
        acceptor: TlsAcceptor::from(authority.server()?),
        connector: TlsConnector::from(authority.client()?),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{{\"kind\":\"ready\",\"proxy\":\"{}\"}}", listener.local_addr()?);
        loop {
            let (tcp, _) = listener.accept().await?;
            tokio::spawn(connection(tcp, Arc::clone(&tunnel)));
        }
    })
}

async fn connection(tcp: TcpStream, tunnel: Arc<Tunnel>) -> Result<()> {
    tcp.set_nodelay(true)?;
    let connect = service_fn(|request: Request<Incoming>| {
        let tunnel = Arc::clone(&tunnel);
        async move { Ok::<_, Infallible>(connect(request, tunnel)) }
    });
    let served = server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), connect);
    Ok(served.with_upgrades().await?)
}

fn connect(request: Request<Incoming>, tunnel: Arc<Tunnel>) -> Response<Empty<Bytes>> {
    let mut answer = Response::new(Empty::new());
    if request.method() == Method::CONNECT {
        tokio::spawn(terminate(request, tunnel));
    } else {
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    }
    answer
}

async fn terminate(request: Request<Incoming>, tunnel: Arc<Tunnel>) -> Result<()> {
    let client = TokioIo::new(upgrade::on(request).await?);
    let tls = tunnel.acceptor.accept(client).await?;
    let forward = service_fn(|request| forward(request, Arc::clone(&tunnel)));
    let served = server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), forward);
    Ok(served.with_upgrades().await?)
}

async fn forward(
    mut request: Request<Incoming>,
    tunnel: Arc<Tunnel>,
) -> Result<Response<Empty<Bytes>>> {
    let host = request.headers().get(HOST).context("no Host")?.to_str()?.to_owned();
    let tcp = TcpStream::connect(tunnel.upstream).await?;
    tcp.set_nodelay(true)?;
    let tls = tunnel.connector.connect(host.try_into()?, tcp).await?;
    let (mut sender, upstream) = client::conn::http1::handshake(TokioIo::new(tls)).await?;
    tokio::spawn(upstream.with_upgrades());
    let client = upgrade::on(&mut request);
    let mut answer = sender.send_request(request).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upstream = upgrade::on(&mut answer);
        tokio::spawn(copy(client, upstream, tunnel.buffer));
    }
    Ok(answer.map(|_| Empty::new()))
}

async fn copy(client: upgrade::OnUpgrade, upstream: upgrade::OnUpgrade, size: usize) -> Result<()> {
    let (mut client, mut upstream) = (TokioIo::new(client.await?), TokioIo::new(upstream.await?));
    copy_bidirectional_with_sizes(&mut client, &mut upstream, size, size).await?;
    Ok(())
}
