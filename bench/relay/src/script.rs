//! What both ends say, made before anything is timed: turns of messages, and their wire bytes.

mod responses;

use std::ops::Range;

use crate::frame::{self, BINARY, Message, TEXT};
use crate::random::Random;

pub use responses::{Coding, TAIL, answers, asks, exchange};

/// Bytes one side says in a turn, where a turn is nothing but a heap of messages.
const HEAP: usize = 1 << 20;

/// What the client says, and what the server says once it heard that.
#[derive(Default)]
pub struct Turn {
    /// The client's messages.
    pub ask: Vec<Message>,
    /// The server's messages.
    pub answer: Vec<Message>,
}

/// Turns that are taken one after the other, and from the first again after the last.
pub struct Script {
    turns: Vec<Turn>,
    asks: Wire,
    answers: Wire,
}

impl Script {
    /// Messages of `size` random bytes for the client.
    pub fn binary_to_client(size: usize) -> Self {
        Self::new(vec![Turn { ask: vec![], answer: heap(size, binary) }])
    }

    /// Messages of `size` random bytes for the server.
    pub fn binary_to_upstream(size: usize) -> Self {
        Self::new(vec![Turn { ask: heap(size, binary), answer: vec![] }])
    }

    /// Text messages of `size` bytes for the client.
    pub fn text_to_client(size: usize) -> Self {
        Self::new(vec![Turn { ask: vec![], answer: heap(size, text) }])
    }

    /// Text messages of `size` bytes for the server.
    pub fn text_to_upstream(size: usize) -> Self {
        Self::new(vec![Turn { ask: heap(size, text), answer: vec![] }])
    }

    /// One text message of `size` bytes, answered with itself.
    pub fn echo(size: usize) -> Self {
        let mut random = Random::new();
        let mut said = || vec![text(size, &mut random)];
        let echo = said();
        random = Random::new();
        let mut said = || vec![text(size, &mut random)];
        Self::new(vec![Turn { ask: echo, answer: said() }])
    }

    /// A script of these turns.
    pub fn new(turns: Vec<Turn>) -> Self {
        let mut random = Random::new();
        let asks = Wire::of(turns.iter().map(|turn| &turn.ask), || Some(random.key()));
        let answers = Wire::of(turns.iter().map(|turn| &turn.answer), || None);
        Self { turns, asks, answers }
    }

    /// The turn of a number.
    pub fn turn(&self, number: usize) -> &Turn {
        &self.turns[number % self.turns.len()]
    }

    /// The frames of what the client says in a turn.
    pub fn ask(&self, number: usize) -> &[u8] {
        self.asks.turn(number)
    }

    /// The frames of what the server says in a turn.
    pub fn answer(&self, number: usize) -> &[u8] {
        self.answers.turn(number)
    }

    /// How many turns there are.
    pub fn turns(&self) -> usize {
        self.turns.len()
    }

    /// How many messages both sides say in the first `turns`, and how many bytes of payload.
    pub fn size(&self, turns: usize) -> (u64, u64) {
        let (mut messages, mut bytes) = (0, 0);
        for (index, turn) in self.turns.iter().enumerate() {
            let times = turns.saturating_sub(index).div_ceil(self.turns.len()) as u64;
            for message in turn.ask.iter().chain(&turn.answer) {
                messages += times;
                bytes += times * message.payload.len() as u64;
            }
        }
        (messages, bytes)
    }
}

/// The frames of one side.
struct Wire {
    bytes: Vec<u8>,
    turns: Vec<Range<usize>>,
}

impl Wire {
    fn of<'a>(
        turns: impl Iterator<Item = &'a Vec<Message>>,
        mut key: impl FnMut() -> Option<[u8; 4]>,
    ) -> Self {
        let mut bytes = Vec::new();
        let turns = turns.map(|messages| {
            let start = bytes.len();
            for message in messages {
                frame::write(message, key(), &mut bytes);
            }
            start..bytes.len()
        });
        Self { turns: turns.collect(), bytes }
    }

    fn turn(&self, number: usize) -> &[u8] {
        &self.bytes[self.turns[number % self.turns.len()].clone()]
    }
}

fn heap(size: usize, message: fn(usize, &mut Random) -> Message) -> Vec<Message> {
    let mut random = Random::new();
    (0..HEAP / size).map(|_| message(size, &mut random)).collect()
}

fn binary(size: usize, random: &mut Random) -> Message {
    let mut payload = Vec::with_capacity(size + 8);
    while payload.len() < size {
        payload.extend(random.next().to_ne_bytes());
    }
    payload.truncate(size);
    Message { opcode: BINARY, deflated: false, payload }
}

/// JSON that no model's interpreter knows.
fn text(size: usize, random: &mut Random) -> Message {
    let mut text = format!("{{\"price\":{},\"note\":\"", random.next() >> 40);
    while text.len() + "\"}".len() < size {
        text.push(char::from(b'a' + u8::try_from(random.next() % 26).unwrap_or_default()));
    }
    text.push_str("\"}");
    Message { opcode: TEXT, deflated: false, payload: text.into_bytes() }
}
