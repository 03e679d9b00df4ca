//! Compressing our direction of a socket (RFC 7692 section 7.2.1).
//!
//! Refuses to know frames and how the parameters were agreed on.

use anyhow::{Result, bail, ensure};
use capsem_ws_codec::{Deflate, Role};
use flate2::{Compress, Compression, FlushCompress};

/// The four bytes a sync flush ends with and RFC 7692 section 7.2.1 takes off again.
const FLUSH_TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// The smallest window the library compresses with; the extension also knows 8.
const LEAST_BITS: u8 = 9;

/// Our direction of permessage-deflate.
pub(crate) struct Deflater {
    compress: Compress,
    /// Whether the window lives on from message to message.
    takeover: bool,
}

impl Deflater {
    /// Fails for a window that is too small for the library.
    pub(crate) fn new(role: Role, agreed: Deflate) -> Result<Self> {
        ensure!(Self::can(role, agreed), "no window of less than {LEAST_BITS} bits");
        let without = match role {
            Role::Client => agreed.client_no_context_takeover,
            Role::Server => agreed.server_no_context_takeover,
        };
        let bits = bits(role, agreed);
        let compress = Compress::new_with_window_bits(Compression::fast(), false, bits);
        Ok(Self { compress, takeover: !without })
    }

    /// Whether `role` can keep to these parameters.
    pub(crate) fn can(role: Role, agreed: Deflate) -> bool {
        bits(role, agreed) >= LEAST_BITS
    }

    /// One message.
    pub(crate) fn message(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        if payload.is_empty() {
            return Ok(vec![0]); // section 7.2.3.6: one empty block; a flush of nothing gives no bytes
        }
        let mut squeezed = Vec::with_capacity(64 + payload.len() / 2);
        let mut rest = payload;
        loop {
            let before = self.compress.total_in();
            self.compress.compress_vec(rest, &mut squeezed, FlushCompress::Sync)?;
            let used = usize::try_from(self.compress.total_in() - before)?;
            rest = &rest[used..];
            if rest.is_empty() && squeezed.len() < squeezed.capacity() {
                break; // room was left over, so the flush is complete
            }
            squeezed.reserve(64 + rest.len() / 2);
        }
        let Some(cut) = squeezed.strip_suffix(&FLUSH_TAIL) else {
            bail!("a flush without its tail")
        };
        let cut = cut.len();
        squeezed.truncate(cut);
        if !self.takeover {
            self.compress.reset();
        }
        Ok(squeezed)
    }
}

fn bits(role: Role, agreed: Deflate) -> u8 {
    match role {
        Role::Client => agreed.client_max_window_bits,
        Role::Server => agreed.server_max_window_bits,
    }
}

#[cfg(test)]
mod tests;
