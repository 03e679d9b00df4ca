//! The zstd coding (RFC 8878), decoded block by block as the blocks come. Agents send request bodies
//! in it. Knows nothing of bodies.
//!
//! The decoder gives back only what has left the window, until a frame has finished. So it is told
//! at the start of each frame that this was the last block: from then on it shows all it has, and
//! goes on decoding what it is given. Where frames and blocks begin and end is read here.

use std::io::{self, Write};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Out;
use crate::EvidenceReason;

/// Largest window of a frame, that of content codings (RFC 9659, section 3). A frame of one segment
/// is its own window, and may be larger: it takes memory as it comes.
const MAX_WINDOW: u64 = 8 * 1024 * 1024;

/// Largest content of a frame of one segment: the most that is read of any body.
const MAX_SEGMENT: u64 = super::MAX_PLAIN;

/// Largest block (RFC 8878, section 3.1.1.2.4).
const MAX_BLOCK: usize = 128 * 1024;

/// Bytes beyond the window that are held before it is moved to the front of the decoder's memory.
/// With a block more they are what that memory has to spare when it is sized for the window.
const BEYOND: usize = 64 * 1024;

/// An empty block that is the last of its frame.
const LAST: [u8; 3] = [1, 0, 0];

/// A body on its way.
#[derive(Default)]
pub(super) struct Frames {
    /// Encoded bytes that are no whole header or block yet.
    waiting: Vec<u8>,
    next: Next,
}

/// What comes next.
#[derive(Default)]
enum Next {
    #[default]
    Frame,
    /// So many bytes of a frame that is there to be skipped.
    Skipped(u32),
    Block(Box<Frame>),
    /// That of the frame's content, which is not verified: its bytes have been read by then.
    Checksum,
}

impl Frames {
    /// Decodes what `piece` completes.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        self.waiting.extend_from_slice(piece);
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while self.step(&mut rest, out)? {}
        let used = waiting.len() - rest.len();
        waiting.drain(..used);
        self.waiting = waiting;
        Ok(())
    }

    /// Ends the body: whether it was at its end.
    pub(super) fn finish(&self) -> Result<(), EvidenceReason> {
        match self.next {
            Next::Frame if self.waiting.is_empty() => Ok(()),
            _ => Err(EvidenceReason::InflateFailed),
        }
    }

    /// Reads the next element from the front of `rest`, if it is there whole.
    fn step(&mut self, rest: &mut &[u8], out: &mut Out<'_>) -> Result<bool, EvidenceReason> {
        match &mut self.next {
            Next::Frame => match Header::read(rest)? {
                None => return Ok(false),
                Some(Header::Skippable(len)) => self.next = Next::Skipped(len),
                Some(Header::Frame(frame)) => self.next = Next::Block(frame),
            },
            Next::Skipped(0) => self.next = Next::Frame,
            Next::Skipped(left) => {
                let len = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                if len == 0 {
                    return Ok(false);
                }
                *left -= u32::try_from(len).unwrap_or(*left);
                *rest = &rest[len..];
            }
            Next::Block(frame) => {
                let Some(block) = whole_block(rest)? else { return Ok(false) };
                let last = block[0] & 1 == 1;
                frame.decode(block, out)?;
                if last {
                    self.next = if frame.checksum { Next::Checksum } else { Next::Frame };
                }
            }
            Next::Checksum => match rest.split_at_checked(4) {
                None => return Ok(false),
                Some((_, after)) => (*rest, self.next) = (after, Next::Frame),
            },
        }
        Ok(true)
    }
}

/// Takes a block off the front of `rest`, if it is there whole (RFC 8878, section 3.1.1.2).
fn whole_block<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, EvidenceReason> {
    let &[a, b, c, ..] = *rest else { return Ok(None) };
    let head = u32::from_le_bytes([a, b, c, 0]);
    let size = usize::try_from(head >> 3).unwrap_or(usize::MAX);
    if size > MAX_BLOCK {
        return Err(EvidenceReason::InflateFailed);
    }
    let content = match head >> 1 & 3 {
        0 | 2 => size, // raw, compressed
        1 => 1,        // one byte, repeated
        _ => return Err(EvidenceReason::InflateFailed),
    };
    let Some((block, after)) = rest.split_at_checked(3 + content) else { return Ok(None) };
    *rest = after;
    Ok(Some(block))
}

enum Header {
    Skippable(u32),
    Frame(Box<Frame>),
}

