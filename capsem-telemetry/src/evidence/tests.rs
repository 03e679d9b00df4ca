//! Transcripts replayed: whole, cut at every line, and in random order of lanes.
//!
//! A transcript is `testdata/<protocol>/<case>.jsonl`, one step a line; what must come of it is in
//! `<case>.expect.json` beside it. `README.md` there says how both are written.

mod codings;
mod hostile;
mod properties;
mod replay;
mod transcripts;
