//! Dumps the frames of a captured file: `cargo run --example dump -- client|server FILE [deflate]`.
//!
//! The file holds what one end sent, with or without the HTTP head in front. One line for each
//! frame, one for each message, and the first violation with its offset in the file; `deflate` if
//! the handshake agreed on permessage-deflate. Refuses to print payloads.

use std::{
    env, fs,
    io::{self, Write},
    ops::Range,
    process::ExitCode,
};

use capsem_ws_codec::{
    Compression, Data, Decoder, Deflate, Event, Item, Limits, Message, Reader, Role,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (sender, file, deflate) = match words[..] {
        ["client", file] => (Role::Client, file, None),
        ["server", file] => (Role::Server, file, None),
        ["client", file, "deflate"] => (Role::Client, file, Some(Deflate::default())),
        ["server", file, "deflate"] => (Role::Server, file, Some(Deflate::default())),
        _ => {
            eprintln!("usage: dump client|server FILE [deflate]");
            return ExitCode::from(2);
        }
    };
    let dumped = fs::read(file).and_then(|wire| dump(&wire, sender, deflate, &mut io::stdout()));
    match dumped {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the lines to `out`. Fails if that does, and with the first violation in `wire`.
///
/// The decoder finds the frames; the reader gets the same bytes behind it and finds the messages.
/// It knows every rule the decoder knows, so the violations are the reader's to tell.
pub(crate) fn dump(
    wire: &[u8],
    sender: Role,
    deflate: Option<Deflate>,
    out: &mut impl Write,
) -> io::Result<()> {
    let compression = deflate.map_or(Compression::Off, |_| Compression::PerMessage);
    let mut decoder = Decoder::new(sender, compression, Limits::default());
    let mut reader = Reader::new(sender, deflate, Limits::default());
    let mut rest = wire.get(http_head(wire)..).unwrap_or_default();
    loop {
        let begin = wire.len() - rest.len();
        let found = decoder.decode(&mut rest);
        if let Ok(Some(event)) = &found {
            let (head, cut) = describe(event, sender);
            writeln!(out, "{begin:>8}  {head}{cut}")?;
        }
        let end = wire.len() - rest.len();
        // The byte a violation is about is not consumed; the reader must see it as well.
        let end = if found.is_err() { wire.len().min(end + 1) } else { end };
        messages(&mut reader, wire, begin..end, out)?;
        match found {
            Ok(Some(_)) => {}
            Ok(None) => return last(&reader, wire.len() - end, out),
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// A frame's head in words, and whether the file ends inside the frame.
fn describe(event: &Event<&[u8]>, sender: Role) -> (String, &'static str) {
    let flag = |set: bool, name: &'static str| if set { name } else { "" };
    let masked = flag(sender == Role::Client, " masked");
    match event {
        Event::Data(Data { head, ends, .. }) => {
            let (fin, rsv1) = (flag(head.fin, " fin"), flag(head.rsv1, " rsv1"));
            let words = format!("{:?}{fin}{rsv1}{masked} len={}", head.opcode, head.len);
            (words, flag(!ends, ", cut"))
        }
        Event::Control(control) => {
            let len = control.payload().len();
            (format!("{:?} fin{masked} len={len}", control.opcode()), "")
        }
    }
}

/// A line for each message and Close that ends in `wire[range]`.
fn messages(
    reader: &mut Reader,
    wire: &[u8],
    range: Range<usize>,
    out: &mut impl Write,
) -> io::Result<()> {
    let end = range.end;
    let mut rest = wire.get(range).unwrap_or_default();
    loop {
        match reader.read(&mut rest) {
            Ok(None) => return Ok(()),
            Ok(Some(Item::Message(message))) => {
                let Message { opcode, len, wire_len, fragments, .. } = message;
                let frames = if fragments == 1 { "frame" } else { "frames" };
                writeln!(
                    out,
                    "          = {opcode:?} message, {len} bytes; {wire_len} in {fragments} {frames}"
                )?;
            }
            Ok(Some(Item::Close(close))) => {
                let code = close.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
                writeln!(out, "          = Close code {code}")?;
            }
            Ok(Some(Item::Ping(_) | Item::Pong(_))) => {}
            Err(error) => {
                let (at, code) = (end - rest.len(), error.close_code());
                return Err(io::Error::other(format!("byte {at}: {error} (Close code {code})")));
            }
        }
    }
}

/// How the file ends, where that is not between messages.
fn last(reader: &Reader, unread: usize, out: &mut impl Write) -> io::Result<()> {
    let cut = reader.frame_consumed();
    if reader.closed() && unread > 0 {
        writeln!(out, "          = {unread} bytes after the Close")
    } else if cut > 0 {
        writeln!(out, "          = ends {cut} bytes into a frame")
    } else if reader.in_message() && !reader.closed() {
        writeln!(out, "          = ends inside a message")
    } else {
        Ok(())
    }
}

/// The length of an HTTP head at the start, which a capture of one direction begins with.
fn http_head(wire: &[u8]) -> usize {
    let is_http = wire.starts_with(b"GET ") || wire.starts_with(b"HTTP/1.1 ");
    let end = wire.windows(4).position(|four| four == b"\r\n\r\n");
    end.filter(|_| is_http).map_or(0, |end| end + 4)
}
