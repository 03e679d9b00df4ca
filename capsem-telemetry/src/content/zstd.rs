//! The zstd coding (RFC 8878): collected as it comes, decoded when it is whole. Agents send request
//! bodies in it. Knows nothing of bodies.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::EvidenceReason;

/// Encoded bytes collected of one body: twice the longest message a model service takes.
const MAX_ENCODED: usize = 32 * 1024 * 1024;

/// Largest window of a frame. Content codings keep to 8 MiB (RFC 9659), but a frame of one segment
/// has its whole content for a window.
const MAX_WINDOW: u64 = 32 * 1024 * 1024;

/// Plain bytes decoded at a time.
const STEP: usize = 64 * 1024;

/// An encoded body on its way.
#[derive(Default)]
pub(super) struct Collected {
    encoded: Vec<u8>,
    overflowed: bool,
}

impl Collected {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.overflowed |= self.encoded.len() + piece.len() > MAX_ENCODED;
        if !self.overflowed {
            self.encoded.extend_from_slice(piece);
        }
    }

    /// Decodes all frames into calls of `out`, until one of them returns false.
    pub(super) fn decode(self, mut out: impl FnMut(&[u8]) -> bool) -> Result<(), EvidenceReason> {
        if self.overflowed {
            return Err(EvidenceReason::CaptureLimit);
        }
        let mut source = self.encoded.as_slice();
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        while !source.is_empty() {
            if let Err(error) = decoder.init(&mut source) {
                source = skipped(&error, source).ok_or(EvidenceReason::InflateFailed)?;
                continue;
            }
            loop {
                let step = BlockDecodingStrategy::UptoBytes(STEP);
                let finished = decoder.decode_blocks(&mut source, step);
                if let Some(plain) = decoder.collect()
                    && !plain.is_empty()
                    && !out(&plain)
                {
                    return Ok(());
                }
                if finished.map_err(|_| EvidenceReason::InflateFailed)? {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// What follows a frame that is there to be skipped.
fn skipped<'a>(error: &FrameDecoderError, source: &'a [u8]) -> Option<&'a [u8]> {
    match error {
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
            length, ..
        }) => source.get(usize::try_from(*length).ok()?..),
        _ => None,
    }
}
