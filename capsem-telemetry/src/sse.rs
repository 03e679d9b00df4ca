//! Server-sent events: bytes of a `text/event-stream` body in, the `data` of each event out, by the
//! event stream grammar of the HTML standard (section 9.2).
//!
//! Refuses to know what the data means, and who sent it.

use crate::buffer::append;

/// Splits a body into its events, however the bytes arrive. Keeps at most `limit` bytes of the event
/// at hand; what an event has beyond that is cut off and the event says so.
///
/// ```
/// use capsem_telemetry::sse::Splitter;
///
/// let mut splitter = Splitter::new(1 << 20);
/// let mut seen = Vec::new();
/// splitter.push(b"event: delta\ndata: {\"a\":", |_| ());
/// splitter.push(b"1}\n\n", |event| seen.push(event.data.to_vec()));
/// assert_eq!(seen, [b"{\"a\":1}"]);
/// ```
#[derive(Debug)]
pub struct Splitter {
    /// The line at hand, as far as earlier chunks brought it.
    line: Vec<u8>,
    /// The `data` lines of the event at hand, joined by line feeds; none before the first.
    data: Option<Vec<u8>>,
    limit: usize,
    truncated: bool,
    /// Bytes of the body since the last event.
    len: u64,
    /// The last byte was a carriage return, so a line feed now belongs to it.
    after_cr: bool,
    place: Place,
    /// A line came that is none of an event stream.
    foreign: bool,
}

/// Where in the body a splitter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No line has ended yet: a byte order mark may lead.
    Start,
    /// No field came since the last blank line.
    Between,
    /// Within an event.
    Event,
}

/// One event that had data.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The data lines, joined by line feeds.
    pub data: &'a [u8],
    /// The data is a prefix: the event was longer than the splitter's limit.
    pub truncated: bool,
    /// Bytes of the body from the end of the previous event to the end of this one.
    pub len: u64,
}

impl Splitter {
    /// A splitter at the start of a body.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: None,
            limit,
            truncated: false,
            len: 0,
            after_cr: false,
            place: Place::Start,
            foreign: false,
        }
    }

    /// A splitter of a body whose first line begins with blanks that are not given to it.
    pub(crate) fn within_a_line(limit: usize) -> Self {
        Self { line: b" ".to_vec(), ..Self::new(limit) }
    }

    /// Takes the next bytes of the body and calls `each` for every event they complete.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Event<'_>)) {
        while let Some(&byte) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                self.len += 1;
                bytes = bytes.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.len += bytes.len() as u64;
                self.keep(bytes);
                return;
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            self.len += line.len() as u64 + 1;
            self.end_line(line, &mut each);
            bytes = rest.get(1..).unwrap_or_default();
        }
    }

    /// Ends the body. An event that lacks only its blank line is handed out: the standard drops it,
    /// but its sender did send it.
    pub fn finish(mut self, mut each: impl FnMut(Event<'_>)) {
        if !self.line.is_empty() {
            self.end_line(b"", &mut each);
        }
        self.dispatch(&mut each);
    }

    /// Whether no event is under way: what came since the last one was comments and blank lines.
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && self.place != Place::Event
    }

    /// Whether a line came that is no comment and no field of the standard, or that some readers take
    /// for more than one line: such a body may say to others what it does not say in events.
    pub fn has_foreign_lines(&self) -> bool {
        self.foreign
    }

    /// From now on keeps at most `limit` bytes of an event.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Memory held.
    pub(crate) fn held(&self) -> usize {
        self.line.capacity() + self.data.as_ref().map_or(0, Vec::capacity)
    }

    /// Keeps a piece of an unfinished line, which shares the limit with the lines before it; the
    /// field name comes on top.
    fn keep(&mut self, piece: &[u8]) {
        let data = self.data.as_ref().map_or(0, Vec::len);
        let limit = self.limit.saturating_sub(data).saturating_add(b"data: ".len());
        self.truncated |= append(&mut self.line, piece, limit);
    }

    /// Ends the line at hand, whose last piece is `tail`.
    fn end_line(&mut self, tail: &[u8], each: &mut impl FnMut(Event<'_>)) {
        let first = self.place == Place::Start;
        if first {
            self.place = Place::Between;
        }
        if self.line.is_empty() {
            return match Line::read(tail, first) {
                Line::Blank => self.dispatch(each),
                Line::Data(value) => self.add(value),
                Line::Other => self.other(tail),
                Line::Comment => self.foreign |= !is_one_line(tail),
            };
        }
        self.keep(tail);
        let mut line = std::mem::take(&mut self.line);
        match Line::read(&line, first) {
            Line::Blank => self.dispatch(each),
            Line::Data(value) if self.data.is_none() => {
                // A long line is not copied: it becomes the data where it lies.
                let name = line.len() - value.len();
                line.drain(..name);
                self.truncated |= line.len() > self.limit;
                line.truncate(self.limit);
                self.data = Some(line);
                self.place = Place::Event;
                return;
            }
            Line::Data(value) => self.add(value),
            Line::Other => self.other(&line),
            Line::Comment => self.foreign |= !is_one_line(&line),
        }
        line.clear();
        self.line = line;
    }

    /// A line beside the data.
    fn other(&mut self, line: &[u8]) {
        self.place = Place::Event;
        self.foreign |= !is_field(line) || !is_one_line(line);
    }

    /// Adds a line to the data.
    fn add(&mut self, value: &[u8]) {
        self.place = Place::Event;
        if let Some(data) = &mut self.data {
            self.truncated |= append(data, b"\n", self.limit);
        }
        let data = self.data.get_or_insert_with(|| std::mem::take(&mut self.line));
        self.truncated |= append(data, value, self.limit);
    }

    /// Ends the event at hand. Without data there is none, and its bytes count for the next.
    fn dispatch(&mut self, each: &mut impl FnMut(Event<'_>)) {
        let truncated = std::mem::take(&mut self.truncated);
        self.place = Place::Between;
        if let Some(mut data) = self.data.take() {
            each(Event { data: &data, truncated, len: std::mem::take(&mut self.len) });
            data.clear();
            data.shrink_to(KEEP);
            self.line = data;
        }
    }
}

/// Whether it is a field of the standard that is not `data`.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    let name = name.strip_prefix("\u{feff}".as_bytes()).unwrap_or(name);
    matches!(name, b"event" | b"id" | b"retry")
}

/// Whether every reader takes it for one line: some end lines at other control characters too.
fn is_one_line(line: &[u8]) -> bool {
    let ends = |c: char| c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    std::str::from_utf8(line).is_ok_and(|line| !line.contains(ends))
}

/// What a line is to its event.
enum Line<'a> {
    Blank,
    Data(&'a [u8]),
    /// `event`, `id`, `retry`, or a field nobody defined.
    Other,
    Comment,
}

impl<'a> Line<'a> {
    /// Reads a line; the `first` of a body may begin with a mark.
    fn read(line: &'a [u8], first: bool) -> Self {
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if first => rest,
            _ => line,
        };
        if line.is_empty() {
            return Self::Blank;
        }
        match line.strip_prefix(b"data") {
            Some([b':', b' ', value @ ..] | [b':', value @ ..]) => Self::Data(value),
            Some([]) => Self::Data(&[]),
            None if line.starts_with(b":") => Self::Comment,
            _ => Self::Other,
        }
    }
}

/// Memory for lines held on to between events, so that one long event does not cost its size for as
/// long as the stream lives.
const KEEP: usize = 64 * 1024;

#[cfg(test)]
mod tests;
