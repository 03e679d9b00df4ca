//! Where a chunked body ends (RFC 9112 section 7.1), strictly: CRLF alone ends a line.

use crate::answer::Refusal;

/// Hex digits of one chunk size: enough for any 64-bit length.
const SIZE_DIGITS: u8 = 16;
/// Bytes of chunk extensions and trailers in one body.
const EXTRAS: usize = 16 * 1024;

/// A place in a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: At,
    size: u64,
    digits: u8,
    extras: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Chunked {
    /// Reads on. Returns how many bytes belong to the body and whether that is all of it.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut i = 0;
        while i < bytes.len() {
            if let At::Data = self.at {
                let n = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len() - i);
                i += n;
                self.size -= n as u64;
                if self.size == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.at = self.step(bytes[i])?;
            i += 1;
            if let At::End = self.at {
                return Ok((i, true));
            }
        }
        Ok((i, false))
    }

    fn step(&mut self, byte: u8) -> Result<At, Refusal> {
        match (self.at, byte) {
            (At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digits += 1;
                if self.digits > SIZE_DIGITS {
                    return Err(Refusal::framing("a chunk size has more than 16 digits"));
                }
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                self.size = (self.size << 4) | u64::from(digit);
                Ok(At::Size)
            }
            (At::Size, b';') if self.digits > 0 => Ok(At::Extension),
            (At::Size | At::Extension, b'\r') if self.digits > 0 => Ok(At::SizeLf),
            (At::Extension, b'\t' | b' '..=0x7e | 0x80..) => self.extra(At::Extension),
            (At::SizeLf, b'\n') => {
                self.digits = 0;
                Ok(if self.size == 0 { At::TrailerStart } else { At::Data })
            }
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size),
            (At::TrailerStart, b'\r') => Ok(At::EndLf),
            (At::Trailer, b'\r') => Ok(At::TrailerLf),
            (At::TrailerStart, b'!'..=b'~') | (At::Trailer, b'\t' | b' '..=0x7e | 0x80..) => {
                self.extra(At::Trailer)
            }
            (At::TrailerLf, b'\n') => Ok(At::TrailerStart),
            (At::EndLf, b'\n') => Ok(At::End),
            _ => Err(Refusal::framing("the chunked body is malformed")),
        }
    }

    fn extra(&mut self, at: At) -> Result<At, Refusal> {
        self.extras += 1;
        if self.extras > EXTRAS {
            return Err(Refusal::framing("more than 16 KiB of chunk extensions and trailers"));
        }
        Ok(at)
    }
}
