//! The tunnel: two pumps, the first cause that ends them, and an orderly close.

use super::{
    close::{Cause, Ended},
    config::Config,
    hooks::{Hooks, lock},
    pump::{Border, Pump},
    session::Session,
};
use capsem_ws_codec::{CloseCode, Counters, Deflate, Role, encode_close, handshake::Accepted};
use std::{
    future::{Future, ready},
    io,
    pin::pin,
    sync::Mutex,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf},
    time::{Instant, timeout, timeout_at},
};

/// How long who broke the protocol may still be answered before it is told so.
///
/// A quarter of a second: an answer that was on its way when the violation came is there by then,
/// and one that was not is owed to nobody.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// Relays frames both ways until either side, a violation, a deadline or the drain ends it.
///
/// Both streams stand right after the handshake `accepted` describes. Every byte read is checked
/// before it is written; a chunk is at most 64 KiB, so back-pressure is the sockets' own. The
/// first cause to end either direction decides [`Ended`]:
///
/// * a Close frame is relayed as it came, and the answer is awaited for `close_timeout`;
/// * an end of stream is passed on as one, and the other direction flows on until it has been
///   quiet for `close_timeout`;
/// * a violation is told to both sides at a frame border: its code to the violator, 1001 to an
///   innocent upstream, 1011 to an innocent client (RFC 6455 section 7.4.1). The violator hears it
///   after what the other side still answers, a quarter of a second at most.
///
/// [`Session::on_end`] is owed from this call on, also where the future is never polled.
pub fn tunnel<A, B, S>(
    client: A,
    upstream: B,
    accepted: &Accepted,
    session: S,
    config: &Config,
) -> impl Future<Output = Ended> + Send + use<A, B, S>
where
    A: AsyncRead + AsyncWrite + Send + Unpin,
    B: AsyncRead + AsyncWrite + Send + Unpin,
    S: Session,
{
    let both = ready(Ok((client, upstream)));
    relay(both, accepted.deflate, Owed::new(session), config.clone())
}

/// The same for two streams that are yet to be there.
pub(super) async fn relay<A, B, S>(
    both: impl Future<Output = Result<(A, B), Cause>>,
    deflate: Option<Deflate>,
    mut owed: Owed<S, A, B>,
    config: Config,
) -> Ended
where
    A: AsyncRead + AsyncWrite + Send + Unpin,
    B: AsyncRead + AsyncWrite + Send + Unpin,
    S: Session,
{
    match both.await {
        Ok((client, upstream)) => {
            let live = owed.live.insert(Live::new(client, upstream, deflate, &config));
            let hooks = Hooks::of(&owed.session);
            owed.cause = live.relay(&hooks, &config).await;
            live.conclude(&mut owed.cause, &hooks, &config).await;
        }
        Err(cause) => owed.cause = cause,
    }
    owed.pay()
}

/// Both directions of a tunnel under way.
struct Live<A, B> {
    up: Pump<ReadHalf<A>, WriteHalf<B>>,
    down: Pump<ReadHalf<B>, WriteHalf<A>>,
    began: Instant,
}

