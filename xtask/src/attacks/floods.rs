//! Attacks by number: connections, names, and what is begun and left.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::site::{HOST, Site, wait_for_the_end};

pub(super) async fn silent(site: &Site) -> Result<u64> {
    wait_for_the_end(TcpStream::connect(site.transparent).await?).await?;
    Ok(0)
}

pub(super) async fn half_hello(site: &Site, lane: u32) -> Result<u64> {
    let hello = hello(site, &name(lane, 0))?;
    let half = &hello[..hello.len() / 2];
    let mut stream = TcpStream::connect(site.transparent).await?;
    stream.write_all(half).await?;
    wait_for_the_end(stream).await?;
    Ok(half.len() as u64)
}

/// Each name asks for a leaf; the attacker computes one hello and changes the name in it.
pub(super) async fn names(site: &Site, lane: u32, count: u32) -> Result<u64> {
    let pattern = name(lane, 0);
    let mut hello = hello(site, &pattern)?;
    let at = hello.windows(pattern.len()).position(|window| window == pattern.as_bytes());
    let at = at.context("no name in the hello")?;
    for number in 0..count {
        hello[at..at + pattern.len()].copy_from_slice(name(lane, number).as_bytes());
        let mut stream = TcpStream::connect(site.transparent).await?;
        stream.write_all(&hello).await?;
        let kind = stream.read_u8().await?;
        ensure!(kind == 0x16, "answered with a record of type {kind}");
    }
    Ok(hello.len() as u64 * u64::from(count))
}

pub(super) async fn connects(site: &Site) -> Result<u64> {
    let mut stream = TcpStream::connect(site.explicit).await?;
    let head = format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    wait_for_the_end(stream).await?;
    Ok(head.len() as u64)
}

/// All of one length.
fn name(lane: u32, number: u32) -> String {
    format!("n{lane:04}x{number:06}.{HOST}")
}

fn hello(site: &Site, name: &str) -> Result<Vec<u8>> {
    let name = ServerName::try_from(name.to_owned())?;
    let mut hello = Vec::new();
    ClientConnection::new(Arc::clone(&site.trust), name)?.write_tls(&mut hello)?;
    Ok(hello)
}
