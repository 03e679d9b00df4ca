//! What one end hears, held byte for byte against what the other was to say.
//!
//! Refuses to care how messages are cut into frames and masked: some proxies do both anew.

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::frame::{self, Head, Message};

/// Control frames begin here.
const CONTROL: u8 = 0x8;

/// The reading half of a socket.
pub struct Receiver<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer was read and not yet looked at.
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    /// A receiver that reads at most `room` bytes at once.
    pub fn new(from: R, room: usize) -> Self {
        Self { from, buffer: vec![0; room], start: 0, end: 0 }
    }

    /// Reads at most `room` bytes at once from now on, if that is more than before.
    pub fn grow(&mut self, room: usize) {
        self.buffer.resize(room.max(self.buffer.len()), 0);
    }

    /// An HTTP head, the empty line too.
    pub async fn head(&mut self) -> Result<String> {
        loop {
            let seen = &self.buffer[self.start..self.end];
            if let Some(at) = seen.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8(seen[..at + 4].to_vec())?;
                self.start += at + 4;
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    /// The reader, if nothing was read ahead of what was asked for.
    pub fn into_inner(self) -> Result<R> {
        ensure!(self.start == self.end, "bytes came before they may");
        Ok(self.from)
    }

    /// Hears exactly these messages.
    pub async fn hear(&mut self, messages: &[Message]) -> Result<()> {
        for message in messages {
            self.message(message).await?;
        }
        Ok(())
    }

    /// Hears a Close, and nothing before it.
    pub async fn hear_close(&mut self) -> Result<()> {
        let head = self.frame().await?;
        ensure!(head.opcode == frame::CLOSE, "{head:?} where a Close was due");
        self.payload(&head, None).await
    }

    /// Hears the end of the stream, and nothing before it.
    pub async fn hear_end(&mut self) -> Result<()> {
        ensure!(self.start == self.end, "bytes after the Close");
        match self.from.read(&mut self.buffer).await {
            Ok(0) | Err(_) => Ok(()), // TCP may well be reset after the Close
            Ok(bytes) => bail!("{bytes} bytes after the Close"),
        }
    }

    async fn message(&mut self, expected: &Message) -> Result<()> {
        let (mut opcode, mut rsv1, mut at) = (expected.opcode, expected.deflated, 0);
        loop {
            let head = self.frame().await?;
            if head.opcode >= CONTROL {
                ensure!(head.opcode != frame::CLOSE, "a Close where a message was due");
                self.payload(&head, None).await?;
                continue;
            }
            let as_due = (head.opcode, head.rsv1) == (opcode, rsv1);
            ensure!(as_due, "{head:?} where opcode {opcode} was due, rsv1 {rsv1}");
            let part = expected.payload.get(at..at + head.len);
            self.payload(&head, Some(part.context("a message is too long")?)).await?;
            at += head.len;
            if head.fin {
                ensure!(at == expected.payload.len(), "a message of {at} bytes is too short");
                return Ok(());
            }
            (opcode, rsv1) = (0, false);
        }
    }

    async fn frame(&mut self) -> Result<Head> {
        loop {
            if let Some((head, len)) = Head::read(&self.buffer[self.start..self.end]) {
                self.start += len;
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    /// Takes a payload, which must be as `expected` where something is.
    async fn payload(&mut self, head: &Head, expected: Option<&[u8]>) -> Result<()> {
        let mut at = 0;
        while at < head.len {
            if self.start == self.end {
                self.fill().await?;
            }
            let len = (head.len - at).min(self.end - self.start);
            let part = &mut self.buffer[self.start..self.start + len];
            if let Some(expected) = expected {
                if let Some(key) = head.key {
                    frame::mask(part, key, at);
                }
                ensure!(*part == expected[at..at + len], "a message came out changed");
            }
            self.start += len;
            at += len;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        ensure!(self.end < self.buffer.len(), "a head is too long");
        let read = self.from.read(&mut self.buffer[self.end..]).await?;
        ensure!(read > 0, "the stream ended too early");
        self.end += read;
        Ok(())
    }
}
