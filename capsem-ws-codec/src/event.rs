//! What a decoder tells: data frames, whole or in parts, and control frames.
//!
//! Refuses to know how frames are found.

use crate::{Control, FrameHead, Mask};
use std::{mem, ops::Deref};

/// What the next bytes are. `P` is how a payload is handed out: as `&[u8]` by
/// [`Decoder::decode`](crate::Decoder::decode), as `&mut [u8]` by
/// [`Decoder::decode_in_place`](crate::Decoder::decode_in_place).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<P> {
    /// A data frame, if it lies whole in the input; else its next part.
    Data(Data<P>),
    /// A control frame, whole. It may come between the frames of a message, never inside one.
    Control(Control),
}

/// A data frame or a part of one.
///
/// A frame that is cut gives its parts in order, none of them empty; only an empty frame gives an
/// empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<P> {
    /// The head of the frame, the same in each of its parts.
    pub head: FrameHead,
    /// Bytes of the frame's payload that came before this part.
    pub offset: u64,
    /// The bytes of this part: as they are on the wire in a `&[u8]`, unmasked in a `&mut [u8]`.
    pub payload: P,
    /// Whether the frame ends with it; if [`FrameHead::fin`] is set, the message does too.
    pub ends: bool,
}

impl<P> Data<P> {
    /// Whether the frame begins with this part.
    #[must_use]
    pub const fn begins(&self) -> bool {
        self.offset == 0
    }
}

impl Data<&[u8]> {
    /// What unmasks `payload`; `None` for a server's frame.
    #[must_use]
    #[inline]
    pub fn mask(&self) -> Option<Mask> {
        self.head.mask.map(|key| Mask::new(key, self.offset))
    }
}

/// Bytes to read, and how a payload is handed out of them.
pub(crate) trait Bytes: Default + Deref<Target = [u8]> {
    /// Takes the first `count` bytes off.
    fn advance(&mut self, count: usize) -> Self;
    /// What follows `skip` bytes: a part of the payload of `head`'s frame, `offset` bytes into it.
    fn payload(self, skip: usize, head: &FrameHead, offset: u64) -> Self;
}

#[expect(clippy::inline_always, reason = "head and payload stay in registers")]
impl Bytes for &[u8] {
    #[inline(always)]
    fn advance(&mut self, count: usize) -> Self {
        let (taken, rest) = self.split_at_checked(count).unwrap_or_default();
        *self = rest;
        taken
    }

    #[inline(always)]
    fn payload(self, skip: usize, _: &FrameHead, _: u64) -> Self {
        self.get(skip..).unwrap_or_default()
    }
}

#[expect(clippy::inline_always, reason = "head and payload stay in registers")]
impl Bytes for &mut [u8] {
    #[inline(always)]
    fn advance(&mut self, count: usize) -> Self {
        let (taken, rest) = mem::take(self).split_at_mut_checked(count).unwrap_or_default();
        *self = rest;
        taken
    }

    #[inline(always)]
    fn payload(self, skip: usize, head: &FrameHead, offset: u64) -> Self {
        let payload = self.get_mut(skip..).unwrap_or_default();
        if let Some(key) = head.mask {
            Mask::new(key, offset).apply(payload);
        }
        payload
    }
}
