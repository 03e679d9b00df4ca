//! Transcripts as frames: every message fragmented, masked and compressed, read back by the codec
//! from pieces of any size, and then fed to the interpreter.

use capsem_ws_codec::{Deflate, FrameHead, Item, Limits, Opcode, Reader, Role, encode_frame};
use flate2::{Compress, Compression, FlushCompress};

use super::replay::{Outcome, all, play, play_framed};
use super::transcripts::nameless;
use crate::evidence::Seen;

/// How the messages of a socket are framed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    /// Payload bytes of a frame.
    fragment: usize,
    compressed: bool,
    /// Bytes that arrive at a time.
    piece: usize,
}

/// Both directions of a socket.
pub(super) struct Wire {
    framing: Framing,
    client: Direction,
    server: Direction,
}

struct Direction {
    role: Role,
    reader: Reader,
    deflater: Compress,
}

impl Wire {
    pub(super) fn new(framing: Framing) -> Self {
        let direction = |role| Direction {
            role,
            reader: Reader::new(role, framing.compressed.then(Deflate::default), Limits::default()),
            deflater: Compress::new(Compression::default(), false),
        };
        Self { framing, client: direction(Role::Client), server: direction(Role::Server) }
    }

    /// Sends a message and hands on what arrives.
    pub(super) fn carry(&mut self, from: Role, message: Seen<'_>, mut each: impl FnMut(Seen<'_>)) {
        if message.truncated {
            return each(message); // what is missing of it cannot be sent
        }
        let direction = match from {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        let wire = direction.frames(self.framing, message);
        let mut arrived = 0;
        for mut piece in wire.chunks(self.framing.piece) {
            while let Some(item) = direction.reader.read(&mut piece).unwrap() {
                let Item::Message(read) = item else { panic!("{item:?}") };
                arrived += 1;
                each(Seen {
                    payload: read.payload,
                    binary: read.opcode == Opcode::Binary,
                    truncated: read.truncated,
                    len: read.len,
                });
            }
        }
        assert_eq!(arrived, 1);
    }
}

impl Direction {
    fn frames(&mut self, framing: Framing, message: Seen<'_>) -> Vec<u8> {
        let mut payload = message.payload.to_vec();
        if framing.compressed {
            let mut squeezed = Vec::with_capacity(payload.len() + 64);
            self.deflater.compress_vec(&payload, &mut squeezed, FlushCompress::Sync).unwrap();
            squeezed.truncate(squeezed.len() - 4);
            payload = squeezed;
        }
        let mask = (self.role == Role::Client).then_some([7, 99, 0, 200]);
        let mut wire = Vec::new();
        let count = payload.len().div_ceil(framing.fragment).max(1);
        for at in 0..count {
            let from = at * framing.fragment;
            let part = &payload[from..payload.len().min(from + framing.fragment)];
            let first = if message.binary { Opcode::Binary } else { Opcode::Text };
            let opcode = if at == 0 { first } else { Opcode::Continuation };
            let (fin, rsv1) = (at + 1 == count, framing.compressed && at == 0);
            encode_frame(FrameHead { fin, rsv1, opcode, mask, len: 0 }, part, &mut wire);
        }
        wire
    }
}

#[test]
fn however_it_is_framed_a_transcript_gives_the_same() {
    let framings = [
        Framing { fragment: 16, compressed: false, piece: usize::MAX },
        Framing { fragment: 1 << 20, compressed: true, piece: 1000 },
        Framing { fragment: 5, compressed: true, piece: 3 },
    ];
    let mut sockets = 0;
    for (path, lines) in all() {
        if !lines[0].starts_with("{\"socket\"") {
            continue;
        }
        sockets += 1;
        let whole = play(&lines, lines.len());
        for framing in framings {
            let framed = play_framed(&lines, Wire::new(framing));
            let calls = |outcome: &Outcome| outcome.calls.iter().map(nameless).collect::<Vec<_>>();
            let name = path.display();
            assert_eq!(calls(&framed), calls(&whole), "{name} as {framing:?}");
            assert_eq!(framed.evidence, whole.evidence, "{name} as {framing:?}");
            assert_eq!(framed.tool_uses.len(), whole.tool_uses.len(), "{name} as {framing:?}");
        }
    }
    assert!(sockets >= 100, "{sockets} sockets found");
}
