//! One entry of `paths`. Refuses to know percent-encoding and dot-segments: bytes are compared.

use crate::{error::PathFault, glob::glob, index::Key};

/// Bytes of one entry. Far above any real path; it bounds the cost of a match.
const MAX_LENGTH: usize = 2048;

/// Which paths an entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// `**`: any number of segments, none among them.
    Any,
    /// Literal bytes in which `*` stands for any bytes of this segment, none among them.
    One(String),
}

impl PathPattern {
    /// Reads an entry.
    pub(crate) fn parse(text: &str) -> Result<Self, PathFault> {
        let rest = text.strip_prefix('/').ok_or(PathFault::NoSlash)?;
        if text.len() > MAX_LENGTH {
            return Err(PathFault::Length);
        }
        if text.contains(['?', '#']) {
            return Err(PathFault::QueryOrFragment);
        }
        if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(PathFault::Character);
        }
        let segments = rest.split('/').map(|segment| match segment {
            "**" => Ok(Segment::Any),
            _ if segment.contains("**") => Err(PathFault::DoubleStar),
            _ => Ok(Segment::One(segment.to_owned())),
        });
        Ok(Self { segments: segments.collect::<Result<_, _>>()? })
    }

    /// What an index can look it up by; `None` for one that can begin with anything.
    pub(crate) fn key(&self) -> Option<Key> {
        let plain = self.segments.iter().map_while(|segment| match segment {
            Segment::One(text) if !text.contains('*') => Some(text.as_str()),
            _ => None,
        });
        let plain: Vec<&str> = plain.collect();
        let text = format!("/{}", plain.join("/"));
        match plain.len() {
            all if all == self.segments.len() => Some(Key::Path(text)),
            0 => None,
            _ => Some(Key::PathBelow(text)),
        }
    }

    /// Whether this path, as sent and without query, is one of them. What does not begin with `/`,
    /// such as the `*` of `OPTIONS *`, is none.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix('/') else { return false };
        let segments: Vec<&str> = rest.split('/').collect();
        glob(
            &self.segments,
            &segments,
            |s| *s == Segment::Any,
            |pattern, segment| match pattern {
                Segment::Any => true,
                Segment::One(text) => {
                    glob(text.as_bytes(), segment.as_bytes(), |b| *b == b'*', |p, s| p == s)
                }
            },
        )
    }
}

#[cfg(test)]
mod tests;
