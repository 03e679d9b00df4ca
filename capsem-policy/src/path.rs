//! One entry of `paths`. Refuses to know percent-encoding and dot-segments: bytes are compared.

use crate::error::PathFault;

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

/// Whether `pattern` stands for all of `input`, where each star in it stands for any run of items.
///
/// Goes back to the last star only: a run that an earlier star could take as well is one the last
/// star can take, so nothing is lost, and the cost is at most the product of the lengths.
fn glob<P, I>(
    pattern: &[P],
    input: &[I],
    is_star: impl Fn(&P) -> bool,
    item_matches: impl Fn(&P, &I) -> bool,
) -> bool {
    let (mut at_pattern, mut at_input) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(item) = input.get(at_input) {
        match pattern.get(at_pattern) {
            Some(star) if is_star(star) => {
                retry = Some((at_pattern, at_input));
                at_pattern += 1;
            }
            Some(one) if item_matches(one, item) => {
                at_pattern += 1;
                at_input += 1;
            }
            _ => {
                // Let the last star take one item more, and try again behind it.
                let Some((star, taken)) = retry else { return false };
                retry = Some((star, taken + 1));
                at_pattern = star + 1;
                at_input = taken + 1;
            }
        }
    }
    pattern.get(at_pattern..).is_some_and(|rest| rest.iter().all(is_star))
}

#[cfg(test)]
mod tests;
