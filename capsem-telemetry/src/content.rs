//! Content codings of a body (RFC 9110, section 8.4.1) undone piece by piece: encoded bytes in,
//! plain bytes out as soon as they can be known.
//!
//! Refuses to know what the body says. Traffic does not wait for this: it reads a copy.

use std::fmt;
use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter as BrotliDecoder;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::EvidenceReason;

mod zstd;

/// Encoded bytes decoded at a time.
const PIECE: usize = 1024;

/// Plain bytes that may come of one piece. Deflate grows data at most 1032 times; brotli knows no
/// bound, and what grows more than this is a bomb.
const MAX_GROWN: usize = 4 * 1024 * 1024;

/// Plain bytes of one body after which reading stops: as many as the longest message the proxy
/// inflates, far above any real body, and the end of the work a compressed bomb can cause.
const MAX_PLAIN: u64 = 256 * 1024 * 1024;

/// Undoes the content coding of one body. Once it has failed it stays failed, with the reason.
pub(crate) struct Decoder {
    stage: Stage,
    plain: u64,
    max_plain: u64,
    /// A byte has come. A body of none, as of an answer to HEAD, is at its end in any coding.
    begun: bool,
}

enum Stage {
    Identity,
    Gzip(Box<MultiGzDecoder<Plain>>),
    /// `deflate`, before its first two bytes told which of the two formats it is.
    Undetermined(Vec<u8>),
    Zlib(Box<ZlibDecoder<Plain>>),
    Raw(Box<DeflateDecoder<Plain>>),
    Brotli(Box<BrotliDecoder<Plain>>),
    Zstd(zstd::Frames),
    Failed(EvidenceReason),
}

/// Where decoders leave their plain bytes.
#[derive(Default)]
struct Plain {
    bytes: Vec<u8>,
    /// More came than may.
    overflowed: bool,
}

impl Decoder {
    /// A decoder for the value of a `Content-Encoding` header. A coding nobody here can undo gives a
    /// decoder that has already failed.
    pub(crate) fn new(content_encoding: Option<&str>) -> Self {
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
        Self { stage, plain: 0, max_plain: MAX_PLAIN, begun: false }
    }

    /// Decodes the next bytes of the body into calls of `out`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut out: impl FnMut(&[u8])) {
        self.begun |= !bytes.is_empty();
        if let Stage::Identity = self.stage {
            self.count(bytes.len());
            return out(bytes);
        }
        for piece in bytes.chunks(PIECE) {
            if let Stage::Zstd(_) = self.stage {
                self.push_zstd(piece, &mut out);
                continue;
            }
            let decoded = self.stage.write(piece);
            self.drain(&decoded, &mut out);
        }
    }

    /// Ends the body: a coding that is not at its end has failed, in words.
    pub(crate) fn finish(&mut self, mut out: impl FnMut(&[u8])) {
        if let Stage::Zstd(frames) = &self.stage {
            if let Err(reason) = frames.finish() {
                self.stage = Stage::Failed(reason);
            }
        } else if self.begun {
            let ended = self.stage.finish();
            self.drain(&ended, &mut out);
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

    /// Hands out block by block what comes of a piece of zstd.
    fn push_zstd(&mut self, piece: &[u8], out: &mut impl FnMut(&[u8])) {
        let Self { stage, plain, max_plain, .. } = self;
        let Stage::Zstd(frames) = stage else { return };
        let decoded = frames.push(piece, |bytes| {
            out(bytes);
            *plain = plain.saturating_add(bytes.len() as u64);
            if *plain > *max_plain { Err(EvidenceReason::CaptureLimit) } else { Ok(()) }
        });
        if let Err(reason) = decoded {
            *stage = Stage::Failed(reason);
        }
    }

    /// Hands out what was decoded, also what came before an error.
    fn drain(&mut self, result: &io::Result<()>, out: &mut impl FnMut(&[u8])) {
        let mut overflowed = false;
        if let Some(buffer) = self.stage.buffer() {
            overflowed = buffer.overflowed;
            let mut plain = std::mem::take(&mut buffer.bytes);
            if !plain.is_empty() {
                out(&plain);
                self.count(plain.len());
                plain.clear();
            }
            // The buffer goes back for its memory, unless the body has just failed.
            if let Some(buffer) = self.stage.buffer() {
                buffer.bytes = plain;
            }
        }
        if overflowed {
            self.stage = Stage::Failed(EvidenceReason::CaptureLimit);
        } else if result.is_err() {
            self.stage = Stage::Failed(EvidenceReason::InflateFailed);
        }
    }

    fn count(&mut self, bytes: usize) {
        self.plain = self.plain.saturating_add(bytes as u64);
        if self.plain > self.max_plain && !matches!(self.stage, Stage::Identity) {
            self.stage = Stage::Failed(EvidenceReason::CaptureLimit);
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
            "gzip" | "x-gzip" => Self::Gzip(Box::new(MultiGzDecoder::new(Plain::default()))),
            "deflate" => Self::Undetermined(Vec::new()),
            "br" => Self::Brotli(Box::new(BrotliDecoder::new(Plain::default(), PIECE))),
            "zstd" => Self::Zstd(zstd::Frames::default()),
            _ => Self::Failed(EvidenceReason::UnsupportedExtension),
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Zlib(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Raw(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Brotli(decoder) => decoder.write_all(piece),
            Self::Undetermined(start) => {
                start.extend_from_slice(piece);
                let &[cmf, flg, ..] = start.as_slice() else { return Ok(()) };
                let start = std::mem::take(start);
                *self = Self::deflate(cmf, flg);
                self.write(&start)
            }
            Self::Identity | Self::Zstd(_) | Self::Failed(_) => Ok(()),
        }
    }

    /// `deflate` means the zlib format, yet some servers send the bare one; the zlib header has a
    /// check (RFC 1950, section 2.2) that tells them apart.
    fn deflate(cmf: u8, flg: u8) -> Self {
        if cmf & 0x0f == 8 && u16::from_be_bytes([cmf, flg]).is_multiple_of(31) {
            Self::Zlib(Box::new(ZlibDecoder::new(Plain::default())))
        } else {
            Self::Raw(Box::new(DeflateDecoder::new(Plain::default())))
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Raw(decoder) => decoder.try_finish(),
            Self::Brotli(decoder) => decoder.close(),
            Self::Undetermined(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Identity | Self::Zstd(_) | Self::Failed(_) => Ok(()),
        }
    }

    fn buffer(&mut self) -> Option<&mut Plain> {
        match self {
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Raw(decoder) => Some(decoder.get_mut()),
            Self::Brotli(decoder) => Some(decoder.get_mut()),
            Self::Identity | Self::Undetermined(_) | Self::Zstd(_) | Self::Failed(_) => None,
        }
    }
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_GROWN {
            self.overflowed = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
