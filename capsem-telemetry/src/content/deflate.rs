//! The codings made of deflate: `gzip`, and `deflate` in both of its formats. Knows no bodies.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::Out;
use crate::EvidenceReason;

/// A body on its way. Its window is 32 KiB; that and the 32 KiB that come out of it at a time are
/// all it holds.
pub(super) enum Stream {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    /// `deflate`, before its first two bytes told which of the two formats it is.
    Undetermined(Vec<u8>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Raw(Box<DeflateDecoder<Vec<u8>>>),
}

impl Stream {
    pub(super) fn gzip() -> Self {
        Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
    }

    pub(super) fn deflate() -> Self {
        Self::Undetermined(Vec::new())
    }

    /// Decodes a piece; what came before an error has come out.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        if let Self::Undetermined(start) = self {
            start.extend_from_slice(piece);
            let &[cmf, flg, ..] = start.as_slice() else { return Ok(()) };
            let start = std::mem::take(start);
            *self = Self::told(cmf, flg);
            return self.push(&start, out);
        }
        let mut piece = piece;
        while !piece.is_empty() {
            // One call takes no more than it has room to decode.
            let taken = self.write(piece);
            self.give(out)?;
            let taken = taken.map_err(|_| EvidenceReason::InflateFailed)?;
            if taken == 0 {
                return Err(EvidenceReason::InflateFailed); // there is more after the end
            }
            piece = piece.get(taken..).unwrap_or_default();
        }
        let flushed = self.flush();
        self.give(out)?;
        flushed.map_err(|_| EvidenceReason::InflateFailed)
    }

    /// Ends the body: whether it was at its end.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        let finished = match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Raw(decoder) => decoder.try_finish(),
            Self::Undetermined(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        self.give(out)?;
        finished.map_err(|_| EvidenceReason::InflateFailed)
    }

    /// `deflate` means the zlib format, yet some servers send the bare one; the zlib header has a
    /// check (RFC 1950, section 2.2) that tells them apart.
    fn told(cmf: u8, flg: u8) -> Self {
        if cmf & 0x0f == 8 && u16::from_be_bytes([cmf, flg]).is_multiple_of(31) {
            Self::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
        } else {
            Self::Raw(Box::new(DeflateDecoder::new(Vec::new())))
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.write(piece),
            Self::Zlib(decoder) => decoder.write(piece),
            Self::Raw(decoder) => decoder.write(piece),
            Self::Undetermined(_) => Ok(0),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.flush(),
            Self::Zlib(decoder) => decoder.flush(),
            Self::Raw(decoder) => decoder.flush(),
            Self::Undetermined(_) => Ok(()),
        }
    }

    /// Hands out what was decoded.
    fn give(&mut self, out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        let plain = match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::Raw(decoder) => decoder.get_mut(),
            Self::Undetermined(_) => return Ok(()),
        };
        let given = out.give(plain, 0);
        plain.clear();
        given
    }
}
