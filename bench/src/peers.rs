//! Other libraries, each used as its documents say for speed. One file for each.
//!
//! Where a library leaves UTF-8 to its user, the fastest check there is is added and its row says
//! so. Frames are encoded with the masking keys each library makes itself.

mod fastwebsockets;
mod io;
mod sockudo_ws;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod websocket_sans_io;
mod wtx;
mod yawc;

use crate::case::Case;
use crate::stream::Stream;
use crate::subject::{Entry, Kind, Subject};

/// Every peer that has something to show in `case`.
pub fn entries(case: Case, stream: &Stream) -> Vec<Entry> {
    let peers = [
        tungstenite::entries,
        fastwebsockets::entries,
        tokio_websockets::entries,
        yawc::entries,
        sockudo_ws::entries,
        soketto::entries,
        web_socket::entries,
        wtx::entries,
        websocket_sans_io::entries,
    ];
    peers.iter().filter_map(|entries| entries(case, stream)).collect()
}

fn peer(name: &'static str, subject: impl Subject + 'static) -> Entry {
    Entry::new(name, Kind::Peer, subject)
}
