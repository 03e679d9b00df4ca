//! Content codings of a body (RFC 9110, section 8.4.1) undone piece by piece: encoded bytes in,
//! plain bytes out as soon as they can be known. What a coding holds to be undone, its window, and
//! what is kept of the plain bytes share one limit.
//!
//! Refuses to know what the body says. Traffic does not wait for this: it reads a copy.

use std::fmt;

use crate::EvidenceReason;
use crate::buffer::SMALL;

mod brotli;
mod deflate;
mod zstd;

/// Encoded bytes decoded at a time.
const PIECE: usize = 1024;

/// Plain bytes that may come of one piece. Deflate grows data at most 1032 times; the others know no
/// such bound, and what grows more than this is a bomb.
const MAX_GROWN: u64 = 4 * 1024 * 1024;

/// Plain bytes of one body after which reading stops: as many as the longest message the proxy
/// inflates, far above any real body, and the end of the work a compressed bomb can cause.
const MAX_PLAIN: u64 = 256 * 1024 * 1024;

/// Undoes the content coding of one body. Once it has failed it stays failed, with the reason.
pub(crate) struct Decoder {
    stage: Stage,
    /// Bytes that may be held of the body, in and beside this.
    capture: usize,
    /// Bytes its reader keeps.
    kept: usize,
    plain: u64,
    max_plain: u64,
    /// A byte has come. A body of none, as of an answer to HEAD, is at its end in any coding.
    begun: bool,
}

/// Takes plain bytes, and how many of the body it may keep in all; says how many it does.
pub(crate) type Reader<'a> = dyn FnMut(&[u8], usize) -> usize + 'a;

enum Stage {
    Identity,
    Deflate(deflate::Stream),
    Brotli(Box<brotli::Stream>),
    Zstd(zstd::Frames),
    Failed(EvidenceReason),
}

impl Decoder {
    /// A decoder for the value of a `Content-Encoding` header. A coding nobody here can undo gives a
    /// decoder that has already failed.
    pub(crate) fn new(content_encoding: Option<&str>, capture: usize) -> Self {
        let mut codings = content_encoding
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
        let stage = match (codings.next(), codings.next()) {
            (None, _) => Stage::Identity,
            (Some(one), None) => Stage::new(one),
            (Some(_), Some(_)) => Stage::Failed(EvidenceReason::UnsupportedExtension),
        };
        Self { stage, capture, kept: 0, plain: 0, max_plain: MAX_PLAIN, begun: false }
    }

    /// Decodes the next bytes of the body for `reader`.
    pub(crate) fn push(&mut self, bytes: &[u8], reader: &mut Reader<'_>) {
        self.begun |= !bytes.is_empty();
        if let Stage::Identity = self.stage {
            self.plain = self.plain.saturating_add(bytes.len() as u64);
            self.kept = reader(bytes, self.capture);
            return;
        }
        for piece in bytes.chunks(PIECE) {
            self.decode(reader, |stage, out| match stage {
                Stage::Deflate(stream) => stream.push(piece, out),
                Stage::Brotli(stream) => stream.push(piece, out),
                Stage::Zstd(frames) => frames.push(piece, out),
                Stage::Identity | Stage::Failed(_) => Ok(()),
            });
        }
    }

    /// Ends the body: a coding that is not at its end has failed, in words.
    pub(crate) fn finish(&mut self, reader: &mut Reader<'_>) {
        if self.begun {
            self.decode(reader, |stage, out| match stage {
                Stage::Deflate(stream) => stream.finish(out),
                Stage::Brotli(stream) => stream.finish(),
                Stage::Zstd(frames) => frames.finish(),
                Stage::Identity | Stage::Failed(_) => Ok(()),
            });
        }
    }

    /// Plain bytes so far.
    pub(crate) fn plain_bytes(&self) -> u64 {
        self.plain
    }

    /// Why the body could not be read to its end, if so.
    pub(crate) fn failed(&self) -> Option<EvidenceReason> {
        match self.stage {
            Stage::Failed(reason) => Some(reason),
            _ => None,
        }
    }

    fn decode(
        &mut self,
        reader: &mut Reader<'_>,
        with: impl FnOnce(&mut Stage, &mut Out<'_>) -> Result<(), EvidenceReason>,
    ) {
        let Self { stage, capture, kept, plain, max_plain, .. } = self;
        let (capture, most) = (*capture, (*plain).saturating_add(MAX_GROWN).min(*max_plain));
        let decoded = with(stage, &mut Out { reader, capture, kept, plain, most });
        if let Err(reason) = decoded {
            *stage = Stage::Failed(reason);
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plain, .. } = self;
        f.debug_struct("Decoder")
            .field("plain", plain)
            .field("failed", &self.failed())
            .finish_non_exhaustive()
    }
}

impl Stage {
    fn new(coding: &str) -> Self {
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Self::Deflate(deflate::Stream::gzip()),
            "deflate" => Self::Deflate(deflate::Stream::deflate()),
            "br" => Self::Brotli(Box::new(brotli::Stream::new())),
            "zstd" => Self::Zstd(zstd::Frames::default()),
            _ => Self::Failed(EvidenceReason::UnsupportedExtension),
        }
    }
}

/// Where a coding leaves its plain bytes, and asks for memory.
struct Out<'a> {
    reader: &'a mut Reader<'a>,
    capture: usize,
    kept: &'a mut usize,
    plain: &'a mut u64,
    /// Plain bytes there may be by the end of this piece.
    most: u64,
}

impl Out<'_> {
    /// Hands out plain bytes. `needs` is the memory the coding may yet come to take.
    fn give(&mut self, plain: &[u8], needs: usize) -> Result<(), EvidenceReason> {
        if !plain.is_empty() {
            let most = self.capture.saturating_sub(needs).max(self.capture.min(SMALL));
            *self.kept = (self.reader)(plain, most);
            *self.plain = self.plain.saturating_add(plain.len() as u64);
        }
        if *self.plain > self.most { Err(EvidenceReason::CaptureLimit) } else { Ok(()) }
    }

    /// How much memory the coding may take.
    fn affords(&self) -> usize {
        self.capture.saturating_sub(*self.kept).max(2 * SMALL)
    }

    fn afford(&self, memory: usize) -> Result<(), EvidenceReason> {
        if memory > self.affords() { Err(EvidenceReason::CaptureLimit) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
