//! A TCP relay with a toxic in it, for one connection.
//!
//! Until the toxic begins it passes bytes and ends on as they come. Refuses to know what they say.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::cell::Toxic;

const LATENCY: Duration = Duration::from_millis(500);
/// 8 KiB a second.
const PIECE: usize = 512;
const PIECE_TIME: Duration = Duration::from_micros(62_500);
const SLOW_CLOSE: Duration = Duration::from_secs(1);
/// How long what still comes after a cut is read, so that the cut stays an end and no reset.
const AFTER_CUT: Duration = Duration::from_secs(10);

/// When a toxic begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Onset {
    /// With the first byte.
    First,
    /// With the first byte after the first answer of the far end.
    Answered,
    /// When it is told to.
    Told,
}

/// A relay that waits for its connection, or has it. Ends, with both sockets, when dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    /// Where its connection to the far end comes from.
    from: watch::Receiver<Option<SocketAddr>>,
    switch: watch::Sender<bool>,
    /// Bytes that came through towards the far end.
    passed: watch::Receiver<usize>,
    task: AbortHandle,
}

/// What both ways of one connection share.
struct Poison {
    toxic: Toxic,
    onset: Onset,
    /// Bytes that `limit_data` still lets through.
    left: AtomicUsize,
    switch: watch::Sender<bool>,
    passed: watch::Sender<usize>,
}

/// Why both ways end.
enum Cut {
    Ended,
    Reset,
}

impl Relay {
    pub(crate) async fn start(
        far: SocketAddr,
        toxic: Toxic,
        limit: usize,
        onset: Onset,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let switch = watch::Sender::new(onset == Onset::First);
        let (sender, from) = watch::channel(None);
        let left = AtomicUsize::new(limit);
        let (counter, passed) = watch::channel(0);
        let poison = Poison { toxic, onset, left, switch: switch.clone(), passed: counter };
        let serve = async move {
            let (near, _) = listener.accept().await?;
            let far = TcpStream::connect(far).await?;
            sender.send_replace(Some(far.local_addr()?));
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            poison.relay(near, far).await
        };
        let task = tokio::spawn(async move { drop(serve.await) }).abort_handle();
        Ok(Self { address, from, switch, passed, task })
    }

    /// The toxic begins.
    pub(super) fn begin(&self) {
        self.switch.send_replace(true);
    }

    /// Waits until `bytes` came through towards the far end.
    pub(super) async fn has_passed(&self, bytes: usize) {
        let mut passed = self.passed.clone();
        let _ = passed.wait_for(|passed| *passed >= bytes).await; // over is over
    }

    /// Its address as the far end sees it, once its connection is there.
    pub(super) async fn from(&self) -> Option<SocketAddr> {
        let mut from = self.from.clone();
        *from.wait_for(Option::is_some).await.ok()?
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Poison {
    async fn relay(&self, mut near: TcpStream, mut far: TcpStream) -> io::Result<()> {
        let cut = {
            let (near_read, near_write) = near.split();
            let (far_read, far_write) = far.split();
            tokio::try_join!(
                self.pass_on(near_read, far_write, false),
                self.pass_on(far_read, near_write, true),
            )
        };
        match cut {
            Ok(_) => {}
            Err(Cut::Reset) => {
                near.set_zero_linger()?;
                far.set_zero_linger()?;
            }
            Err(Cut::Ended) => {
                let _ = tokio::join!(near.shutdown(), far.shutdown()); // one may be gone
                let rest = async { tokio::join!(discard(&mut near), discard(&mut far)) };
                let _ = timeout(AFTER_CUT, rest).await;
            }
        }
        Ok(())
    }

    /// One way, to its end.
    async fn pass_on<R, W>(&self, mut from: R, mut to: W, answers: bool) -> Result<(), Cut>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = tokio::select! {
                biased;
                () = self.strikes_at_once() => return Err(Cut::Reset),
                read = from.read(&mut buffer) => read.unwrap_or(0), // a reset is an end here
            };
            if read == 0 {
                if self.has_begun() {
                    match self.toxic {
                        Toxic::SlowClose => sleep(SLOW_CLOSE).await,
                        Toxic::Timeout => std::future::pending().await,
                        _ => {}
                    }
                }
                let _ = to.shutdown().await;
                return Ok(());
            }
            let bytes = &buffer[..read];
            // Whoever is gone takes nothing; its own end comes the other way.
            if self.has_begun() {
                self.pass(bytes, &mut to).await?;
            } else {
                let _ = to.write_all(bytes).await;
                if !answers {
                    self.passed.send_modify(|passed| *passed += read);
                }
                if answers && self.onset == Onset::Answered {
                    self.switch.send_replace(true);
                }
            }
        }
    }

    /// Some bytes, once the toxic has begun.
    async fn pass(&self, bytes: &[u8], to: &mut (impl AsyncWrite + Unpin)) -> Result<(), Cut> {
        let piece = match self.toxic {
            Toxic::SlowClose => bytes.len(),
            Toxic::Latency => {
                sleep(LATENCY).await;
                bytes.len()
            }
            Toxic::Rate => PIECE,
            Toxic::Slicer => 1,
            Toxic::LimitData => {
                let left = self.left.load(Ordering::Relaxed);
                let _ = to.write_all(&bytes[..left.min(bytes.len())]).await;
                self.left.store(left.saturating_sub(bytes.len()), Ordering::Relaxed);
                return if left <= bytes.len() { Err(Cut::Ended) } else { Ok(()) };
            }
            Toxic::ResetPeer => {
                let _ = to.write_all(&bytes[..bytes.len() / 2]).await;
                return Err(Cut::Reset);
            }
            Toxic::Timeout => std::future::pending().await,
        };
        for bytes in bytes.chunks(piece) {
            if to.write_all(bytes).await.is_err() {
                return Ok(());
            }
            if self.toxic == Toxic::Rate {
                sleep(PIECE_TIME).await;
            }
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        *self.switch.borrow()
    }

    /// Resolves when a reset is told to begin; one that begins by itself waits for bytes to cut.
    async fn strikes_at_once(&self) {
        if self.toxic == Toxic::ResetPeer && self.onset == Onset::Told {
            let mut switch = self.switch.subscribe();
            if switch.wait_for(|begun| *begun).await.is_ok() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

async fn discard(stream: &mut TcpStream) {
    let mut buffer = vec![0; 64 * 1024];
    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
}
