//! Target `inflate`: what zlib deflates reads back, in any pieces and within its limit; what is not
//! deflate at all reads the same in any pieces.

use crate::{
    Error,
    deflate::{Inflater, Output},
    extension::Context,
};
use flate2::{Compress, Compression, FlushCompress};

/// More than this is never made of the small inputs here, but by a bomb.
const LIMIT: usize = 1 << 18;

/// # Panics
///
/// If a promise of the inflater does not hold.
pub fn inflate(data: &[u8]) {
    let Some((&[setup, cut], rest)) = data.split_first_chunk() else { return };
    let context = if setup & 1 == 0 { Context::Takeover } else { Context::Fresh };
    let messages: Vec<&[u8]> = rest.split(|&byte| byte == 0xFE).collect();
    if setup & 2 == 0 {
        raw(context, &messages, cut);
    } else {
        round_trip(context, &messages, setup, cut);
    }
}

/// The bytes as they are, whole and in pieces.
fn raw(context: Context, messages: &[&[u8]], cut: u8) {
    let size = usize::from(cut % 7) + 1;
    let whole = read(context, messages, usize::MAX);
    assert_eq!(whole, read(context, messages, size));
    assert_eq!(whole, read(context, messages, 1));
}

/// The bytes as plain text, deflated message by message.
fn round_trip(context: Context, messages: &[&[u8]], setup: u8, cut: u8) {
    let bits = 9 + setup % 7;
    let mut deflater = Compress::new_with_window_bits(Compression::new(6), false, bits);
    let mut wires = Vec::new();
    for message in messages {
        // A final block ends the deflater's stream: what follows cannot refer to it.
        let last = setup & 4 != 0 && message.len() % 3 == 0;
        wires.push(deflate(&mut deflater, message, last));
        if last || context == Context::Fresh {
            deflater.reset();
        }
    }
    let wires: Vec<&[u8]> = wires.iter().map(Vec::as_slice).collect();
    let (plain, error) = read(context, &wires, usize::from(cut) + 1);
    assert_eq!(error, None);
    assert_eq!(plain, messages);
}

fn deflate(deflater: &mut Compress, plain: &[u8], last: bool) -> Vec<u8> {
    let mut wire = Vec::with_capacity(plain.len() * 2 + 64);
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    deflater.compress_vec(plain, &mut wire, flush).expect("a deflater takes any bytes");
    if last {
        // An empty block follows, of which the tail is taken off (RFC 7692 section 7.2.3.4).
        wire.push(0x00);
    } else if wire.is_empty() {
        // Nothing to flush: the empty message (RFC 7692 section 7.2.3.6).
        wire.push(0x00);
    } else {
        assert!(wire.ends_with(&[0x00, 0x00, 0xFF, 0xFF]), "a sync flush ends so");
        wire.truncate(wire.len() - 4);
    }
    wire
}

/// The plain messages, up to an error; the last is as far as it went.
fn read(context: Context, messages: &[&[u8]], size: usize) -> (Vec<Vec<u8>>, Option<Error>) {
    let Some(mut inflater) = Inflater::new(context) else { return (Vec::new(), None) };
    let mut read = Vec::new();
    for message in messages {
        let mut plain = Plain(Vec::new());
        let pushed = message.chunks(size).try_for_each(|piece| inflater.push(piece, &mut plain));
        let ended = pushed.and_then(|()| inflater.end());
        read.push(plain.0);
        if let Err(error) = ended {
            return (read, Some(error));
        }
    }
    (read, None)
}

/// A message up to its limit.
struct Plain(Vec<u8>);

impl Output for Plain {
    fn room(&mut self, wanted: usize) -> (&mut Vec<u8>, usize) {
        let most = LIMIT - self.0.len() + 1;
        self.0.reserve(wanted.min(most));
        (&mut self.0, most)
    }

    fn made(&mut self, _: usize) -> Result<(), Error> {
        if self.0.len() <= LIMIT {
            return Ok(());
        }
        self.0.truncate(LIMIT);
        Err(Error::InflateLimit { limit: LIMIT as u64 })
    }
}
