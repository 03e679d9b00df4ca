//! The brotli coding (RFC 7932), decoded as it comes. Knows no bodies.
//!
//! A stream may ask for 16 MiB of window, and takes as much of it as it has filled. So its
//! allocations are counted, and one that is too much is refused, which the decoder takes for the
//! end of memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, SliceWrapper, StandardAlloc,
};

use super::Out;
use crate::EvidenceReason;
use crate::buffer::SMALL;

/// Bytes that come out at a time.
const ROOM: usize = 16 * 1024;

/// A body on its way.
pub(super) struct Stream {
    state: BrotliState<Counted, Counted, Counted>,
    memory: Arc<Memory>,
    ended: bool,
}

impl Stream {
    pub(super) fn new() -> Self {
        let memory = Arc::<Memory>::default();
        let counted = || Counted(Arc::clone(&memory));
        // What is called large window, up to 1 GiB, is no content coding.
        let state = BrotliState::new_strict(counted(), counted(), counted());
        Self { state, memory, ended: false }
    }

    /// Decodes a piece; what came before an error has come out.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        let mut output = [0; ROOM];
        let (mut at, mut left) = (0, piece.len());
        while left > 0 && !self.ended {
            if self.decode(piece, &mut at, &mut left, &mut output, out)? {
                break;
            }
        }
        // There may not be more after the end.
        if left == 0 { Ok(()) } else { Err(EvidenceReason::InflateFailed) }
    }

    /// One call of the decoder: whether it has taken all there is and given all there is of it.
    fn decode(
        &mut self,
        piece: &[u8],
        at: &mut usize,
        left: &mut usize,
        output: &mut [u8],
        out: &mut Out<'_>,
    ) -> Result<bool, EvidenceReason> {
        self.memory.most.store(out.affords(), Ordering::Relaxed);
        let (mut made, mut room) = (0, output.len());
        let said = BrotliDecompressStream(
            left,
            at,
            piece,
            &mut room,
            &mut made,
            output,
            &mut 0,
            &mut self.state,
        );
        // Half as much again while the window grows to its whole size.
        let window = 1_usize << self.state.window_bits.min(24);
        out.give(output.get(..made).unwrap_or_default(), window + window / 2)?;
        let held = self.memory.held.load(Ordering::Relaxed);
        match said {
            _ if held > out.affords() => Err(EvidenceReason::CaptureLimit),
            BrotliResult::ResultSuccess => {
                self.ended = true;
                Ok(true)
            }
            BrotliResult::NeedsMoreInput => Ok(true),
            BrotliResult::NeedsMoreOutput => Ok(false),
            BrotliResult::ResultFailure => Err(match self.memory.refused.load(Ordering::Relaxed) {
                0 => EvidenceReason::InflateFailed,
                _ => EvidenceReason::CaptureLimit,
            }),
        }
    }

    /// Ends the body: whether it was at its end.
    pub(super) fn finish(&self) -> Result<(), EvidenceReason> {
        if self.ended { Ok(()) } else { Err(EvidenceReason::InflateFailed) }
    }
}

/// What a decoder has allocated, in bytes.
#[derive(Default)]
struct Memory {
    held: AtomicUsize,
    /// It may hold so much; small allocations are not refused.
    most: AtomicUsize,
    /// Allocations that were refused.
    refused: AtomicUsize,
}

/// The allocator of a decoder, which has three for its three kinds of things.
struct Counted(Arc<Memory>);

impl<T: Clone + Default> Allocator<T> for Counted {
    type AllocatedMemory = <StandardAlloc as Allocator<T>>::AllocatedMemory;

    fn alloc_cell(&mut self, len: usize) -> Self::AllocatedMemory {
        let Memory { held, most, refused } = &*self.0;
        let size = len.saturating_mul(size_of::<T>());
        let after = held.load(Ordering::Relaxed).saturating_add(size);
        // Only windows are bytes and large, and only for them is none an answer.
        if size_of::<T>() == 1 && size > SMALL && after > most.load(Ordering::Relaxed) {
            refused.fetch_add(1, Ordering::Relaxed);
            return Self::AllocatedMemory::default();
        }
        held.store(after, Ordering::Relaxed);
        StandardAlloc::default().alloc_cell(len)
    }

    fn free_cell(&mut self, cell: Self::AllocatedMemory) {
        let size = cell.slice().len().saturating_mul(size_of::<T>());
        self.0.held.fetch_sub(size, Ordering::Relaxed);
        drop(cell);
    }
}
