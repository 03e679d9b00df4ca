//! An echo server: `cargo run --example echo [ADDRESS]`, then `ws://ADDRESS` with any client.
//!
//! Everything between a TCP socket and messages by hand: the request head, the 101, Pings, Closes,
//! violations. Reads permessage-deflate and answers uncompressed, which an end is free to do.
//! Refuses to know TLS, deadlines and who may connect.

use std::{error::Error, io, time::Duration};

use capsem_ws_codec::{
    Item, Limits, Reader, Role, encode_close, encode_data, encode_pong,
    handshake::{Accepted, read_request, response},
};
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpListener,
    time::timeout,
};

/// The longest request head that is read, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// The longest message that is echoed, in bytes. It is kept whole, so both limits are one.
const MAX_MESSAGE: usize = 16 << 20;
/// How long a client may take to end the connection after a Close.
const LINGER: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// One connection, from its first byte to its last.
pub(crate) async fn serve<S>(mut stream: S) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Holds what was read and not used yet: frames may come right behind the head.
    let mut input = Vec::new();
    let Some(parts) = read_head(&mut stream, &mut input).await? else { return Ok(()) };
    let (answer, accepted) = answer(&parts);
    stream.write_all(&head_bytes(&answer)).await?;
    if let Some(accepted) = accepted {
        echo(&mut stream, input, &accepted).await?;
    }
    stream.shutdown().await?;
    // A socket that is dropped with bytes unread may take back what was just sent.
    let _ = timeout(LINGER, copy(&mut stream, &mut sink())).await;
    Ok(())
}

/// The response to a request, and what was agreed on if it is a 101.
fn answer(parts: &Parts) -> (Response<()>, Option<Accepted>) {
    let refused = match read_request(parts) {
        Ok(Some(offer)) => {
            let accepted = offer.accept();
            return (response(&offer, &accepted), Some(accepted));
        }
        Ok(None) => StatusCode::UPGRADE_REQUIRED,
        Err(error) => error.status(),
    };
    let mut response = Response::new(());
    *response.status_mut() = refused;
    let mut put = |name, value| {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    };
    if refused == StatusCode::UPGRADE_REQUIRED {
        put(header::UPGRADE, "websocket");
        put(header::SEC_WEBSOCKET_VERSION, "13");
    }
    put(header::CONTENT_LENGTH, "0");
    put(header::CONNECTION, "close");
    (response, None)
}

/// Sends every message back, until a Close, a violation or the end.
async fn echo<S>(stream: &mut S, mut input: Vec<u8>, accepted: &Accepted) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let max = MAX_MESSAGE as u64;
    let limits = Limits { message: max, capture: MAX_MESSAGE, ..Limits::default() };
    let mut reader = Reader::new(Role::Client, accepted.deflate, limits);
    let mut output = Vec::new();
    loop {
        let over = reply(&mut reader, &input, &mut output);
        input.clear(); // the reader keeps what is unfinished
        stream.write_all(&output).await?;
        output.clear();
        if over || stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// Appends the answers to all that is in `input`. True after a Close of ours.
fn reply(reader: &mut Reader, mut input: &[u8], output: &mut Vec<u8>) -> bool {
    loop {
        match reader.read(&mut input) {
            Ok(None) => return false,
            Ok(Some(Item::Message(message))) => {
                encode_data(Role::Server, message.opcode, message.payload, None, output);
            }
            Ok(Some(Item::Ping(payload))) => {
                // A Ping that was read is not too long for a Pong.
                let _ = encode_pong(Role::Server, payload, None, output);
            }
            Ok(Some(Item::Pong(_))) => {}
            Ok(Some(Item::Close(close))) => {
                encode_close(Role::Server, close.code, "", None, output);
                return true;
            }
            Err(error) => {
                let reason = error.to_string();
                encode_close(Role::Server, error.close_code(), &reason, None, output);
                return true;
            }
        }
    }
}

/// Reads a request head off the stream; `None` if it ends before one. What follows the head stays
/// in `input`.
async fn read_head<S>(
    stream: &mut S,
    input: &mut Vec<u8>,
) -> Result<Option<Parts>, Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + Unpin,
{
    loop {
        if let Some((parts, used)) = parse_head(input)? {
            input.drain(..used);
            return Ok(Some(parts));
        }
        if input.len() >= MAX_HEAD {
            return Err("the request head is too long".into());
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

/// The head at the start of `input` and its length; `None` if there is more to come.
fn parse_head(input: &[u8]) -> Result<Option<(Parts, usize)>, Box<dyn Error + Send + Sync>> {
    let mut lines = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut lines);
    let httparse::Status::Complete(used) = parsed.parse(input)? else { return Ok(None) };
    let mut request = Request::builder()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(match parsed.version {
            Some(1) => http::Version::HTTP_11,
            _ => http::Version::HTTP_10,
        });
    for line in parsed.headers.iter() {
        request = request.header(line.name, line.value);
    }
    let (parts, ()) = request.body(())?.into_parts();
    Ok(Some((parts, used)))
}

/// A response head on the wire.
fn head_bytes(response: &Response<()>) -> Vec<u8> {
    let mut wire = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        wire.extend_from_slice(name.as_ref());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"\r\n");
    wire
}