impl Header {
    /// Takes the header of a frame off the front of `rest`, if it is there whole (RFC 8878, sections
    /// 3.1.1.1 and 3.1.2).
    fn read(rest: &mut &[u8]) -> Result<Option<Self>, EvidenceReason> {
        let Some((magic, after)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        match u32::from_le_bytes(*magic) {
            0x184D_2A50..=0x184D_2A5F => {
                let Some((len, after)) = after.split_first_chunk::<4>() else { return Ok(None) };
                *rest = after;
                return Ok(Some(Self::Skippable(u32::from_le_bytes(*len))));
            }
            0xFD2F_B528 => {}
            _ => return Err(EvidenceReason::InflateFailed),
        }
        let Some(&descriptor) = after.first() else { return Ok(None) };
        let segment = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let content = [usize::from(segment), 2, 4, 8][usize::from(descriptor >> 6)];
        let len = 5 + usize::from(!segment) + dictionary + content;
        let Some((header, after)) = rest.split_at_checked(len) else { return Ok(None) };
        *rest = after;
        let (window, most) = if segment {
            let mut size = [0; 8];
            size[..content].copy_from_slice(&header[len - content..]);
            let above = if content == 2 { 256 } else { 0 };
            (u64::from_le_bytes(size).saturating_add(above), MAX_SEGMENT)
        } else {
            let base = 1 << (10 + (header[5] >> 3));
            (base + base / 8 * u64::from(header[5] & 7), MAX_WINDOW)
        };
        if window > most {
            return Err(EvidenceReason::CaptureLimit);
        }
        Frame::begin(header, window, segment).map(|frame| Some(Self::Frame(Box::new(frame))))
    }
}

/// A frame on its way.
struct Frame {
    decoder: FrameDecoder,
    window: usize,
    /// Memory it may come to take.
    needs: usize,
    /// Bytes the decoder holds, all of which have been handed out.
    held: usize,
    /// Memory they are in.
    ring: usize,
    /// A checksum follows the last block.
    checksum: bool,
}

impl Frame {
    /// Begins with a whole header, which asks for this window, or has this content.
    fn begin(header: &[u8], window: u64, segment: bool) -> Result<Self, EvidenceReason> {
        let mut header = header.to_vec();
        let checksum = header[4] & 0x04 != 0;
        header[4] &= !0x04; // it is read here
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_SEGMENT);
        decoder.init(header.as_slice()).map_err(|_| EvidenceReason::InflateFailed)?;
        let window = usize::try_from(window).map_err(|_| EvidenceReason::CaptureLimit)?;
        // It grows to twice as much; the window is moved by way of a copy.
        let (full, moved) = (ring(window + BEYOND + MAX_BLOCK), window + BEYOND + MAX_BLOCK);
        let needs = if segment { ring(window) / 2 * 3 } else { full + moved };
        let mut frame = Self { decoder, window, needs, held: 0, ring: 0, checksum };
        frame.feed(&LAST)?;
        Ok(frame)
    }

    /// Decodes a whole block.
    fn decode(&mut self, block: &[u8], out: &mut Out<'_>) -> Result<(), EvidenceReason> {
        let grown = ring(self.held + MAX_BLOCK);
        if grown > self.ring {
            // The old memory is there until the new one has been filled from it.
            out.afford(self.ring + grown)?;
            self.ring = grown;
        }
        self.feed(block)?;
        let mut look =
            Look { held: self.held, len: self.held, needs: self.needs, out, said: Ok(()) };
        let looked = self.decoder.collect_to_writer(&mut look);
        let (len, said) = (look.len, look.said);
        self.held = len;
        said?;
        looked.map_err(|_| EvidenceReason::InflateFailed)?;
        if self.held > self.window + BEYOND {
            out.afford(self.ring + self.held)?;
            self.compact()?;
        }
        Ok(())
    }

    /// Takes all bytes from the decoder and gives those of the window back, as blocks that are not
    /// compressed. They lie in one piece then.
    fn compact(&mut self) -> Result<(), EvidenceReason> {
        let all = self.decoder.collect().unwrap_or_default();
        let window = &all[all.len().saturating_sub(self.window)..];
        for bytes in window.chunks(self.window.clamp(1, MAX_BLOCK)) {
            let head = u32::try_from(bytes.len()).unwrap_or_default() << 3;
            self.feed(&[&head.to_le_bytes()[..3], bytes].concat())?;
        }
        self.held = window.len();
        Ok(())
    }

    fn feed(&mut self, block: &[u8]) -> Result<(), EvidenceReason> {
        let one = BlockDecodingStrategy::UptoBlocks(1);
        self.decoder.decode_blocks(block, one).map_err(|_| EvidenceReason::InflateFailed)?;
        Ok(())
    }
}

/// The memory the decoder has for so many bytes: a power of two, and 256 KiB to spare. Its
/// documentation does not say so; a test does.
fn ring(held: usize) -> usize {
    const SPARE: usize = 2 * MAX_BLOCK;
    (SPARE * 2).max((held + 1).saturating_sub(SPARE).next_power_of_two() + SPARE) + 1
}

/// Looks at what the decoder holds and takes none of it.
struct Look<'a, 'o> {
    /// Bytes that have been handed out before.
    held: usize,
    /// Bytes there are.
    len: usize,
    needs: usize,
    out: &'a mut Out<'o>,
    said: Result<(), EvidenceReason>,
}

impl Write for Look<'_, '_> {
    fn write(&mut self, all: &[u8]) -> io::Result<usize> {
        self.len = all.len();
        if let Some(fresh) = all.get(self.held..)
            && !fresh.is_empty()
        {
            self.said = self.out.give(fresh, self.needs);
        }
        Ok(0)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
