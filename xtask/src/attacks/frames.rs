//! Attacks on an open socket.

use std::io::Write;

use anyhow::Result;
use capsem_ws_codec::Opcode;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use tokio::io::AsyncWriteExt;

use super::site::{Ear, HOST, MODEL_HOST, Site, close, frame, pour, wait_for_the_end};

const PLAIN: &str = "x-none";
const MIB: usize = 1 << 20;

/// More than `limits.inflate` out of a thousandth of it.
pub(super) async fn bomb(site: &Site) -> Result<u64> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; MIB])?;
    encoder.flush()?;
    // Up to a byte border, and so can be said again and again.
    let payload = encoder.get_ref().repeat(300);
    let wire = frame(true, true, Opcode::Text, &payload);
    let stream = site.socket(HOST, "permessage-deflate").await?;
    pour(stream, &wire, 1, &[], Ear::Open).await
}

pub(super) async fn fragments(site: &Site) -> Result<u64> {
    let stream = site.socket(HOST, PLAIN).await?;
    let mut wire = frame(false, false, Opcode::Binary, b"x");
    wire.extend(frame(false, false, Opcode::Continuation, b"x").repeat(1_000));
    let more = frame(false, false, Opcode::Continuation, b"x").repeat(100_000);
    wire.extend(more);
    pour(stream, &wire, 1, &[], Ear::Open).await
}

/// The protocol allows it, so all of them come back.
pub(super) async fn empty(site: &Site) -> Result<u64> {
    let block = frame(true, false, Opcode::Binary, b"").repeat(1_000);
    pour(site.socket(HOST, PLAIN).await?, &block, 100, &close(), Ear::Open).await
}

pub(super) async fn pings(site: &Site) -> Result<u64> {
    let block = frame(true, false, Opcode::Ping, &[b'x'; 125]).repeat(1_000);
    pour(site.socket(HOST, PLAIN).await?, &block, 10_000, &[], Ear::Shut).await
}

pub(super) async fn deaf(site: &Site) -> Result<u64> {
    let block = frame(true, false, Opcode::Binary, &vec![b'x'; 256 * 1024]);
    pour(site.socket(HOST, PLAIN).await?, &block, 4_000, &[], Ear::Shut).await
}

pub(super) async fn announced(site: &Site) -> Result<u64> {
    let mut wire = vec![0x82, 0xff];
    wire.extend(1_u64.wrapping_shl(40).to_be_bytes());
    wire.extend([0; 4]);
    pour(site.socket(HOST, PLAIN).await?, &wire, 1, &[], Ear::Open).await
}

pub(super) async fn begun(site: &Site) -> Result<u64> {
    let mut stream = site.socket(HOST, PLAIN).await?;
    let mut wire = vec![0x82, 0xff];
    wire.extend((20 * MIB as u64).to_be_bytes());
    wire.extend([0; 5]);
    stream.write_all(&wire).await?;
    stream.flush().await?;
    wait_for_the_end(stream).await?;
    Ok(wire.len() as u64)
}

/// Each is read as a call to a model would be.
pub(super) async fn brackets(site: &Site) -> Result<u64> {
    let mut text = b"{\"type\":\"response.create\",\"input\":".to_vec();
    text.extend(b"[".repeat(500_000));
    let wire = frame(true, false, Opcode::Text, &text);
    pour(site.socket(MODEL_HOST, PLAIN).await?, &wire, 8, &close(), Ear::Open).await
}
