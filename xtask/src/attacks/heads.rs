//! Attacks with what HTTP says of itself.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::site::{Ear, HOST, Site, pour, wait_for_the_end};

/// Between two bytes of a slow head.
const PACE: Duration = Duration::from_millis(100);

pub(super) async fn giant(site: &Site) -> Result<u64> {
    let mut stream = TcpStream::connect(site.explicit).await?;
    let head = format!("GET http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nX: ");
    stream.write_all(head.as_bytes()).await?;
    let sent = pour(stream, &[b'y'; 4096], 5_000, &[], Ear::Open).await?;
    Ok(sent + head.len() as u64)
}

pub(super) async fn fields(site: &Site) -> Result<u64> {
    let mut head = format!("GET http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\n");
    for number in 0..10_000 {
        write!(head, "X{number}: y\r\n")?;
    }
    pour(TcpStream::connect(site.explicit).await?, head.as_bytes(), 1, b"\r\n", Ear::Open).await
}

/// Fast enough for a deadline on each byte, and without an end.
pub(super) async fn slow(site: &Site) -> Result<u64> {
    let (read, mut write) = TcpStream::connect(site.explicit).await?.into_split();
    let head = format!("GET http://{HOST}/ HTTP/1.1\r\nHost: {HOST}\r\nX: ");
    let mut sent = 0;
    let drip = async {
        for byte in head.bytes().chain(std::iter::repeat(b'y')) {
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
            sent += 1;
            tokio::time::sleep(PACE).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = wait_for_the_end(read) => ended?,
        () = drip => {}
    }
    Ok(sent)
}

/// In one piece; the answers are taken.
pub(super) async fn pipelined(site: &Site) -> Result<u64> {
    let block = format!("GET /p HTTP/1.1\r\nHost: {HOST}\r\n\r\n").repeat(1_999);
    let last = format!("GET /p HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    let stream = TcpStream::connect(site.transparent).await?;
    pour(stream, block.as_bytes(), 1, last.as_bytes(), Ear::Open).await
}

pub(super) async fn chunks(site: &Site) -> Result<u64> {
    let mut stream = TcpStream::connect(site.transparent).await?;
    let head = format!(
        "POST /c HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let block = b"1\r\nx\r\n".repeat(1_000);
    let sent = pour(stream, &block, 100, b"0\r\n\r\n", Ear::Open).await?;
    Ok(sent + head.len() as u64)
}
