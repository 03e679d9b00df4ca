//! Ways to cut an input, for tests that a split changes nothing.

/// One way to cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Pieces of this size.
    Every(usize),
    /// Two pieces.
    At(usize),
    /// Pieces of pseudo-random sizes, the same for the same seed.
    Random {
        /// Where the sizes start.
        seed: u64,
    },
}

/// Random cuts tried of each input. Miri, which is a thousand times slower, gets few of either kind.
const RANDOM: u64 = if cfg!(miri) { 1 } else { 16 };
/// Two pieces are tried up to this place, which is past the heads and the first payload bytes.
const PLACES: usize = 600;
/// How far apart these places are.
const STEP: usize = if cfg!(miri) { 11 } else { 1 };

impl Cut {
    /// Every way to cut an input of `len` bytes: whole, byte by byte, in two at every byte (at
    /// some under Miri), and at random. A test that fails says which, with the seed.
    pub fn all(len: usize) -> impl Iterator<Item = Self> {
        [Self::Every(usize::MAX), Self::Every(1)]
            .into_iter()
            .chain((1..len.min(PLACES)).step_by(STEP).map(Self::At))
            .chain((0..RANDOM).map(|seed| Self::Random { seed }))
    }

    /// The sizes of the pieces, at least 1 each, without an end.
    pub fn sizes(self) -> impl FnMut() -> usize {
        let mut left = match self {
            Self::At(at) => Some(at),
            Self::Every(_) | Self::Random { .. } => None,
        };
        let mut state = match self {
            Self::Random { seed } => seed,
            Self::Every(_) | Self::At(_) => 0,
        };
        move || match self {
            Self::Every(size) => size,
            Self::At(_) => left.take().unwrap_or(usize::MAX),
            Self::Random { .. } => {
                // splitmix64: any seed gives a good sequence.
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                // One piece in four is long.
                let most = if mixed >> 62 == 0 { 4096 } else { 12 };
                usize::try_from((mixed ^ (mixed >> 31)) % most).map_or(1, |size| size + 1)
            }
        }
    }

    /// `input` in its pieces.
    #[must_use]
    pub fn pieces(self, mut input: &[u8]) -> Vec<&[u8]> {
        let (mut size, mut pieces) = (self.sizes(), Vec::new());
        while !input.is_empty() {
            let (piece, rest) = input.split_at(size().min(input.len()));
            pieces.push(piece);
            input = rest;
        }
        pieces
    }
}
