//! Takes values out of what comes back. Refuses to know where they were put.

use super::{Credential, Secret, substitute::spelt};
use http::{HeaderMap, HeaderValue};
use std::fmt;

/// The values one request was given, each with what to show in its place: the placeholder as the
/// guest wrote it.
#[derive(Default)]
pub struct Masks(Vec<Mask>);

struct Mask {
    secret: Secret,
    shown: String,
    reference: String,
}

impl Masks {
    /// The references of the credentials, each once.
    pub fn references(&self) -> Vec<&str> {
        let mut references: Vec<&str> = Vec::new();
        for Mask { reference, .. } in &self.0 {
            if !references.contains(&reference.as_str()) {
                references.push(reference);
            }
        }
        references
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the placeholder in place of every value in a response's headers, percent-encoded ones
    /// among them.
    pub fn hide(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let Some(hidden) = self.hidden(value.as_bytes()) else { continue };
            // Of a header value's bytes and a placeholder's another header value is made.
            let hidden = HeaderValue::from_bytes(&hidden);
            *value = hidden.unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
        }
    }

    /// `text` without the values; `None` if it has none of them.
    pub fn text(&self, text: &str) -> Option<String> {
        let hidden = self.hidden(text.as_bytes())?;
        Some(String::from_utf8_lossy(&hidden).into_owned())
    }

    pub(super) fn add(&mut self, credential: &Credential, shown: &str) {
        let Credential { reference, secret, .. } = credential;
        let known = |mask: &Mask| mask.secret.expose() == secret.expose();
        if !self.0.iter().any(known) {
            let (secret, shown) = (secret.share(), shown.to_owned());
            self.0.push(Mask { secret, shown, reference: reference.clone() });
        }
    }

    /// Adds those of `other` that are new.
    #[cfg(feature = "proxy")]
    pub(crate) fn extend(&mut self, other: &Self) {
        for Mask { secret, shown, reference } in &other.0 {
            self.add(&Credential::new(reference.clone(), secret.share()), shown);
        }
    }

    fn hidden(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut hidden: Option<Vec<u8>> = None;
        for Mask { secret, shown, .. } in &self.0 {
            let from = hidden.as_deref().unwrap_or(bytes);
            if let Some(out) = replaced(from, secret.expose(), shown.as_bytes()) {
                hidden = Some(out);
            }
        }
        hidden
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Masks").field(&self.references()).finish()
    }
}

/// `bytes` with `shown` for every `secret`, however much of it is percent-encoded.
fn replaced(bytes: &[u8], secret: &[u8], shown: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let (mut rest, mut copied) = (bytes, bytes);
    while !rest.is_empty() {
        if let Some(after) = after(rest, secret) {
            let out = out.get_or_insert_default();
            out.extend_from_slice(&copied[..copied.len() - rest.len()]);
            out.extend_from_slice(shown);
            (rest, copied) = (after, after);
        } else {
            rest = &rest[1..];
        }
    }
    if let Some(out) = &mut out {
        out.extend_from_slice(copied);
    }
    out
}

/// What follows `secret` at the start of `bytes`, as it is or percent-encoded in part or whole. A text
/// that is cut at a limit may end within it.
fn after<'b>(bytes: &'b [u8], secret: &[u8]) -> Option<&'b [u8]> {
    /// Bytes of a value that give it away; fewer may be the start that all of a service's keys have.
    const START: usize = 12;
    if let Some(rest) = bytes.strip_prefix(secret) {
        return Some(rest);
    }
    let mut rest = bytes;
    for (read, &byte) in secret.iter().enumerate() {
        if read >= START && matches!(rest, [] | [b'%'] | [b'%', _]) {
            return Some(&[]);
        }
        rest = match (spelt(rest), rest.split_first()) {
            (Some((given, tail)), _) if given == byte => tail,
            (_, Some((first, tail))) if *first == byte => tail,
            _ => return None,
        };
    }
    Some(rest)
}

#[cfg(test)]
mod tests;
