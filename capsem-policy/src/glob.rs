//! Patterns with `*`. Refuses to know what they stand for.

/// Bytes of a name's pattern. Above any name of a model, a tool or a program.
const MAX_LENGTH: usize = 256;

/// A name in which `*` stands for any characters, none among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameGlob {
    text: String,
    case: Case,
}

/// Whether upper and lower case of ASCII letters are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// They are: providers read names of models so.
    Folded,
    /// They are not.
    Exact,
}

impl NameGlob {
    /// Reads an entry; `None` for one that no name can match or that is over the limit.
    pub(crate) fn parse(text: &str, case: Case) -> Option<Self> {
        let fine = (1..=MAX_LENGTH).contains(&text.len()) && !text.chars().any(char::is_control);
        fine.then(|| Self { text: text.to_owned(), case })
    }

    /// Whether this name is one of them.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let same: fn(&u8, &u8) -> bool = match self.case {
            Case::Folded => |pattern, byte| pattern.eq_ignore_ascii_case(byte),
            Case::Exact => |pattern, byte| pattern == byte,
        };
        glob(self.text.as_bytes(), name.as_bytes(), |byte| *byte == b'*', same)
    }
}

/// Whether `pattern` stands for all of `input`, where each star in it stands for any run of items.
///
/// Goes back to the last star only: a run that an earlier star could take as well is one the last
/// star can take, so nothing is lost, and the cost is at most the product of the lengths.
pub(crate) fn glob<P, I>(
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
