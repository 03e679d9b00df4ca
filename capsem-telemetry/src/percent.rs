//! Percent-decoding of RFC 3986 section 2.1, for comparing names; never for what is forwarded.

/// Decodes once; what is no valid escape stays as it is.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, tail) = escape(rest).unwrap_or((first, after));
        out.push(byte);
        rest = tail;
    }
    out
}

/// [`decode`] as text; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode_lossy(text: &str) -> String {
    String::from_utf8_lossy(&decode(text)).into_owned()
}

/// The byte of the escape `bytes` begin with, and what follows it.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, tail @ ..] = bytes else { return None };
    Some((digit(*high)? << 4 | digit(*low)?, tail))
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
