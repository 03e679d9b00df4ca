//! The cells of the matrix: which toxic, on which side, from which phase on.

use serde::Serialize;

/// What goes wrong with a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Toxic {
    /// Every chunk is half a second late.
    Latency,
    /// 8 KiB a second each way.
    Rate,
    /// One byte at a time.
    Slicer,
    /// Both ways end after some bytes.
    LimitData,
    /// The side leaves, and its end comes a second late.
    SlowClose,
    /// Both ways are reset.
    ResetPeer,
    /// Nothing more comes through, not even an end.
    Timeout,
}

/// The connection of the proxy that the toxic is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Side {
    Client,
    Upstream,
}

/// From when on. What each means for a side is in `play`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// The first byte of TLS.
    Hello,
    /// Amid the request head.
    Head,
    /// The head was read and is not answered yet.
    Switch,
    /// Half of a frame has come through.
    Frame,
    /// Messages went both ways and none is under way.
    Between,
    /// A Close came through and is not answered yet.
    Close,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) toxic: Toxic,
    pub(super) side: Side,
    pub(super) phase: Phase,
}

/// How a cell is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Variant {
    /// Who says the message that is interrupted, and begins the close.
    pub(super) speaker: Side,
    pub(super) compressed: bool,
}

impl Toxic {
    pub(super) const ALL: [Self; 7] = [
        Self::Latency,
        Self::Rate,
        Self::Slicer,
        Self::LimitData,
        Self::SlowClose,
        Self::ResetPeer,
        Self::Timeout,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Rate => "rate",
            Self::Slicer => "slicer",
            Self::LimitData => "limit_data",
            Self::SlowClose => "slow_close",
            Self::ResetPeer => "reset_peer",
            Self::Timeout => "timeout",
        }
    }

    /// Whether it only takes time.
    pub(super) fn is_gentle(self) -> bool {
        matches!(self, Self::Latency | Self::Rate | Self::Slicer)
    }
}

impl Side {
    pub(super) const ALL: [Self; 2] = [Self::Client, Self::Upstream];

    /// The record's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }
}

impl Phase {
    pub(super) const ALL: [Self; 6] =
        [Self::Hello, Self::Head, Self::Switch, Self::Frame, Self::Between, Self::Close];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hello => "TLS hello",
            Self::Head => "head",
            Self::Switch => "101",
            Self::Frame => "mid-frame",
            Self::Between => "between",
            Self::Close => "close",
        }
    }

    /// What `limit_data` lets through at most: less than is still to come.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::Hello => 100,
            Self::Head | Self::Switch => 60,
            Self::Frame | Self::Between => 150,
            Self::Close => 20,
        }
    }
}

impl Cell {
    /// All 84.
    pub(super) fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for toxic in Toxic::ALL {
            for side in Side::ALL {
                cells.extend(Phase::ALL.map(|phase| Self { toxic, side, phase }));
            }
        }
        cells
    }
}

impl Variant {
    pub(super) fn all() -> Vec<Self> {
        let both = |speaker| [false, true].map(|compressed| Self { speaker, compressed });
        Side::ALL.into_iter().flat_map(both).collect()
    }
}
