//! What inflating takes by itself: raw zlib-rs over all compressed messages of a script.

use anyhow::{Context, Result};
use flate2::{Decompress, FlushDecompress};
use nix::time::{ClockId, clock_gettime};

use crate::frame::Message;
use crate::script::{Script, TAIL};

const PASSES: usize = 5;

/// CPU seconds a GiB of compressed payload, as the best of some passes: nothing is read, nothing is
/// checked, the tails lie ready. `None` for a script that compresses nothing.
///
/// # Errors
///
/// When there is no clock, or what the script says does not inflate.
pub fn cpu_per_gib(script: &Script) -> Result<Option<f64>> {
    let turns = || (0..script.turns()).map(|turn| script.turn(turn));
    let sides =
        [ready(turns().flat_map(|turn| &turn.ask)), ready(turns().flat_map(|turn| &turn.answer))];
    let bytes: usize = sides.iter().flatten().map(|message| message.len() - TAIL.len()).sum();
    if bytes == 0 {
        return Ok(None);
    }
    let mut best = f64::INFINITY;
    for _ in 0..PASSES {
        let began = cpu()?;
        sides.iter().try_for_each(|side| inflate(side))?;
        best = best.min(cpu()? - began);
    }
    Ok(Some(best / bytes as f64 * f64::from(1 << 30)))
}

/// The compressed ones, each with the tail its sender took off.
fn ready<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<Vec<u8>> {
    messages.filter(|it| it.deflated).map(|it| [&it.payload[..], &TAIL].concat()).collect()
}

fn inflate(messages: &[Vec<u8>]) -> Result<()> {
    let mut library = Decompress::new(false);
    let mut out = vec![0; 1 << 20];
    for message in messages {
        library.decompress(message, &mut out, FlushDecompress::None).context("no deflate")?;
    }
    Ok(())
}

/// Of this thread, in seconds.
fn cpu() -> Result<f64> {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("no clock for CPU time")?;
    Ok(now.tv_sec() as f64 + now.tv_nsec() as f64 * 1e-9)
}