impl<A, B> Live<A, B>
where
    A: AsyncRead + AsyncWrite + Send + Unpin,
    B: AsyncRead + AsyncWrite + Send + Unpin,
{
    fn new(client: A, upstream: B, deflate: Option<Deflate>, config: &Config) -> Self {
        let (from_client, to_client) = tokio::io::split(client);
        let (from_upstream, to_upstream) = tokio::io::split(upstream);
        Self {
            up: Pump::new(Role::Client, from_client, to_upstream, deflate, config),
            down: Pump::new(Role::Server, from_upstream, to_client, deflate, config),
            began: Instant::now(),
        }
    }

    /// Runs both directions until one of them, a deadline or the drain gives a cause.
    async fn relay(&mut self, hooks: &Hooks<'_>, config: &Config) -> Cause {
        let mut revoked = pin!(hooks.revoked());
        loop {
            return tokio::select! {
                // Nothing here starves what is below it: each ends the wait when it is ready.
                biased;
                cause = self.up.run(hooks) => cause,
                cause = self.down.run(hooks) => cause,
                refusal = revoked.as_mut() => Cause::Refused(refusal),
                () = hooks.idle(config.idle_timeout) => Cause::Idle { after: config.idle_timeout },
                () = config.drain.wait() => self.drain(hooks, config).await,
                () = hooks.asides() => tokio::select! {
                    said = self.say(hooks) => match said {
                        Ok(()) => continue,
                        Err(cause) => cause,
                    },
                    // What is said may have to wait for a message that never ends.
                    refusal = revoked.as_mut() => Cause::Refused(refusal),
                    () = hooks.idle(config.idle_timeout) => {
                        Cause::Idle { after: config.idle_timeout }
                    }
                    () = config.drain.wait() => self.drain(hooks, config).await,
                },
            };
        }
    }

    /// Tells the client what there is to tell, once the message on its way to it has ended. Cancel
    /// safe.
    async fn say(&mut self, hooks: &Hooks<'_>) -> Result<(), Cause> {
        tokio::select! {
            settled = self.down.settle(hooks, Border::Message) => settled?,
            cause = self.up.run(hooks) => return Err(cause),
        }
        self.down.say(hooks.take_asides());
        Ok(())
    }

    /// Lets the messages under way finish.
    async fn drain(&mut self, hooks: &Hooks<'_>, config: &Config) -> Cause {
        let finish = async {
            tokio::join!(
                self.up.settle(hooks, Border::Message),
                self.down.settle(hooks, Border::Message),
            )
        };
        match timeout(config.drain_timeout, finish).await {
            Ok((Err(cause), _) | (_, Err(cause))) => cause,
            Ok((Ok(()), Ok(()))) | Err(_) => Cause::Drained,
        }
    }

    /// A side whose connection failed while it was written to may have said why before: what it
    /// sent is read to its end, and a Close or an orderly end in it is the cause.
    async fn last_word(&mut self, cause: &mut Cause, hooks: &Hooks<'_>, by_then: Instant) {
        let Cause::Lost { by, error } = &*cause else { return };
        // The write took the reset with it, so the end that is read next would look like an order.
        let reset = error.kind() == io::ErrorKind::ConnectionReset;
        let said = match by {
            Role::Client if !self.up.is_over() => timeout_at(by_then, self.up.run(hooks)).await,
            Role::Server if !self.down.is_over() => timeout_at(by_then, self.down.run(hooks)).await,
            Role::Client | Role::Server => return,
        };
        match said {
            Ok(said @ Cause::Closed { .. }) => *cause = said,
            Ok(said @ Cause::Eof { .. }) if !reset => *cause = said,
            Ok(_) | Err(_) => {}
        }
    }

    /// Tells each side, and waits for it to hear, all within one deadline.
    async fn conclude(&mut self, cause: &mut Cause, hooks: &Hooks<'_>, config: &Config) {
        let mut by_then = Instant::now() + config.close_timeout;
        hooks.hush();
        self.last_word(cause, hooks, by_then).await;
        match &*cause {
            Cause::Closed { by, .. } => {
                let _ = timeout_at(by_then, self.flow_from(by.peer(), hooks)).await;
            }
            Cause::Eof { by, .. } => {
                self.half_closed(*by, hooks, config.close_timeout).await;
                by_then = Instant::now() + config.close_timeout;
            }
            _ => {
                let _ = timeout_at(by_then, self.tell(cause, hooks)).await;
            }
        }
        let part = async {
            tokio::join!(self.up.shut(), self.down.shut());
            tokio::join!(self.up.discard(), self.down.discard());
        };
        let _ = timeout_at(by_then, part).await;
    }

    /// Relays what one side still sends, up to its own Close or end.
    async fn flow_from(&mut self, side: Role, hooks: &Hooks<'_>) {
        match side {
            Role::Client if !self.up.is_over() => drop(self.up.run(hooks).await),
            Role::Server if !self.down.is_over() => drop(self.down.run(hooks).await),
            Role::Client | Role::Server => {}
        }
    }

    /// Passes the end of one stream on, and relays the other until it ends or falls quiet.
    async fn half_closed(&mut self, by: Role, hooks: &Hooks<'_>, quiet: Duration) {
        hooks.touch();
        let rest = async {
            match by {
                Role::Client => self.up.shut().await,
                Role::Server => self.down.shut().await,
            }
            self.flow_from(by.peer(), hooks).await;
        };
        tokio::select! {
            () = rest => {}
            () = hooks.idle(quiet.max(Duration::from_millis(1))) => {}
        }
    }

    /// Writes the Close frames a cause asks for, each at a frame border of its direction. Who broke
    /// the protocol first gets what the other side, told to go, still answers to earlier messages.
    async fn tell(&mut self, cause: &Cause, hooks: &Hooks<'_>) {
        let (told, reason) = (cause.told(), cause.word());
        let violator = match cause {
            Cause::Violation { by, .. } => Some(*by),
            _ => None,
        };
        let upstream = async {
            if violator == Some(Role::Server) && !self.up.is_over() {
                let _ = timeout(LAST_WORDS, self.up.last_words(hooks)).await;
            }
            write_close(&mut self.up, Role::Client, told.upstream, reason, hooks).await;
        };
        let client = async {
            if violator == Some(Role::Client) && !self.down.is_over() {
                let _ = timeout(LAST_WORDS, self.down.last_words(hooks)).await;
            }
            write_close(&mut self.down, Role::Server, told.client, reason, hooks).await;
        };
        tokio::join!(upstream, client);
    }
}

