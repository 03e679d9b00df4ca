//! One end of a cell's socket: it says what the script says and keeps every byte it hears.
//!
//! It answers nothing by itself and takes no end amiss; what was heard is judged when all is over.

use std::pin::pin;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use capsem_ws_codec::{
    CloseCode, Deflate, FrameHead, Item, Limits, Opcode, Reader, Role, encode_close, encode_frame,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::socket::Deflater;

/// What both ends agree on where they compress: all defaults.
pub(super) const AGREED: Deflate = Deflate {
    client_no_context_takeover: false,
    server_no_context_takeover: false,
    client_max_window_bits: 15,
    server_max_window_bits: 15,
};

/// A stream of any kind.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

pub(super) struct End {
    role: Role,
    deflater: Option<Deflater>,
    mouth: Option<WriteHalf<Box<dyn Stream>>>,
    ear: JoinHandle<()>,
    heard: watch::Receiver<Heard>,
    /// Bytes heard before the frames; none while there is no whole head.
    head: Option<usize>,
    said: Vec<u8>,
    /// Where frames begin and end in `said`.
    borders: Vec<usize>,
    /// The payloads of the messages said.
    messages: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    over: Option<Instant>,
}

impl Heard {
    fn frames(&self, head: Option<usize>) -> &[u8] {
        head.map_or(&[], |head| &self.bytes[head..])
    }
}

/// What an end heard of its peer's frames.
pub(super) struct Verdict {
    /// Whole messages.
    pub(super) messages: usize,
    /// Of a Close that the peer did not say.
    pub(super) close: Option<u16>,
    /// Whether the peer's own Close came.
    pub(super) closed: bool,
}

impl End {
    pub(super) fn new<S>(stream: S, role: Role, compressed: bool) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
    {
        let (mut read, write) = tokio::io::split(Box::new(stream) as Box<dyn Stream>);
        let (sender, heard) = watch::channel(Heard::default());
        let ear = tokio::spawn(async move {
            let mut chunk = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = read.read(&mut chunk).await {
                sender.send_modify(|heard| heard.bytes.extend_from_slice(&chunk[..read]));
            }
            sender.send_modify(|heard| heard.over = Some(Instant::now()));
        });
        let deflater = compressed.then(|| Deflater::new(role, AGREED)).transpose()?;
        Ok(Self {
            role,
            deflater,
            mouth: Some(write),
            ear,
            heard,
            head: None,
            said: Vec::new(),
            borders: vec![0],
            messages: Vec::new(),
        })
    }

    /// Writes bytes of a head.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        if let Some(mouth) = &mut self.mouth {
            // Who cannot be told anything is heard of by its end.
            if mouth.write_all(bytes).await.is_ok() {
                let _ = mouth.flush().await;
            }
        }
    }

    /// The peer's head; none if it ends without one.
    pub(super) async fn head(&mut self) -> Option<String> {
        let ends = |bytes: &[u8]| bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let mut heard = self.heard.clone();
        let heard = heard.wait_for(|heard| heard.over.is_some() || ends(&heard.bytes).is_some());
        let heard = heard.await.ok()?;
        let end = ends(&heard.bytes)? + 4;
        self.head = Some(end);
        Some(String::from_utf8_lossy(&heard.bytes[..end]).into_owned())
    }

    /// A message as a frame, to be said whole or in parts.
    pub(super) fn message(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        self.messages.push(payload.to_vec());
        let squeezed = match &mut self.deflater {
            Some(deflater) => Some(deflater.message(payload)?),
            None => None,
        };
        let (rsv1, mask) = (squeezed.is_some(), self.mask()?);
        let head = FrameHead { fin: true, rsv1, opcode: Opcode::Text, mask, len: 0 };
        let mut frame = Vec::new();
        encode_frame(head, squeezed.as_deref().unwrap_or(payload), &mut frame);
        Ok(frame)
    }

    pub(super) fn close(&self) -> Result<Vec<u8>> {
        let mut frame = Vec::new();
        encode_close(self.role, CloseCode::NORMAL, "", self.mask()?, &mut frame);
        Ok(frame)
    }

    /// Says the part of a frame that does not end it.
    pub(super) async fn begin(&mut self, part: &[u8]) {
        self.said.extend_from_slice(part);
        self.write(part).await;
    }

    /// Says a frame, or the rest of one.
    pub(super) async fn say(&mut self, rest: &[u8]) {
        self.said.extend_from_slice(rest);
        self.borders.push(self.said.len());
        self.write(rest).await;
    }

    /// Whether all that `peer` said comes, now or later.
    pub(super) async fn hears(&self, peer: &Self) -> bool {
        let whole = |heard: &Heard| heard.frames(self.head).len() >= peer.said.len();
        let mut heard = self.heard.clone();
        let heard = heard.wait_for(|heard| heard.over.is_some() || whole(heard)).await;
        heard.is_ok_and(|heard| whole(&heard))
    }

    /// Waits until nothing more can come; says since when.
    pub(super) async fn over(&self) -> Instant {
        let mut heard = self.heard.clone();
        let over = heard.wait_for(|heard| heard.over.is_some()).await;
        over.ok().and_then(|heard| heard.over).unwrap_or_else(Instant::now)
    }

    /// Ends this side in order, and hears on.
    pub(super) async fn end(&mut self) {
        if let Some(mouth) = &mut self.mouth {
            let _ = pin!(mouth.shutdown()).await;
        }
    }

    /// Leaves without a word: no `close_notify`, no Close.
    pub(super) async fn leave(&mut self) {
        self.mouth = None;
        self.ear.abort();
        let _ = (&mut self.ear).await;
    }

    /// Judges what was heard of `peer`: its bytes in their order and no others, but a Close frame
    /// of the proxy's own where a frame may begin; and so its messages.
    pub(super) fn verdict(&self, peer: &Self) -> Result<Verdict> {
        let heard = self.heard.borrow();
        let frames = heard.frames(self.head);
        let (own, close) = match frames {
            prefix if peer.said.starts_with(prefix) => (prefix, None),
            _ => peer.before_a_close(frames).context("what came is not what was said")?,
        };
        let deflate = self.deflater.is_some().then_some(AGREED);
        let mut reader = Reader::new(peer.role, deflate, Limits::default());
        let (mut rest, mut verdict) = (own, Verdict { messages: 0, close, closed: false });
        while let Some(item) = reader.read(&mut rest)? {
            match item {
                Item::Message(message) => {
                    let said = peer.messages.get(verdict.messages);
                    let same = said.is_some_and(|said| said == message.payload);
                    ensure!(same, "message {} came different", verdict.messages);
                    verdict.messages += 1;
                }
                Item::Close(_) => verdict.closed = true,
                Item::Ping(_) | Item::Pong(_) => bail!("a frame that nobody said"),
            }
        }
        Ok(verdict)
    }

    /// How many messages were said.
    pub(super) fn messages_said(&self) -> usize {
        self.messages.len()
    }

    /// Splits `heard` at a border of our own frames, after which there is one Close frame.
    fn before_a_close<'h>(&self, heard: &'h [u8]) -> Option<(&'h [u8], Option<u16>)> {
        self.borders.iter().find_map(|&border| {
            let (own, rest) = heard.split_at_checked(border)?;
            let code = self.said.starts_with(own).then(|| close_code(self.role, rest))??;
            Some((own, Some(code)))
        })
    }

    /// A client's frames are masked with a fresh key.
    fn mask(&self) -> Result<Option<[u8; 4]>> {
        let mut key = [0; 4];
        getrandom::fill(&mut key).context("no randomness")?;
        Ok((self.role == Role::Client).then_some(key))
    }
}

/// The code of the one Close frame of `from` that `wire` is.
fn close_code(from: Role, mut wire: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(from, None, Limits::default());
    match reader.read(&mut wire) {
        Ok(Some(Item::Close(close))) if wire.is_empty() => close.code.map(u16::from),
        _ => None,
    }
}
