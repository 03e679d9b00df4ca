//! The cases: what is done to frames of which size.

use std::fmt;

use crate::stream::Stream;
use crate::subject::{Entry, Yields};
use crate::{floors, ours, peers, responses};

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bench {
    /// Read and check heads, skip payloads.
    Head,
    /// Read binary frames and hand out unmasked payloads.
    Decode,
    /// The same for text, checked as UTF-8.
    DecodeText,
    /// Write binary frames.
    Encode,
    /// Unmask payloads whose place is known.
    Mask,
    /// Check texts as UTF-8.
    Utf8,
    /// Read a server's compressed text messages.
    Inflate,
}

impl Bench {
    /// Every bench, and whether it has frames with a mask, without, or both.
    const ALL: [(Self, &'static [bool]); 7] = [
        (Self::Head, &[true, false]),
        (Self::Decode, &[true, false]),
        (Self::DecodeText, &[true, false]),
        (Self::Encode, &[true, false]),
        (Self::Mask, &[true]),
        (Self::Utf8, &[false]),
        (Self::Inflate, &[false]),
    ];

    /// Its name in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Decode => "decode",
            Self::DecodeText => "decode_text",
            Self::Encode => "encode",
            Self::Mask => "mask",
            Self::Utf8 => "utf8",
            Self::Inflate => "inflate",
        }
    }

    /// Payload bytes of a frame, or of the inflated message. A delta of a few tokens has about 256.
    fn sizes(self) -> &'static [usize] {
        match self {
            Self::Inflate => &[256, 1 << 10, 16 << 10, 64 << 10, 1 << 20],
            _ => &[16, 128, 1 << 10, 16 << 10, 64 << 10, 1 << 20],
        }
    }
}

/// One bench with frames of one size, masked or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Case {
    /// What is done.
    pub bench: Bench,
    /// Whether the frames are a client's.
    pub masked: bool,
    /// Payload bytes of a frame.
    pub size: usize,
}

impl Case {
    /// Every case, in the order of the tables.
    pub fn all() -> Vec<Self> {
        let benches = Bench::ALL.into_iter();
        let both =
            benches.flat_map(|(bench, both)| both.iter().map(move |&masked| (bench, masked)));
        both.flat_map(|(bench, masked)| {
            bench.sizes().iter().map(move |&size| Self { bench, masked, size })
        })
        .collect()
    }

    /// Frames of one pass at least. Where payloads are read, four of 1 MiB would show the memory;
    /// where they are not, or are written, a pass of one would show what beginning it costs.
    fn frames(self) -> usize {
        match self.bench {
            Bench::DecodeText | Bench::Mask | Bench::Utf8 => 1,
            Bench::Decode if self.masked => 1,
            _ => 4,
        }
    }

    /// The frames of the case.
    pub fn stream(self) -> Stream {
        match self.bench {
            Bench::DecodeText | Bench::Utf8 => Stream::text(self.size, self.masked, self.frames()),
            Bench::Inflate => Stream::compressed(responses::events(self.size)),
            Bench::Head | Bench::Decode | Bench::Encode | Bench::Mask => {
                Stream::binary(self.size, self.masked, self.frames())
            }
        }
    }

    /// What an implementation hands out in this case.
    pub fn yields(self) -> Yields {
        match self.bench {
            Bench::Head => Yields::Heads,
            Bench::Encode => Yields::Wire { masked: self.masked },
            _ => Yields::Payloads,
        }
    }

    /// Every implementation that has something to show here, over `stream`, which is this case's.
    pub fn entries(self, stream: &Stream) -> Vec<Entry> {
        let mut entries = floors::entries(self, stream);
        entries.extend(ours::entries(self, stream));
        entries.extend(peers::entries(self, stream));
        entries
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = if self.masked { "masked" } else { "unmasked" };
        write!(f, "{} {masked} {}", self.bench.name(), size_name(self.size))
    }
}

/// `16 B`, `1 KiB`, `1 MiB`.
pub fn size_name(size: usize) -> String {
    match size {
        0..0x400 => format!("{size} B"),
        0x400..0x10_0000 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}
