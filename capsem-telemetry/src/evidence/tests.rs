//! Transcripts replayed: whole, cut at every line, in frames of any kind, and in random order.
//!
//! A transcript is `testdata/<protocol>/<case>.jsonl`, one step a line; what must come of it is in
//! `<case>.expect.json` beside it. `README.md` there says how both are written.

mod codings;
mod conversations;
mod host;
mod hostile;
mod properties;
mod replay;
mod spellings;
mod transcripts;
mod usage;
mod wire;