/// Writes our Close into a pump's sink, if its direction comes to a frame border. A direction that
/// ended inside a frame has none left: its peer sees the end of the stream instead.
async fn write_close<R, W>(
    pump: &mut Pump<R, W>,
    sender: Role,
    code: Option<CloseCode>,
    reason: &str,
    hooks: &Hooks<'_>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Some(code) = code else { return };
    if !pump.is_over() {
        // How the direction ends meanwhile does not matter, if it ends at a border.
        let _ = pump.settle(hooks, Border::Frame).await;
    }
    if pump.takes_a_frame() {
        let mut frame = Vec::new();
        encode_close(sender, code, reason, fresh_mask(sender), &mut frame);
        let _ = pump.inject(&frame).await;
    }
}

/// A client's frames are masked with a key nobody can foresee (RFC 6455 section 10.3).
fn fresh_mask(sender: Role) -> Option<[u8; 4]> {
    match sender {
        Role::Client => {
            let mut key = [0; 4];
            getrandom::fill(&mut key).expect("the system has a source of random numbers");
            Some(key)
        }
        Role::Server => None,
    }
}

/// Owes the session its one `on_end`, whatever happens to the tunnel's future.
pub(super) struct Owed<S: Session, A, B> {
    session: Mutex<S>,
    live: Option<Live<A, B>>,
    /// Known before both sides have heard it: it stands if they never do.
    cause: Cause,
    paid: bool,
}

impl<S: Session, A, B> Owed<S, A, B> {
    pub(super) fn new(session: S) -> Self {
        Self { session: Mutex::new(session), live: None, cause: Cause::Cancelled, paid: false }
    }

    fn pay(&mut self) -> Ended {
        self.paid = true;
        let cause = &self.cause;
        let mut session = lock(&self.session);
        let ended = match &mut self.live {
            Some(Live { up, down, began }) => {
                let ended = cause.ended(up.counters(), down.counters(), began.elapsed());
                let unshown = [up.take_unshown(), down.take_unshown()];
                for (from, message) in unshown.into_iter().flatten() {
                    session.on_message(from, &message);
                }
                ended
            }
            None => cause.ended(Counters::default(), Counters::default(), Duration::ZERO),
        };
        session.on_end(&ended);
        ended
    }
}

impl<S: Session, A, B> Drop for Owed<S, A, B> {
    fn drop(&mut self) {
        if !self.paid {
            self.pay();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tunnel;
    use crate::ws::{CloseKind, Config, Ended, Session};
    use capsem_ws_codec::handshake::Accepted;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Ends(Arc<Mutex<Vec<Ended>>>);

    impl Session for Ends {
        fn on_end(&mut self, ended: &Ended) {
            self.0.lock().unwrap().push(ended.clone());
        }
    }

    #[test]
    fn a_tunnel_that_never_ran_has_ended_too() {
        let ends = Ends::default();
        let [(_client, near), (far, _upstream)] = [1, 2].map(|_| tokio::io::duplex(64));
        drop(tunnel(near, far, &Accepted::default(), ends.clone(), &Config::default()));
        let ends = ends.0.lock().unwrap();
        let [ended] = &ends[..] else { panic!("the end is told once: {ends:?}") };
        assert_eq!((ended.close.kind, ended.close.by), (CloseKind::Error, None));
    }
}
