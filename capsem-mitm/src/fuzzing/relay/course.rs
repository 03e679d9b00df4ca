//! One run of a script: a tunnel between two peers in memory, and a clock that moves only when all
//! has come to rest.

use super::{
    host::{Host, Shown},
    peer::{End, Peer},
    script::{Op, Script, index},
};
use crate::ws::{Config, Drain, Ended, tunnel};
use capsem_ws_codec::{Role, handshake::Accepted};
use std::{panic, time::Duration};
use tokio::{task::JoinHandle, time::sleep};

/// What came of a script.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) shown: [Shown; 2],
    /// What each side was sent.
    pub(super) got: [Vec<u8>; 2],
    pub(super) ended: Ended,
    /// Nothing in the script ended the tunnel.
    pub(super) outlived: bool,
}

/// A tunnel under way, with all that can move it.
struct Stage {
    peers: [Peer; 2],
    host: Host,
    drain: Drain,
    tunnel: JoinHandle<Ended>,
    /// More than all its deadlines together.
    in_time: Duration,
}

/// Runs a script; `pieces` says how many bytes of each side are read and written at once.
pub(super) fn run<P>(script: &Script, pieces: impl Fn(Role) -> P) -> Course
where
    P: FnMut() -> usize + Send + 'static,
{
    let peers = [Role::Client, Role::Server].map(|side| Peer::new(pieces(side)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O asks for nothing");
    runtime.block_on(async {
        let mut stage = Stage::open(script, peers);
        for op in &script.ops {
            stage.perform(op).await;
            stage.check_memory(script);
        }
        stage.clear().await;
        let outlived = stage.outlives().await;
        stage.close(outlived).await
    })
}

impl Stage {
    fn open(script: &Script, peers: [Peer; 2]) -> Self {
        let config = Config {
            limits: script.limits,
            idle_timeout: script.idle_timeout,
            ..Config::default()
        };
        let host = Host::new(script);
        let accepted = Accepted { subprotocol: None, deflate: script.deflate };
        let drain = config.drain.clone();
        let in_time = config.drain_timeout + config.stall_timeout + 3 * config.close_timeout;
        let [client, upstream] = peers.clone();
        let session = host.clone();
        let tunnel = tokio::spawn(tunnel(client, upstream, &accepted, session, &config));
        Self { peers, host, drain, tunnel, in_time }
    }

    fn peer(&self, side: Role) -> &Peer {
        &self.peers[index(side)]
    }

    async fn perform(&self, op: &Op) {
        match op {
            Op::Send(side, bytes) => self.peer(*side).send(bytes),
            Op::End(side, end) => self.peer(*side).end(*end),
            Op::Take(side, room) => self.peer(*side).take(*room),
            Op::Wait(time) => sleep(*time).await,
            Op::Judge(from, verdict) => self.host.change(|host| host.judge(*from, *verdict)),
            Op::Pause(paused) => self.host.change(|host| host.paused = *paused),
            Op::Revoke => self.host.change(|host| host.revoked = true),
            Op::Drain => self.drain.begin(),
            Op::Drop => self.tunnel.abort(),
        }
        settle().await;
    }

    /// No more of a side is kept than may be.
    fn check_memory(&self, script: &Script) {
        for from in [Role::Client, Role::Server] {
            let (peer, other) = (self.peer(from), self.peer(from.peer()));
            // What comes after the end is read and dropped, and so is what is refused.
            let drops = other.told_end() || script.refuses() || script.end(from.peer()).is_some();
            let kept = peer.taken().saturating_sub(other.got().len());
            assert!(
                drops || kept <= script.plan(from).most_kept(),
                "{kept} bytes of {from:?} kept"
            );
        }
    }

    /// Takes everything out of the tunnel's way, other than time.
    async fn clear(&self) {
        for peer in &self.peers {
            peer.take(None);
        }
        self.host.change(|host| (host.paused, host.hurried) = (false, true));
        settle().await;
    }

    /// Whether the tunnel has not ended, once each of its deadlines has passed.
    async fn outlives(&mut self) -> bool {
        sleep(self.in_time).await;
        !self.tunnel.is_finished()
    }

    /// Both peers leave, which ends any tunnel, and at once.
    async fn close(self, outlived: bool) -> Course {
        let got = [0, 1].map(|side| self.peers[side].got());
        for peer in &self.peers {
            peer.end(End::Half);
        }
        settle().await;
        assert!(self.tunnel.is_finished(), "both peers have left, and the tunnel has not");
        let returned = match self.tunnel.await {
            Ok(ended) => Some(ended),
            Err(error) if error.is_cancelled() => None,
            Err(error) => panic::resume_unwind(error.into_panic()),
        };
        let heard = self.host.ended();
        let [ended] = &heard[..] else { panic!("the end is told once: {heard:?}") };
        assert!(returned.is_none_or(|returned| returned == *ended));
        Course { shown: self.host.shown(), got, ended: ended.clone(), outlived }
    }
}

/// Resolves when nothing can move any more but the clock.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}
